"""``icalendar: {file: releases.ics}``, or ``{url: …}``: the busy events of an RFC 5545 calendar.

The loader of the policies reads the file, and the gate fetches the URL. Their texts come through pydantic's
validation context, as ``{"read": name -> text, "fetched": url -> text or None}``.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from threading import Lock
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, PrivateAttr, StringConstraints, ValidationInfo, model_validator

from app.core import calendar_url
from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import LINE_PATTERN
from app.core.vcalendar import (
    BOUNDS,
    PER_DAY,
    EventTime,
    Occurrence,
    local_seconds,
    local_time,
    read_calendar,
)
from app.core.wallclock import Wall
from app.core.window import Window

_EXPANDING: Final = Lock()
"""The library doesn't promise that a query is thread-safe."""

_CHUNK: Final = 128
"""Days that are expanded and cached together."""

_YEAR: Final = 366 * DAY


Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=LINE_PATTERN, strip_whitespace=True),
    Field(title="line of text"),
]

Summary = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=LINE_PATTERN, strip_whitespace=True),
    Field(title="summary pattern"),
]


class _Meant(NamedTuple):
    """The selection of events of a calendar."""

    summary: str | None
    free: bool
    """Whether events marked free (TRANSP:TRANSPARENT) count."""


_EVERYTHING: Final = _Meant(None, free=True)

_EMPTY: Final = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//freezegate//EN\r\nEND:VCALENDAR\r\n"
"""Stands for a calendar that was never loaded."""


class CalendarEvent(NamedTuple):
    """Facts about an event, for lint."""

    name: str
    start: EventTime
    last_end: EventTime | None
    """The end of its last occurrence; None if it recurs without an UNTIL."""
    is_free: bool
    lasts_for_days: bool
    """Whether it has dates without times."""
    fault: str | None
    """Why it is never open, to follow its name; None if it opens."""


class ComingEvent(NamedTuple):
    """An occurrence of an event."""

    uid: str
    span: Interval


