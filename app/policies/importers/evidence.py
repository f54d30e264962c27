"""The tests of an imported file, from two readings: our engine's, and the source's own rules.

Each test stands at an edge of a window: the second before it opens, its first and its last second, and the
second after. A policy on which both readings differ isn't written.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, islice
from typing import Any, Final, NamedTuple

from app.core.decision import Question
from app.core.engine import Engine
from app.core.instant import DAY, LATEST, format_instant
from app.core.interval import Interval
from app.core.policy import Effect, PolicySet
from app.core.scope import ScopeTimeline
from app.core.timeline import BLOCK_BITS, PolicyTimeline
from app.core.wallclock import zone
from app.policies.importers.assemble import Assembled, Entry
from app.policies.importers.imported import Imported, ImportOptions

MOST_TESTS: Final = 20_000
"""The tests that a policy set may have."""

_MOST_NAMED: Final = 20
"""Policies that a test names: where hundreds apply to everything, the file would be megabytes of ids."""

_SPANS: Final = (40 * DAY, 800 * DAY, 9 * 366 * DAY)
"""How far ahead the first window is looked for: most open every week or year, 29 February within eight."""


class _Edge(NamedTuple):
    at: int
    name: str
    is_active: bool
    """Whether the policy vetoes or warns, by our own reading."""


class Proven(NamedTuple):
    """The entries that both readings agree on, and their tests."""

    entries: Sequence[Entry]
    tests: Sequence[dict[str, Any]]


def prove(assembled: Assembled, imported: Imported, options: ImportOptions) -> Proven:
    """Return what may be written; entries that the readings differ on are added to `imported.refused`."""
    agreed: list[tuple[Entry, list[_Edge], Question]] = []
    engine = _engine(assembled, assembled.entries)
    for number, entry in enumerate(assembled.entries):
        edges = _edges(engine.compiled.timeline(number, assembled.timezone), options.now)
        question = _question(entry, assembled, options)
        if question is None:
            _refuse(entry, imported, "its selectors leave no request over")
        elif fault := next(_disagreements(entry, edges), None):
            _refuse(entry, imported, fault)
        else:
            agreed.append((entry, edges, question))
    entries = [entry for entry, _, _ in agreed]
    if len(entries) < len(assembled.entries):
        engine = _engine(assembled, entries)
    return Proven(entries, list(_tests(agreed, engine)))


def _engine(assembled: Assembled, entries: Sequence[Entry]) -> Engine:
    """Return an engine of some entries; what the edges compile in it, the tests find compiled."""
    head = {"version": 1, "timezone": assembled.timezone, "environments": list(assembled.environments)}
    return Engine(PolicySet.model_validate({**head, "policies": [entry.policy for entry in entries]}))


def _refuse(entry: Entry, imported: Imported, sentence: str) -> None:
    for origin in entry.source.origins:
        imported.refuse(origin, sentence)


def _tests(agreed: Sequence[tuple[Entry, list[_Edge], Question]], engine: Engine) -> Iterator[dict[str, Any]]:
    most = MOST_TESTS // max(len(agreed), 1)
    asked: dict[Question, set[int]] = {}
    for _, edges, question in agreed:
        asked.setdefault(question, set()).update(edge.at for edge in edges[:most])
    vetoes = {
        question: _vetoes(engine.scope(question.service, question.environment, question.change), at)
        for question, at in asked.items()
    }
    for entry, edges, question in agreed:
        for edge in edges[:most]:
            yield _test(entry, edge, question, vetoes[question][edge.at])


def _vetoes(scope: ScopeTimeline, instants: Iterable[int]) -> dict[int, list[str]]:
    """Return the ids of the policies that veto at each of some instants, up to one more than are named.

    A decision would also search for its next flip, which takes ten times as long.
    """
    found: dict[int, list[str]] = {}
    for block, group in groupby(sorted(instants), key=lambda at: at >> BLOCK_BITS):
        toggles = sorted((edge, line.rule.id) for line in scope.vetoers for edge in line.edges(block))
        active: set[str] = set()
        index = 0
        for at in group:
            while index < len(toggles) and toggles[index][0] <= at:
                active ^= {toggles[index][1]}
                index += 1
            found[at] = sorted(islice(active, _MOST_NAMED + 1))
    return found


def _test(entry: Entry, edge: _Edge, question: Question, vetoing: Sequence[str]) -> dict[str, Any]:
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
    test["expect"] = "deny" if vetoing else "allow"
    if 0 < len(vetoing) <= _MOST_NAMED:
        test["by"] = list(vetoing)
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
    is_active = bool(timeline.intervals((now, now + 1)))
    return [_Edge(now, "at the time of the import", is_active)]


def _around(interval: Interval) -> list[_Edge]:
    start, end = interval
    edges = [
        _Edge(start - 1, "before it begins", is_active=False),
        _Edge(start, "at its start", is_active=True),
        _Edge(end - 1, "before its end", is_active=True),
        _Edge(end, "at its end", is_active=False),
    ]
    return edges if end - 1 > start else [edges[0], edges[1], edges[3]]


def _disagreements(entry: Entry, edges: Sequence[_Edge]) -> Iterator[str]:
    """Yield a sentence for each edge at which the source's rules give another answer."""
    source, opens = entry.source, entry.source.effect is Effect.ALLOW_ONLY
    for edge in edges:
        theirs = source.is_open(edge.at) is not opens
        if edge.is_active is not theirs and not (edge.is_active and source.wider):
            yield (
                f"freezegate and the source would differ at {format_instant(edge.at)}; "
                "please report this as a bug of freezegate"
            )
