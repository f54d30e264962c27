"""``icalendar: {file: releases.ics}``: the busy events of an RFC 5545 calendar.

The file itself is read by whoever reads the policies: its text comes through pydantic's validation
context, as ``{"read": name -> text}``.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from app.core.errors import MalformedValueError
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.wallclock import Wall, local_day, zone, zone_names
from app.core.windows.window import Window

_MAX_TEXT: Final = 1_048_576
_MAX_EVENTS: Final = 10_000
_CHUNK: Final = 128
"""Days that are expanded at once and remembered."""

_WRITTEN: Final = "X-FREEZEGATE-DURATION"
"""Carries a DURATION through the expansion as it was written: that of a day and that of 24 hours differ
where the clocks are changed, and the library takes one for the other."""

_DURATION_LINE: Final = re.compile(r"^DURATION(?:;[^:\r\n]*)?:([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
_DURATION: Final = re.compile(r"\+?P(?:(\d+)W|(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)", re.ASCII)

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the zero of local time, which has no zone


class _Moment(NamedTuple):
    """A bound of an event: a local time of a zone, of the policy's zone (""), or of UTC (None)."""

    zone: str | None
    seconds: int
    after: int = 0
    """Elapsed seconds after that: hours of a DURATION are exact, its days are those of the calendar."""


class _Event(NamedTuple):
    start: _Moment
    end: _Moment