class ICalendar(Window):
    """Open during the busy events of a calendar; cancelled ones don't count, free ones are optional."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["file"]}, {"required": ["url"]}]})

    file: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        title="file name",
        description="the calendar file, in the folder of the policy file or below it, at most 1 MiB; either "
        "this or `url`",
        examples=["releases.ics"],
    )
    url: str | None = Field(
        None,
        title="URL",
        description="the `https` address of a calendar that the gate fetches every 15 minutes; either "
        "this or `file`",
        examples=["https://calendar.example.com/releases.ics"],
        # What `calendar_url.parse` refuses beyond this, the gate reports.
        json_schema_extra={"pattern": r"^https?://[!-~]+$", "maxLength": calendar_url.LONGEST},
    )
    title: Title | None = Field(
        None,
        description="what the calendar is called in answers and reports; the file name, or the host of the "
        "URL and a short hash, if left out",
        examples=["Release calendar"],
    )
    required: bool = Field(
        False,
        strict=True,
        description="whether the policy freezes at all times until the calendar of `url` has been fetched "
        "for the first time",
        examples=[True],
    )
    summary: Summary | None = Field(
        None,
        description="only events with this summary; `*` matches anything, upper and lower case are alike; "
        "all if left out",
        examples=["Freeze*"],
    )
    free: Literal["ignore", "count"] = Field(
        "ignore",
        description="whether events that are marked free (`TRANSP:TRANSPARENT`) count as well",
        examples=["count"],
    )
    _text: str = PrivateAttr(_EMPTY)
    _loaded: bool = PrivateAttr(default=True)

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        if (self.file is None) == (self.url is None):
            raise MalformedValueError("name either a file or a url")
        if self.required and self.url is None:
            raise FaultyValuesError([Fault(("required",), "is for a url; a file must always be there")])
        try:
            self._take(info.context or {})
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise self._fault(f"the calendar can't be read: {error}") from None
        except MalformedValueError as error:
            raise self._fault(str(error)) from None
        return self

    def _fault(self, sentence: str) -> FaultyValuesError:
        if self.url is None:
            return FaultyValuesError([Fault(("file",), sentence)])
        if sentence.startswith("not "):
            # Otherwise the sentence would follow the URL, which may be a secret.
            sentence = f"what was fetched is {sentence}"
        return FaultyValuesError([Fault(("url",), sentence)])

    def _take(self, context: Mapping[str, Any]) -> None:
        """Take the text of the file, or what was fetched from the URL."""
        if self.url is not None:
            calendar_url.parse(self.url)
            fetched = context.get("fetched", _nothing)(self.url)
            self._loaded, self._text = fetched is not None, _EMPTY if fetched is None else fetched
        elif "read" in context:
            self._text = context["read"](self.file)
        else:
            raise MalformedValueError("a calendar file can only be read together with its policy file")
        check_calendar(self._text)

    @property
    def was_loaded(self) -> bool:
        """Whether its text is known; a file's always is, and a URL's from the first fetch on."""
        return self._loaded

    @property
    def name(self) -> str:
        """Its name: its title, its file, or the public part of its URL."""
        return self.title or self.file or calendar_url.label(self.url or "")

    def without_events(self) -> "ICalendar":
        """Return this window with a calendar that was never loaded."""
        return self.with_text(None)

    def with_text(self, text: str | None) -> "ICalendar":
        """Return this window with the text of another fetch; None if there was none."""
        other = self.model_copy()
        other._loaded, other._text = text is not None, _EMPTY if text is None else text  # noqa: SLF001 - own class
        return other

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """Return one interval for each occurrence of a busy event."""
        first, last = wall.day(span[0]) - 2, wall.day(span[1]) + 2
        spans: set[Occurrence] = set()
        for number in range(first // _CHUNK, last // _CHUNK + 1):
            spans.update(span for _, span in _occurrences(self._text, self._meant, number))
        return [(_start(span.start, wall), _end(span.end, wall)) for span in spans]

    def coming(self, now: int, wall: Wall) -> frozenset[ComingEvent]:
        """Return the occurrences that end after an instant and begin within a year of it."""
        first, last = wall.day(now) - 2, wall.day(now + _YEAR) + 2
        found = (
            ComingEvent(uid, (_start(span.start, wall), _end(span.end, wall)))
            for number in range(first // _CHUNK, last // _CHUNK + 1)
            for uid, span in _occurrences(self._text, self._meant, number)
        )
        return frozenset(each for each in found if each.span[1] > now and each.span[0] < now + _YEAR)

    def per_day(self) -> int:
        """Return how often events of the calendar recur in a day."""
        return int(read_calendar(self._text)[PER_DAY])

    def words(self) -> str:
        """Return ``during the busy events of releases.ics``."""
        named = f' called "{self.summary}"' if self.summary else ""
        which = "events" if self.free == "count" else "busy events"
        return f"during the {which}{named} of {self.name}"

    def remarks(self) -> list[str]:
        """Warn if the calendar has no matching event."""
        if not self._loaded:
            return []
        if next(_counted(self._text, self._meant), None) is not None:
            return []
        named = " of this summary" if self.summary else ""
        which = "event" if self.free == "count" else "busy event"
        return [f"never open: there is no {which}{named} in the calendar"]

    def over_by(self, wall: Wall) -> int | None:
        """Return the end of the last event; None if any recurs for ever."""
        ends = [_last_end(event) for event in _counted(self._text, self._meant)]
        return max((_end(end, wall) for end in ends if end), default=None) if None not in ends else None

    def reversed_use(self, *, freezes: bool) -> str | None:
        """Refuse to freeze by a calendar whose events are the only open times."""
        if freezes and self._type == "DEFAULT_CLOSED":
            return (
                "this calendar says when it is open (X-CALENDAR-TYPE:DEFAULT_CLOSED), so its events can't "
                "freeze; write it under when of a policy with effect: allow-only"
            )
        return None

    @property
    def is_default_open(self) -> bool:
        """Whether the calendar declares its events as closed times (X-CALENDAR-TYPE of AWS)."""
        return self._type == "DEFAULT_OPEN"

    def matching(self) -> Iterator[CalendarEvent]:
        """Yield the events that match the summary and are not cancelled, including free ones."""
        everything = self._meant._replace(free=True)
        for event in _counted(self._text, everything):
            start = event[BOUNDS].first.start
            days = not isinstance(event["DTSTART"].dt, datetime)
            yield CalendarEvent(_name(event), start, _last_end(event), _is_free(event), days, _fault(event))

    def near_names(self) -> list[str]:
        """Return the names of events that contain the summary but don't match it."""
        if self.summary is None or "*" in self.summary:
            return []
        around = _Meant(f"*{self.summary}*", self._meant.free)
        names = {_name(event) for event in _counted(self._text, around)}
        return sorted(names - {_name(event) for event in _counted(self._text, self._meant)})

    def start_of(self, event: CalendarEvent, wall: Wall) -> int:
        """Return the instant at which an event first begins."""
        return _start(event.start, wall)

    def end_of(self, event: CalendarEvent, wall: Wall) -> int | None:
        """Return the instant after which an event has no occurrence; None if it may recur for ever."""
        return None if event.last_end is None else _end(event.last_end, wall)

    @property
    def _meant(self) -> _Meant:
        return _Meant(self.summary, self.free == "count")

    @property
    def _type(self) -> str:
        return str(read_calendar(self._text).get("X-CALENDAR-TYPE", "")).strip().upper()


