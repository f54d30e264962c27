"""From a snapshot of the files to policies that may be put in force, or all that is wrong with them.

In a folder, every file says its `version`; the policies, tests and services of all files are taken
together; any other key may stand in one of them only.
"""

from collections.abc import Iterator

from app.core.engine import Engine
from app.policies.draft import Draft, read_draft
from app.policies.loaded import LoadedPolicies, PlacedTest
from app.policies.selftest import failures
from app.policies.source import Snapshot
from app.yaml.problem import PolicyFileError, Severity, bounded, format_path


def load(snapshot: Snapshot) -> LoadedPolicies:
    """Read, check and self-test a set.

    Raises:
        PolicyFileError: with everything that is wrong; a self-test that fails is.
    """
    loaded = load_untested(snapshot)
    failed = failures(loaded)
    if failed:
        raise PolicyFileError(bounded(failed))
    return loaded


def load_untested(snapshot: Snapshot) -> LoadedPolicies:
    """Read and check a set, and leave its self-tests to the caller.

    Raises:
        PolicyFileError: with everything that is wrong.
    """
    return accept(read_draft(snapshot), snapshot.revision)


def accept(draft: Draft, revision: str) -> LoadedPolicies:
    """Make a draft ready to answer.

    Raises:
        PolicyFileError: anything is wrong with it.
    """
    if draft.policy_set is None:
        raise PolicyFileError(draft.errors)
    warnings = tuple(problem for problem in draft.problems if problem.severity is Severity.WARNING)
    return LoadedPolicies(
        policy_set=draft.policy_set,
        engine=Engine(draft.policy_set),
        revision=revision,
        tests=tuple(_placed_tests(draft)),
        warnings=warnings,
    )


def _placed_tests(draft: Draft) -> Iterator[PlacedTest]:
    """The tests of the set, which are those of its files in order, with their places."""
    tests = draft.policy_set.tests if draft.policy_set else []
    for test, (document, path) in zip(tests, draft.places("tests"), strict=True):
        line, column = document.place(path).best
        yield PlacedTest(test, document.name, line, column, format_path(path))
