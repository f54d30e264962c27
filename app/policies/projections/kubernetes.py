"""The projection to Kubernetes: a ConfigMap that policy engines in the cluster read.

It holds the state of now, for engines without a clock, and the frozen time of the coming days, for those that
have one. Each kind of change has its own, because policies exempt kinds. A line of frozen time is::

    FROM UNTIL IDS SENTENCE

with seconds since the epoch, the ids of the rules separated by commas, and what a blocked deploy is told. The
times in it are absolute, so that nothing changes before the state does.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from app.core.decision import Rule
from app.core.decision_text import one_line
from app.core.engine import Engine
from app.core.errors import MalformedValueError
from app.core.explain import local_time, titles
from app.core.instant import DAY, HOUR, format_instant
from app.core.scope import ScopeTimeline, Segment
from app.core.wallclock import Zone
from app.policies.exporters.export import Remark
from app.policies.projections.projection import (
    Projected,
    ProjectionOptions,
    ProjectionScope,
    ProjectionTarget,
    Window,
)
from app.policies.projections.single_services import on_services

FORMAT: Final = "1"
"""The form of the data. An engine that reads another one denies."""

MOST_LINES: Final = 1_000
"""Lines of a kind of change: some ten a day. Engines read them all at each deploy."""

MOST_BYTES: Final = 800 * 1024
"""Bytes of all lines together; an object of Kubernetes has at most 1 MiB, with its other fields."""

_KEPT_AFTER: Final = HOUR
"""Seconds that frozen time is kept after its end, for engines whose clock is slow."""

_MOST_IDS: Final = 10
_LONGEST_SENTENCE: Final = 400
_KEY: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")
_NOT_IN_NAME: Final = re.compile(r"[^a-z0-9.-]+")
_SOON: Final = 2 * DAY
"""A ConfigMap that ends within these seconds would deny everything after an outage of a week-end."""


class _Lines(NamedTuple):
    """The frozen time of a kind of change, as far as there is room for it."""

    lines: Sequence[tuple[int, int, str]]
    until: int
    """The end of what they say: the end of the horizon, or the first frozen time that is left out."""

    def text(self, until: int) -> str:
        """Return the lines that begin before an instant, cut to it."""
        return "\n".join(
            f"{start} {min(end, until)} {text}" for start, end, text in self.lines if start < until
        )


def project(engine: Engine, options: ProjectionOptions) -> Projected:
    """Return a ConfigMap for each scope.

    Raises:
        UnknownNameError: the policies list no such environment or service.
    """
    found = [_config_map(engine, options, scope) for scope in options.scopes]
    return Projected(
        list(chain.from_iterable(each.windows for each in found)),
        list(dict.fromkeys(chain.from_iterable(each.remarks for each in found))),
        _earliest(each.until for each in found),
        _earliest(each.changes_at for each in found),
    )


def _earliest(instants: Iterable[int | None]) -> int | None:
    return min((each for each in instants if each is not None), default=None)


def body(projected: Projected) -> Any:
    """Return what the API of Kubernetes takes: a ConfigMap, or a list of several."""
    items = [manifest(window) for window in projected.windows]
    return items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items}


def manifest(window: Window) -> Mapping[str, Any]:
    """Return a ConfigMap as the API of Kubernetes takes it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": window["name"], "labels": {"app.kubernetes.io/managed-by": "freezegate"}},
        "data": dict(window["data"]),
    }


def live(resource: Any, _owner: str) -> Sequence[Window]:
    """Return what the ConfigMaps of an answer of the API say.

    Raises:
        MalformedValueError: it is no ConfigMap, nor a list of them.
    """
    items = resource.get("items", [resource]) if isinstance(resource, Mapping) else None
    if not isinstance(items, list) or not all(map(_is_config_map, items)):
        raise MalformedValueError("there is no ConfigMap in it: an object with `kind: ConfigMap`")
    return [{"name": each["metadata"].get("name"), "data": each.get("data") or {}} for each in items]


def _is_config_map(item: Any) -> bool:
    return (
        isinstance(item, Mapping)
        and item.get("kind") == "ConfigMap"
        and isinstance(item.get("metadata"), Mapping)
    )


def name_of(scope: ProjectionScope) -> str:
    """Return the name of the ConfigMap of a scope: its own, or one made of environment and service."""
    given = scope.names.get("config_maps")
    if given:
        return given[0]
    parts = (scope.environment, *filter(None, (scope.service,)))
    return _NOT_IN_NAME.sub("-", "-".join(("freezegate", *parts))).strip("-.")