def _name(event: Any) -> str:
    return str(event.get("SUMMARY", "")) or "without a name"


def _last_end(event: Any) -> EventTime | None:
    """Return the end of an event's last occurrence; None if it may recur for ever.

    UNTIL is an upper bound: the last occurrence may begin before it.
    """
    bounds, rules = event[BOUNDS], _listed(event.get("RRULE"))
    if any("UNTIL" not in rule for rule in rules):
        return None
    length = bounds.first.end.seconds - bounds.first.start.seconds
    last = [bounds.first.end, *(span.end for span in bounds.listed.values())]
    for rule in rules:
        last += [bounds.first.end._replace(seconds=local_seconds(each) + length) for each in rule["UNTIL"]]
    latest: EventTime = max(last, key=lambda end: end.seconds + end.after)
    return latest


def _fault(event: Any) -> str | None:
    """Return why an event is never open; None if it is."""
    first, listed = event[BOUNDS]
    if not listed and any(until < first.start.seconds for until in _untils(event)):
        return "recurs until a time (UNTIL) before its own start"
    lengths = [span.end.lasting_since(span.start) for span in (first, *listed.values())]
    if max(lengths) > 0:
        return None
    if lengths[0] < 0:
        return "ends before it begins"
    if isinstance(event["DTSTART"].dt, datetime):
        return "lasts no time: it has no end, or one that equals its start"
    return "lasts no time: the DTEND of whole days is the day after the last of them"


def _untils(event: Any) -> Iterator[int]:
    """Yield the last local time of each rule with an UNTIL."""
    for rule in _listed(event.get("RRULE")):
        yield from map(local_seconds, rule.get("UNTIL", ()))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _start(time: EventTime, wall: Wall) -> int:
    return _clock(time, wall).start(time.seconds)


def _end(time: EventTime, wall: Wall) -> int:
    return _clock(time, wall).end(time.seconds) + time.after


def _clock(time: EventTime, wall: Wall) -> Wall:
    """Return the wall clock of a bound."""
    return wall if time.zone is None else wall.elsewhere(time.zone)


def _nothing(url: str) -> None:  # noqa: ARG001 - where nothing is fetched, no URL has a text
    return None


def check_calendar(text: str) -> None:
    """Check that a calendar can be read and expanded.

    Raises:
        MalformedValueError: it can't be read (see `read_calendar`) or expanded.
    """
    try:
        read_calendar(text)
        next(iter(_occurrences(text, _EVERYTHING, 20_000 // _CHUNK)), None)
    except MalformedValueError:
        raise
    except Exception as error:  # noqa: BLE001 - the libraries raise anything for a malformed rule
        raise MalformedValueError(f"the calendar can't be expanded: {error}") from None


def _counted(text: str, meant: _Meant) -> Iterator[Any]:
    return (event for event in read_calendar(text).walk("VEVENT") if _counts(event, meant))


def _counts(event: Any, meant: _Meant) -> bool:
    """Return whether an event is busy (RFC 5545, 3.8.1.11 and 3.8.2.7) and matches the summary."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return False
    if _is_free(event) and not meant.free:
        return False
    return meant.summary is None or _glob(meant.summary).fullmatch(str(event.get("SUMMARY", ""))) is not None


def _is_free(event: Any) -> bool:
    return str(event.get("TRANSP", "")).upper() == "TRANSPARENT"


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=16)
def _query(text: str) -> Any:
    """Return the events of a calendar grouped into series; as costly as expanding some months of them."""
    import recurring_ical_events

    return recurring_ical_events.of(read_calendar(text))


@lru_cache(maxsize=2048)
def _occurrences(text: str, meant: _Meant, number: int) -> frozenset[tuple[str, Occurrence]]:
    """Return the selected occurrences that touch a chunk of days, plus a day on each side, by UID."""
    first = local_time((number * _CHUNK - 1) * DAY)
    last = local_time(((number + 1) * _CHUNK + 1) * DAY)
    with _EXPANDING:
        found = _query(text).between(first, last)
    spans = (
        (str(event.get("UID", "")), event[BOUNDS].of(local_seconds(event["DTSTART"].dt)))
        for event in found
        if _counts(event, meant)
    )
    # Drop empty ones: in a repeated hour, start and end would become different instants.
    return frozenset((uid, span) for uid, span in spans if span.start != span.end)