class ICalendar(Window):
    """The busy events of a calendar file; cancelled and transparent ones do not count."""

    file: str = Field(min_length=1, max_length=255, description="the calendar, beside the policy file")
    summary: str | None = Field(
        None, min_length=1, max_length=255, description="only events of such a summary; * is anything"
    )
    _text: str = PrivateAttr("")

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        read = (info.context or {}).get("read")
        if read is None:
            raise MalformedValueError("a calendar file can only be read together with its policy file")
        try:
            self._text = read(self.file)
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise MalformedValueError(f"the calendar can't be read: {error}") from None
        _check(self._text)
        return self

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """One interval for each occurrence of a busy event."""
        first, last = wall.day(span[0]) - 2, wall.day(span[1]) + 2
        events: set[_Event] = set()
        for number in range(first // _CHUNK, last // _CHUNK + 1):
            events.update(_occurrences(self._text, self.summary, number))
        return [
            (
                _clock(event.start, wall).start(event.start.seconds),
                _clock(event.end, wall).end(event.end.seconds) + event.end.after,
            )
            for event in events
        ]

    def words(self) -> str:
        """``during the busy events of releases.ics``."""
        named = f' called "{self.summary}"' if self.summary else ""
        return f"during the busy events{named} of {self.file}"

    def over_by(self, wall: Wall) -> int | None:
        """The end of the last event, where none recurs."""
        events = list(_busy(self._text, self.summary))
        if any("RRULE" in event or "RDATE" in event for event in events):
            return None
        bounds = [_moments(event)[1] for event in events]
        return max((_clock(end, wall).end(end.seconds) + end.after for end in bounds), default=None)


class _UtcWall:
    """UTC as a wall clock: no local time of it is skipped or occurs twice."""

    @staticmethod
    def start(seconds: int) -> int:
        return seconds

    end = start


def _clock(moment: _Moment, wall: Wall) -> "Wall | type[_UtcWall]":
    """The wall clock that a bound is told by."""
    if moment.zone is None:
        return _UtcWall
    return wall.elsewhere(zone(moment.zone)) if moment.zone else wall


def _check(text: str) -> None:
    """Refuse a calendar that can't be answered from exactly.

    Raises:
        MalformedValueError: it is no calendar, too large, recurs too often, or names an unknown zone.
    """
    if len(text) > _MAX_TEXT:
        raise MalformedValueError("the calendar is larger than 1 MiB")
    events = _events(text)
    if len(events) > _MAX_EVENTS:
        raise MalformedValueError(f"the calendar has more than {_MAX_EVENTS} events")
    for event in events:
        _check_event(event)
    try:
        next(iter(_occurrences(text, None, 20_000 // _CHUNK)), None)
    except Exception as error:  # noqa: BLE001 - whatever the libraries make of a malformed rule
        raise MalformedValueError(f"the calendar can't be expanded: {error}") from None


def _check_event(event: Any) -> None:
    name = f'the event "{event.get("SUMMARY", event.get("UID", "without a name"))}"'
    if "DTSTART" not in event:
        raise MalformedValueError(f"{name} has no DTSTART")
    for key in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        value = event.get(key)
        if isinstance(value, list):
            raise MalformedValueError(f"{name} has more than one {key}")
        if value is not None and "TZID" in value.params and getattr(value.dt, "tzinfo", True) is None:
            raise MalformedValueError(f"{name} is in a time zone that nobody knows: {value.params['TZID']}")
    for key in ("RDATE", "EXDATE"):
        for value in _listed(event.get(key)):
            if "TZID" in value.params and any(_is_floating(each.dt) for each in value.dts):
                raise MalformedValueError(
                    f"{name} has an {key} in a time zone that nobody knows: {value.params['TZID']}"
                )
    if _WRITTEN in event:
        _after(_Moment("", 0), str(event[_WRITTEN]))
    rules = event.get("RRULE", [])
    for rule in _listed(rules):
        _check_rule(name, rule)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _is_floating(value: Any) -> bool:
    """Whether a date-time, or the start of a period, has no zone."""
    first = value[0] if isinstance(value, tuple) else value
    return isinstance(first, datetime) and first.tzinfo is None


def _check_rule(name: str, rule: Any) -> None:
    if "FREQ" not in rule:
        raise MalformedValueError(f"{name} has a recurrence without FREQ")
    if any(interval < 1 for interval in rule.get("INTERVAL", ())):
        raise MalformedValueError(f"{name} has a recurrence whose INTERVAL is not positive")
    minutes, seconds = len(rule.get("BYMINUTE", "0")), len(rule.get("BYSECOND", "0"))
    if rule["FREQ"][0] in ("SECONDLY", "MINUTELY") or minutes * seconds > 1:
        raise MalformedValueError(f"{name} recurs more often than once an hour")


@lru_cache(maxsize=64)
def _parse(text: str) -> Any:
    from icalendar import Calendar

    unfolded = re.sub(r"\r?\n[ \t]", "", text)
    marked = _DURATION_LINE.sub(rf"\g<0>\r\n{_WRITTEN}:\1", unfolded)
    try:
        calendars = Calendar.from_ical(marked, multiple=True)
    except Exception as error:  # noqa: BLE001 - the library lets through whatever its parts raise
        raise MalformedValueError(f"not an iCalendar file: {error}") from None
    if len(calendars) != 1 or calendars[0].name != "VCALENDAR":
        raise MalformedValueError("not an iCalendar file: it holds exactly one VCALENDAR")
    return calendars[0]


def _events(text: str) -> list[Any]:
    return list(_parse(text).walk("VEVENT"))


def _busy(text: str, summary: str | None) -> Iterator[Any]:
    return (event for event in _events(text) if _counts(event, summary))


def _counts(event: Any, summary: str | None) -> bool:
    """Whether an event keeps somebody busy (RFC 5545, 3.8.1.11 and 3.8.2.7) and has the summary."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return False
    if str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
        return False
    return summary is None or _glob(summary).fullmatch(str(event.get("SUMMARY", ""))) is not None


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=2048)
def _occurrences(text: str, summary: str | None, number: int) -> frozenset[_Event]:
    """The occurrences of busy events that touch one chunk of days, with a day to spare on each side."""
    import recurring_ical_events

    first = _EPOCH + timedelta(days=number * _CHUNK - 1)
    last = first + timedelta(days=_CHUNK + 2)
    found = recurring_ical_events.of(_parse(text)).between(first, last)
    return frozenset(_Event(*_moments(event)) for event in found if _counts(event, summary))


def _moments(event: Any) -> tuple[_Moment, _Moment]:
    """Start and end of an event; without either end or duration a day lasts a day, a time no time."""
    start = event["DTSTART"].dt
    if _WRITTEN in event:
        return _moment(start), _after(_moment(start), str(event[_WRITTEN]))
    if "DTEND" in event:
        end = event["DTEND"].dt
    else:
        end = start if isinstance(start, datetime) else start + timedelta(days=1)
    return _moment(start), _moment(end)


def _after(start: _Moment, duration: str) -> _Moment:
    """The end of an event of a DURATION (RFC 5545, 3.3.6)."""
    match = _DURATION.fullmatch(duration.strip())
    if match is None:
        raise MalformedValueError(f"not a duration: {duration}")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    exact = hours * 3_600 + minutes * 60 + seconds
    return _Moment(start.zone, start.seconds + (7 * weeks + days) * DAY, exact)


def _moment(value: date | datetime) -> _Moment:
    if not isinstance(value, datetime):
        return _Moment("", local_day(value) * DAY)
    local = int((value.replace(tzinfo=None) - _EPOCH).total_seconds())
    if value.tzinfo is None:
        return _Moment("", local)
    name = getattr(value.tzinfo, "key", "")
    if name in zone_names() and name not in ("UTC", "Etc/UTC"):
        return _Moment(name, local)
    return _Moment(None, int(value.astimezone(UTC).timestamp()))
