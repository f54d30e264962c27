"""Lint a policy set: all of its errors, and warnings about what is valid but probably unintended.

Every remark is certain. Where certainty would take an unbounded search, there is none.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from app.core.compiled import CompiledPolicies
from app.core.decision import Question
from app.core.environment import EnvironmentKind
from app.core.instant import DAY, LATEST, LOOK_AHEAD, format_instant
from app.core.interval import Interval, normalise
from app.core.policy import Effect, Policy
from app.core.timeline import BlockBudget, PolicyTimeline
from app.core.wallclock import Wall
from app.core.windows import WindowEntry
from app.policies.draft import Draft, in_order, read_draft
from app.policies.lint.holidays import holiday_problems
from app.policies.lint.inherited import inherited_remarks, selector_path
from app.policies.lint.misreadings import misreadings
from app.policies.lint.notices import notice_remark
from app.policies.lint.owned import owned_remarks
from app.policies.lint.placed_window import placed_windows
from app.policies.lint.reach import Reach
from app.policies.lint.shadow import Shadows
from app.policies.load import accept
from app.policies.loaded import LoadedPolicies
from app.policies.selftest import SelfTestResult, problems_of, run
from app.policies.source import Snapshot
from app.yaml.document import Document
from app.yaml.problem import Path, Problem, Severity, bounded, quoted

_DROUGHT_DAYS: Final = 14
_NO_TAGS: Final = "without a catalogue no service has tags"


class Examined(NamedTuple):
    """All that can be said of a set without putting it in force."""

    problems: list[Problem]
    """Its errors, and the warnings if it can be read; in the order of the files."""
    tests: list[SelfTestResult]
    """The results of its self-tests; none if it has errors."""
    loaded: LoadedPolicies | None
    """The set, as `accept` returns it; None if it has errors other than failing tests."""


def lint(snapshot: Snapshot, now: int) -> list[Problem]:
    """Return the errors of a set, and the warnings if it can be read; in the order of the files.

    Args:
        snapshot: the files.
        now: the instant that "past" and "the next two weeks" refer to.
    """
    return examine(snapshot, now).problems


def examine(snapshot: Snapshot, now: int, checkpoint: Callable[[], None] = lambda: None) -> Examined:
    """Lint a set, and run its self-tests.

    Args:
        snapshot: the files.
        now: the instant that "past" and "the next two weeks" refer to.
        checkpoint: called between steps of the work; may raise to end it.
    """
    draft = read_draft(snapshot)
    checkpoint()
    if draft.policy_set is None:
        return Examined(list(draft.problems), [], None)
    loaded = accept(draft, snapshot.revision)
    checkpoint()
    results = run(loaded)
    checkpoint()
    found = [
        *draft.problems,
        *problems_of(results),
        *_Lint(draft, loaded.engine.compiled, now, checkpoint).remarks(),
        *misreadings(draft, draft.policy_set, loaded.engine, now),
    ]
    # Policies that share the selectors of their file share the remarks on them.
    return Examined(bounded(in_order(dict.fromkeys(found), draft.documents)), results, loaded)


class _Lint:
    """The remarks on one set."""

    def __init__(
        self, draft: Draft, compiled: CompiledPolicies, now: int, checkpoint: Callable[[], None]
    ) -> None:
        self._draft = draft
        self._checkpoint = checkpoint
        self._compiled = compiled
        self._set = policy_set = compiled.policy_set
        self._now = now
        self._reach = Reach(policy_set)
        self._places = list(draft.places("policies"))
        self._held: dict[PolicyTimeline, list[Interval]] = {}
        """The intervals of each policy in the next two weeks."""

    def remarks(self) -> Iterator[Problem]:
        """Yield all remarks, as warnings."""
        if not self._set.tests:
            yield self._warn(
                self._draft.documents[0], (), "there are no tests: say under tests what must come out"
            )
        yield from self._on_usual_names()
        yield from self._on_usual_environment()
        for document in self._draft.documents:
            for where in _doubled(document.data):
                yield self._warn(document, where, "is in this list already")
        for number, ((document, path), policy) in enumerate(
            zip(self._places, self._set.policies, strict=True)
        ):
            self._checkpoint()
            timelines = self._compiled.timelines_in_use(number) if policy.notify_before else ()
            if (sentence := notice_remark(policy, timelines, self._now)) is not None:
                yield self._warn(document, (*path, "notify_before"), sentence)
            yield from self._on_windows(document, path, policy)
            yield from holiday_problems(document, path, policy, self._now)
            yield from self._on_exceptions(document, path, policy)
            yield from self._on_running(document, path, policy)
            yield from self._on_reach(document, path, policy)
        yield from self._on_files()
        yield from self._on_shadows()
        yield from self._on_droughts()

    def _on_files(self) -> Iterator[Problem]:
        """Remark on what files give their policies, and on what owners keep from them."""
        documents = self._draft.documents
        for found in (inherited_remarks(documents, self._set), owned_remarks(documents, self._set)):
            yield from (self._warn(*remark) for remark in found)

    def _warn(self, document: Document, path: Path, sentence: str) -> Problem:
        return document.problem(path, sentence, Severity.WARNING)

    def _on_usual_names(self) -> Iterator[Problem]:
        """Remark on default names that the set doesn't define."""
        of_question = Question._field_defaults
        for key, field, what in (
            ("environments", "environment", "environment"),
            ("changes", "change", "kind of change"),
        ):
            usual = of_question[field]
            if usual not in getattr(self._set, key):
                document = next(self._draft.having(key))
                sentence = f"{quoted(usual)} is not among them: requests that name no {what} are refused"
                yield self._warn(document, (key,), sentence)

    def _on_usual_environment(self) -> Iterator[Problem]:
        """Remark on a branch that requests without an environment would be about."""
        usual = Question._field_defaults["environment"]
        if self._set.environment(usual).kind is EnvironmentKind.MERGE:
            document = next(self._draft.having("environments"))
            sentence = (
                "requests that name no environment mean this one: they are about merges, not deploys. "
                f"Give the branch another name, and list {quoted(usual)} with kind: deploy"
            )
            yield self._warn(document, ("environments", usual, "kind"), sentence)

    def _on_reach(self, document: Document, path: Path, policy: Policy) -> Iterator[Problem]:
        if self._reach.matches_nothing(policy):
            sentence = f"this policy can never match: {self._why_it_matches_nothing(policy)}"
            yield self._warn(document, (*path, "id"), sentence)
        elif self._set.services is None:
            for key, selectors in (("applies_to", policy.applies_to), ("exempt", policy.exempt)):
                for index, selector in enumerate(selectors or ()):
                    if selector.tags is not None:
                        where = selector_path(document, path, key, index)
                        yield self._warn(document, (*where, "tags"), f"matches nothing: {_NO_TAGS}")

    def _why_it_matches_nothing(self, policy: Policy) -> str:
        if not self._reach.matches_nothing(policy.model_copy(update={"exempt": None})):
            return "nothing that applies_to means is left by exempt"
        if self._set.services is None and all(each.tags is not None for each in policy.applies_to or ()):
            return _NO_TAGS
        return "no request has all that a selector of applies_to asks for"

    def _on_exceptions(self, document: Document, path: Path, policy: Policy) -> Iterator[Problem]:
        if policy.except_when and not self._is_ever_open(policy):
            bare = policy.model_copy(update={"except_when": []})
            if self._is_ever_open(bare):
                sentence = "takes away all of when, at least for the next two years"
                yield self._warn(document, (*path, "except_when"), sentence)

    def _on_running(self, document: Document, path: Path, policy: Policy) -> Iterator[Problem]:
        if policy.effect is Effect.WARN and "running" in policy.model_fields_set:
            sentence = "has no effect: a policy that warns stops no deploy; leave it out, or say effect: deny"
            yield self._warn(document, (*path, "running"), sentence)

    def _is_ever_open(self, policy: Policy) -> bool:
        """Return whether any window is open in the next two years, in any of the policy's zones."""
        windows = policy.model_copy(update={"effect": Effect.DENY})
        until, budget = min(self._now + LOOK_AHEAD, LATEST), BlockBudget()
        timelines = (PolicyTimeline(windows, zone, budget) for zone in self._set.zones_of(policy))
        return any(next(each.stretches(self._now, until), None) is not None for each in timelines)

    def _on_windows(self, document: Document, path: Path, policy: Policy) -> Iterator[Problem]:
        walls = [Wall.of(each, wide=True) for each in self._set.zones_of(policy)]
        for placed in placed_windows(policy):
            for sentence in self._on_window(placed.entry, walls):
                yield self._warn(document, (*path, *placed.path), sentence)

    def _on_window(self, entry: WindowEntry, walls: list[Wall]) -> Iterator[str]:
        yield from entry.window.remarks()
        over_by = _over_by(entry, walls)
        if all(entry.window.is_empty(wall) for wall in walls):
            yield "never open: the clocks are put forward past all of it"
        elif over_by is not None and over_by <= self._now:
            yield f"wholly in the past: it is over since {format_instant(over_by)}"

    def _on_shadows(self) -> Iterator[Problem]:
        shadows = Shadows(self._compiled, self._reach, self._now)
        for number, by in shadows.found():
            document, path = self._places[number]
            other_document, other_path = self._places[by]
            line = other_document.place((*other_path, "id")).best.line
            where = f"line {line}" + (f" of {other_document.name}" if other_document is not document else "")
            sentence = (
                f"shadowed: for the next two years, {quoted(self._set.policies[by].id)} ({where}) "
                "holds wherever and whenever this one does"
            )
            yield self._warn(document, (*path, "id"), sentence)

    def _on_droughts(self) -> Iterator[Problem]:
        for index, environment in enumerate(self._set.environments):
            if self._never_opens(environment, self._set.usual_change):
                document = next(self._draft.having("environments"), self._draft.documents[0])
                sentence = f"nothing opens in {quoted(environment)} for the next {_DROUGHT_DAYS} days"
                is_mapping = isinstance(document.data.get("environments"), dict)
                yield self._warn(document, ("environments", environment if is_mapping else index), sentence)

    def _never_opens(self, environment: str, change: str) -> bool:
        """Return whether every possible service stays closed for the next two weeks."""
        until = self._now + _DROUGHT_DAYS * DAY
        if until >= LATEST or not (self._reach.catalogue or self._reach.takes_unknown):
            return False
        if self._reach.takes_unknown and not self._is_closed(self._on_unknown(environment, change), until):
            return False
        return all(
            self._is_closed(self._on_service(service, environment, change), until)
            for service in self._reach.catalogue
        )

    def _on_unknown(self, environment: str, change: str) -> Iterator[PolicyTimeline]:
        """Yield the policies that hold for every service outside the catalogue."""
        for number, policy in enumerate(self._set.policies):
            if self._reach.matches_every_unknown(policy, environment, change):
                yield self._compiled.timeline(number, self._set.timezone)

    def _on_service(self, service: str, environment: str, change: str) -> Iterator[PolicyTimeline]:
        """Yield the policies that hold for a service of the catalogue."""
        for number in self._compiled.matching(service, environment, change):
            yield self._compiled.timeline(number, self._set.service_zone(service))

    def _is_closed(self, timelines: Iterable[PolicyTimeline], until: int) -> bool:
        """Return whether these policies together leave no instant open."""
        span, held = (self._now, until), []
        for timeline in timelines:
            if timeline.rule.effect is Effect.WARN:
                continue
            if timeline not in self._held:
                self._held[timeline] = timeline.intervals(span)
            held += self._held[timeline]
        return normalise(held) == [span]


def _over_by(entry: WindowEntry, walls: Iterable[Wall]) -> int | None:
    """Return the instant after which a window never opens again in any of its zones, if there is one."""
    ends = [entry.window.over_by(wall) for wall in walls]
    return max((end for end in ends if end is not None), default=None) if None not in ends else None


def _doubled(data: Any) -> Iterator[Path]:
    """Yield the paths of all entries of lists that are equal to an earlier entry."""
    stack: list[tuple[Path, Any]] = [((), data)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            stack.extend(((*path, key), inner) for key, inner in value.items())
        elif isinstance(value, list):
            seen: set[str] = set()
            for index, inner in enumerate(value):
                written = json.dumps(inner, sort_keys=True)
                if written in seen:
                    yield (*path, index)
                else:
                    stack.append(((*path, index), inner))
                seen.add(written)
