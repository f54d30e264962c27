"""The tests of an imported file, from two readings: our engine's, and the source's own rules.

Each test stands at an edge of a window: the second before it opens, its first and its last second, and the
second after. A policy on which both readings differ isn't written.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from app.core.decision import Decision, Outcome, Question
from app.core.engine import Engine
from app.core.instant import DAY, LATEST, format_instant
from app.core.interval import Interval
from app.core.policy import Effect, PolicySet
from app.core.timeline import BlockBudget, PolicyTimeline
from app.core.wallclock import zone
from app.policies.importers.assemble import Assembled, Entry
from app.policies.importers.imported import Imported, ImportOptions

MOST_TESTS: Final = 20_000
"""The tests that a policy set may have."""

_SPANS: Final = (40 * DAY, 800 * DAY, 9 * 366 * DAY)
"""How far ahead the first window is looked for: most open every week or year, 29 February within eight."""


class _Edge(NamedTuple):
    at: int
    name: str


class Proven(NamedTuple):
    """The entries that both readings agree on, and their tests."""

    entries: Sequence[Entry]
    tests: Sequence[dict[str, Any]]


def prove(assembled: Assembled, imported: Imported, options: ImportOptions) -> Proven:
    """Return what may be written; entries that the readings differ on are added to `imported.refused`."""
    agreed: list[tuple[Entry, list[_Edge], Question]] = []
    budget = BlockBudget()
    for entry in assembled.entries:
        timeline = PolicyTimeline(entry.policy, zone(entry.source.timezone), budget)
        edges, fault = _edges(timeline, options.now), None
        question = _question(entry, assembled, options)
        if question is None:
            fault = "its selectors leave no request over"
        else:
            fault = next(_disagreements(entry, timeline, edges), None)
        if question is not None and fault is None:
            agreed.append((entry, edges, question))
        for origin in entry.source.origins if fault else ():
            imported.refuse(origin, fault or "")
    entries = [entry for entry, _, _ in agreed]
    return Proven(entries, list(_tests(agreed, assembled)))


def _tests(
    agreed: Sequence[tuple[Entry, list[_Edge], Question]], assembled: Assembled
) -> Iterator[dict[str, Any]]:
    policies = [entry.policy for entry, _, _ in agreed]
    head = {"version": 1, "timezone": assembled.timezone, "environments": list(assembled.environments)}
    engine = Engine(PolicySet.model_validate({**head, "policies": policies}))
    most = MOST_TESTS // max(len(agreed), 1)
    for entry, edges, question in agreed:
        for edge in edges[:most]:
            yield _test(entry, edge, question, engine.decide(question, edge.at))


def _test(entry: Entry, edge: _Edge, question: Question, decision: Decision) -> dict[str, Any]:
    local = datetime.fromtimestamp(edge.at, zone(entry.source.timezone).info).isoformat()
    test: dict[str, Any] = {
        "at": local,
        "service": question.service,
        "name": f"{entry.policy.id}: {edge.name}",
    }
    if question.environment != "production":
        test["environment"] = question.environment
    if question.change != "normal":
        test["change"] = question.change
    test["expect"] = decision.outcome.value
    if decision.outcome is not Outcome.ALLOW:
        told = decision.warnings if decision.outcome is Outcome.WARN else decision.blocking
        test["by"] = sorted({each.rule.id for each in told})
    return test


def _question(entry: Entry, assembled: Assembled, options: ImportOptions) -> Question | None:
    """Return a request that the policy covers; None if there is none."""
    for selector in entry.source.applies_to or [{}]:
        services = [*selector.get("services", ()), *options.services, "any-service"]
        environments = [*selector.get("environments", ()), *assembled.environments]
        changes = [*selector.get("changes", ()), "normal"]
        for service in (each.replace("*", star) for each in services for star in ("x", "", "x1")):
            if service and entry.policy.matches(service, frozenset(), environments[0], changes[0]):
                return Question(service, environments[0], changes[0], 0)
    return None


def _edges(timeline: PolicyTimeline, now: int) -> list[_Edge]:
    """Return the edges of the first stretch after an instant in which the policy vetoes or warns.

    Where there is none in sight, the instant itself stands for all.
    """
    for length in _SPANS:
        last = min(now + length, LATEST)
        for start, end in timeline.intervals((now, last)):
            if start > now and end < last:
                return _around((start, end))
    return [_Edge(now, "at the time of the import")]


def _around(interval: Interval) -> list[_Edge]:
    start, end = interval
    edges = [
        _Edge(start - 1, "before it begins"),
        _Edge(start, "at its start"),
        _Edge(end - 1, "before its end"),
        _Edge(end, "at its end"),
    ]
    return edges if end - 1 > start else [edges[0], edges[1], edges[3]]


def _disagreements(entry: Entry, timeline: PolicyTimeline, edges: Sequence[_Edge]) -> Iterator[str]:
    """Yield a sentence for each edge at which the source's rules give another answer."""
    source, opens = entry.source, entry.source.effect is Effect.ALLOW_ONLY
    for edge in edges:
        ours = bool(timeline.intervals((edge.at, edge.at + 1)))
        theirs = source.is_open(edge.at) is not opens
        if ours is not theirs and not (ours and source.wider):
            yield (
                f"freezegate and the source would differ at {format_instant(edge.at)}; "
                "please report this as a bug of freezegate"
            )
