"""Load a snapshot of the files into policies that may be put in force, or raise all of its problems.

In a folder, every file states its `version`; the policies, tests and services of all files are merged;
`timezone` and `defaults` hold for their own file; any other key may stand in one of them only.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from app.core.engine import Engine
from app.core.policy import Policy, PolicySet
from app.core.wallclock import zone
from app.policies.calendars.unloaded import frozen_until_loaded, without_fetched
from app.policies.draft import Draft, read_draft
from app.policies.loaded import LoadedPolicies, PlacedTest
from app.policies.selftest import problems_of, run
from app.policies.source import Snapshot
from app.yaml.problem import PolicyFileError, Severity, bounded, format_path


def load(snapshot: Snapshot) -> LoadedPolicies:
    """Read, check and self-test a set.

    Raises:
        PolicyFileError: with all problems, failing self-tests among them.
    """
    loaded = load_untested(snapshot)
    failed = problems_of(run(loaded))
    if failed:
        raise PolicyFileError(bounded(failed))
    return loaded


def load_untested(snapshot: Snapshot) -> LoadedPolicies:
    """Read and check a set without running its self-tests.

    Raises:
        PolicyFileError: with all problems.
    """
    return closed_until_loaded(accept(read_draft(snapshot), snapshot.revision))


def closed_until_loaded(loaded: LoadedPolicies) -> LoadedPolicies:
    """Return a set in which policies freeze at all times whose required calendar was never loaded."""
    policy_set = frozen_until_loaded(loaded.policy_set)
    if policy_set is loaded.policy_set:
        return loaded
    return replace(loaded, policy_set=policy_set, engine=Engine(policy_set))


def accept(draft: Draft, revision: str) -> LoadedPolicies:
    """Compile a draft without errors; required calendars that were never loaded freeze nothing yet.

    Raises:
        PolicyFileError: the draft has errors.
    """
    if draft.policy_set is None:
        raise PolicyFileError(draft.errors)
    warnings = tuple(problem for problem in draft.problems if problem.severity is Severity.WARNING)
    engine, offline = Engine(draft.policy_set), without_fetched(draft.policy_set)
    tests = tuple(_placed_tests(draft))
    return LoadedPolicies(
        policy_set=draft.policy_set,
        engine=engine,
        revision=revision,
        tests=tests,
        warnings=warnings,
        tested=engine if offline is draft.policy_set else Engine(offline),
        team_engines=_team_engines(offline, {test.file for test in tests}),
    )


def _team_engines(policy_set: PolicySet, files: Collection[str]) -> dict[str, Engine]:
    """Return an engine with the policies of each of these files that is a team's."""
    own: dict[str, list[Policy]] = {}
    for policy in policy_set.policies:
        if (owned := policy_set.owner_of(policy.id)) is not None:
            own.setdefault(owned.name, []).append(policy)
    return {
        name: Engine(policy_set.model_copy(update={"policies": own.get(name, [])}))
        for name, owner in (policy_set.owners or {}).items()
        if name in files and not owner.everything
    }


def _placed_tests(draft: Draft) -> Iterator[PlacedTest]:
    """Yield the self-tests of all files in order, with their positions and zones."""
    if draft.policy_set is None:
        return
    home = draft.policy_set.timezone
    for test, (document, path) in zip(draft.policy_set.tests, draft.places("tests"), strict=True):
        line, column = document.place(path).best
        read_in = zone(document.data.get("timezone", home))
        yield PlacedTest(test, document.name, line, column, format_path(path), read_in)
