"""Remarks on events of a calendar that don't freeze what they seem to."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import filterfalse
from typing import Final

from app.core import calendar_url
from app.core.instant import DAY, LATEST, LOOK_AHEAD
from app.core.wallclock import Wall, Zone, calendar_date
from app.core.windows.icalendar import CalendarEvent, ICalendar
from app.policies.lint.cron import Remark
from app.policies.lint.zones import on_fixed_offset
from app.yaml.problem import quoted

_FEW: Final = 3
_QUARTER: Final = 92 * DAY


def calendar_remarks(
    window: ICalendar, zones: Sequence[Zone], now: int, *, freezes: bool
) -> Iterator[Remark]:
    """Yield remarks on the events of a calendar; `freezes` if deploys are refused during them."""
    yield from _on_url(window, freezes=freezes)
    if not window.was_loaded:
        return
    walls = [Wall.of(zone, wide=freezes) for zone in zones]
    coming = [event for event in window.matching() if _is_coming(window, event, walls, now)]
    counted = list(filter(partial(_counts, window), coming))
    yield from _on_free(list(filterfalse(partial(_counts, window), coming)))
    yield from _on_faults(counted)
    yield from _on_summary(window)
    if not freezes or not window.is_default_open:
        yield from _on_recurrence(window, coming, walls, now)
    if not freezes:
        yield from _on_closing_events(window)
    yield from _on_zones(counted, zones)


def _on_url(window: ICalendar, *, freezes: bool) -> Iterator[Remark]:
    if window.url is None:
        return
    if window.url.startswith("http:"):
        sentence = (
            "this address is not encrypted, so anyone on the way can change the calendar; the gate fetches "
            "it only with FREEZEGATE_CALENDAR_HTTP=allow. Write https://"
        )
        yield ("url",), sentence
    if calendar_url.is_masked(window.url) and not window.was_loaded:
        sentence = (
            "this is the masked address that the dashboard and the record show; nothing can be fetched from "
            "it, so no event of this calendar counts. Write the address itself"
        )
        yield ("url",), sentence
    if freezes and "required" not in window.model_fields_set:
        sentence = (
            f"until the gate has loaded the calendar {window.name} for the first time, it freezes nothing; "
            "write required: true to freeze at all times until then, or required: false"
        )
        yield (), sentence


def _on_summary(window: ICalendar) -> Iterator[Remark]:
    if names := window.near_names():
        left_out = ", ".join(map(quoted, names[:_FEW]))
        sentence = f"no * is in it, so it leaves out {left_out}; write {quoted(f'*{window.summary}*')}"
        yield ("summary",), f"{sentence} if they are meant"


def _on_closing_events(window: ICalendar) -> Iterator[Remark]:
    if window.is_default_open:
        sentence = (
            "this calendar says when it is closed (X-CALENDAR-TYPE:DEFAULT_OPEN), and its events open here; "
            "write it under when of a policy with effect: deny, if that is meant as well there"
        )
        yield (), sentence


def _counts(window: ICalendar, event: CalendarEvent) -> bool:
    """Return whether an event counts: one that is marked free does so only if the window says it."""
    return window.free == "count" or not event.is_free


def _on_free(free: Sequence[CalendarEvent]) -> Iterator[Remark]:
    if free:
        sentence = (
            f"{_events(free)} marked free and {_do(free)} not count: {_named(free)}; calendars make whole "
            "days free by default, so write free: count if they are meant"
        )
        yield (), sentence


def _is_coming(window: ICalendar, event: CalendarEvent, walls: Sequence[Wall], now: int) -> bool:
    """Return whether an event may have future occurrences."""
    if event.fault is not None:
        return any(window.start_of(event, wall) >= now for wall in walls)
    return any(end is None or end > now for end in (window.end_of(event, wall) for wall in walls))


def _on_faults(events: Sequence[CalendarEvent]) -> Iterator[Remark]:
    told: set[str] = set()
    for event in events:
        if event.fault is not None and event.fault not in told:
            told.add(event.fault)
            same = [each for each in events if each.fault == event.fault]
            more = f", and {len(same) - 1} more like it" if len(same) > 1 else ""
            yield (), f"the event {_named([event])} is never open{more}: it {event.fault}"


def _on_recurrence(
    window: ICalendar, events: Sequence[CalendarEvent], walls: Sequence[Wall], now: int
) -> Iterator[Remark]:
    """Yield a calendar whose events all may recur, but do not."""
    if not any(event.last_end is None for event in events):
        return
    if not _comes_within(window, walls, now, min(now + LOOK_AHEAD, LATEST)):
        yield (
            (),
            "no event of it comes within two years; if its series are over, take it out or write new ones",
        )


def _comes_within(window: ICalendar, walls: Sequence[Wall], now: int, until: int) -> bool:
    """Return whether there is any occurrence; search by quarters, for most have one in the first."""
    spans = [(at, min(at + _QUARTER, until)) for at in range(now, until, _QUARTER)]
    return any(
        end > start and end > now
        for span in spans
        for wall in walls
        for start, end in window.intervals(span, wall)
    )


def _on_zones(events: Sequence[CalendarEvent], zones: Sequence[Zone]) -> Iterator[Remark]:
    """Remark on events in another zone than the policy's, and on zones that are offsets."""
    elsewhere = _days_elsewhere(events, zones)
    if (found := next(elsewhere, None)) is not None:
        yield (), _on_day_of_another_zone(*found)
    for name, event in _first_of_each_zone(events).items():
        if fixed := on_fixed_offset(name):
            yield (), f"the event {_named([event])} is in the zone {quoted(name)}, which {fixed}"


def _days_elsewhere(
    events: Sequence[CalendarEvent], zones: Sequence[Zone]
) -> Iterator[tuple[CalendarEvent, Zone]]:
    days = (event for event in events if event.lasts_for_days)
    return ((event, zone) for event in days for zone in zones if _differs(event, zone))


def _first_of_each_zone(events: Sequence[CalendarEvent]) -> dict[str, CalendarEvent]:
    firsts: dict[str, CalendarEvent] = {}
    for event in events:
        if isinstance(event.start.zone, Zone):
            firsts.setdefault(event.start.zone.name, event)
    return firsts


def _on_day_of_another_zone(event: CalendarEvent, home: Zone) -> str:
    own = event.start.zone
    its, name = (quoted(own.name), own.name) if isinstance(own, Zone) else ("its calendar's zone", "…")
    return (
        f"the event {_named([event])} is a day of {its}, as its calendar says, and not of "
        f"{quoted(home.name)}; write timezone: {name} for this policy if that is meant, or take "
        "X-WR-TIMEZONE out of the calendar"
    )


def _differs(event: CalendarEvent, home: Zone) -> bool:
    own = event.start.zone
    return own is not None and own.earliest(event.start.seconds) != home.earliest(event.start.seconds)


def _events(events: Sequence[CalendarEvent]) -> str:
    return "one event is" if len(events) == 1 else f"{len(events)} events are"


def _do(events: Sequence[CalendarEvent]) -> str:
    return "does" if len(events) == 1 else "do"


def _named(events: Sequence[CalendarEvent]) -> str:
    listed = [
        f"{quoted(event.name)} on {calendar_date(event.start.seconds // 86_400)}" for event in events[:_FEW]
    ]
    return ", ".join(listed) + (", …" if len(events) > _FEW else "")