def _config_map(engine: Engine, options: ProjectionOptions, scope: ProjectionScope) -> Projected:
    changes = [each for each in engine.policy_set.changes if _KEY.fullmatch(each)]
    timelines = {change: _timeline(engine, scope, change) for change in changes}
    present = {change: timeline.segment(options.now) for change, timeline in timelines.items()}
    told = _Place(scope, engine.policy_set.home, options.start)
    found = {change: _lines(each, options, told, len(changes)) for change, each in timelines.items()}
    until = _earliest(map(attrgetter("until"), found.values())) or options.start
    data = _heading(engine, options, scope, until)
    for change, segment in present.items():
        data |= told.of_change(change, segment, found[change].text(until))
    services = on_services(engine, options, scope, lambda rule: _stopped(rule, engine, scope))
    remarks = [*services, *_on_changes(engine, changes), *_on_room(until, options)]
    changes_at = _earliest(map(attrgetter("end"), present.values()))
    return Projected([{"name": name_of(scope), "data": data}], remarks, until, changes_at)


def _stopped(rule: Rule, engine: Engine, scope: ProjectionScope) -> Sequence[str]:
    """Return the kinds of change that the ConfigMap of an environment stops while a rule holds."""
    return [
        each
        for each in engine.policy_set.changes
        if not _KEY.fullmatch(each) or rule.matches("", frozenset(), scope.environment, each)
    ]


def _heading(
    engine: Engine, options: ProjectionOptions, scope: ProjectionScope, until: int
) -> dict[str, str]:
    return {
        "format": FORMAT,
        "environment": scope.environment,
        **({"service": scope.service} if scope.service else {}),
        "generated_at": format_instant(options.now - options.now % DAY),
        "valid_until": format_instant(until),
        "valid_until_seconds": str(until),
        "usual_change": engine.policy_set.usual_change,
    }


def _timeline(engine: Engine, scope: ProjectionScope, change: str) -> ScopeTimeline:
    if scope.service is None:
        return engine.environment(scope.environment, change)
    return engine.scope(scope.service, scope.environment, change)


def _lines(timeline: ScopeTimeline, options: ProjectionOptions, told: "_Place", parts: int) -> _Lines:
    """Return the frozen time of the horizon; the bytes are shared between the kinds of change."""
    kept: list[tuple[int, int, str]] = []
    room = MOST_BYTES // parts
    for segment in timeline.segments(options.start, options.until):
        if not segment.blocking or segment.end <= options.now - _KEPT_AFTER:
            continue
        text = f"{_ids(segment)} {told.sentence(segment)}"
        room -= len(text.encode()) + 2 * len(str(segment.end)) + 3
        if room < 0 or len(kept) == MOST_LINES:
            return _Lines(kept, segment.start)
        kept.append((segment.start, segment.end, text))
    return _Lines(kept, options.until)


def _ids(segment: Segment) -> str:
    ids = [stretch.rule.id for stretch in segment.blocking]
    return ",".join(ids[:_MOST_IDS])


class _Place(NamedTuple):
    """A scope in words."""

    scope: ProjectionScope
    home: Zone
    seen_from: int
    """The instant whose year isn't named."""

    def of_change(self, change: str, segment: Segment, horizon: str) -> dict[str, str]:
        """Return the keys of a kind of change."""
        return {
            f"state.{change}": "frozen" if segment.blocking else "open",
            f"message.{change}": self.sentence(segment),
            f"horizon.{change}": horizon,
        }

    def sentence(self, segment: Segment) -> str:
        """Return whether the scope is open or frozen, why, whom to ask, and when that changes."""
        scope = self.scope
        place = f"{scope.service} in {scope.environment}" if scope.service else scope.environment
        if segment.blocking:
            return self._frozen(place, segment)
        return f"{place} is open.{self._when('Closes', segment, self.home)}"

    def _frozen(self, place: str, segment: Segment) -> str:
        contacts = dict.fromkeys(filter(None, (each.rule.contact for each in segment.blocking)))
        why = one_line(f"{place} is frozen: {titles(segment.blocking)}")[:_LONGEST_SENTENCE]
        ask = one_line(f" Ask {', '.join(contacts)}."[:_LONGEST_SENTENCE]) if contacts else ""
        when = self._when("Opens", segment, segment.blocking[0].zone)
        return f"{why}.{when or ' It does not open within two years.'}{ask}"

    def _when(self, verb: str, segment: Segment, where: Zone) -> str:
        if segment.flips_at is None:
            return ""
        return f" {verb} {local_time(segment.flips_at, where, self.seen_from)}."


def _on_changes(engine: Engine, kept: Sequence[str]) -> Iterator[Remark]:
    for change in engine.policy_set.changes:
        if change not in kept:
            yield Remark(change, "a key of a ConfigMap has no such name: deploys of this kind are denied")


def _on_room(until: int, options: ProjectionOptions) -> Iterator[Remark]:
    if until < options.until:
        sentence = f"there is room until {format_instant(until)} only; after that, everything is denied"
        yield Remark("", sentence, refused=until < options.now + _SOON)


KUBERNETES: Final = ProjectionTarget("Kubernetes", project, body, live)
