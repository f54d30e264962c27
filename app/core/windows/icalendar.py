"""``icalendar: {file: releases.ics}``: the busy events of an RFC 5545 calendar.

The file itself is read by whoever reads the policies: its text comes through pydantic's validation
context, as ``{"read": name -> text}``.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Final, Self

from pydantic import Field, PrivateAttr, StringConstraints, ValidationInfo, model_validator

from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import LINE_PATTERN
from app.core.vcalendar import BOUNDS, Moment, Span, local_seconds, local_time, read_calendar
from app.core.wallclock import Wall
from app.core.windows.window import Window

_CHUNK: Final = 128
"""Days that are expanded at once and remembered."""


Summary = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=LINE_PATTERN, strip_whitespace=True)
]


class ICalendar(Window):
    """The busy events of a calendar file; cancelled and transparent ones do not count."""

    file: str = Field(min_length=1, max_length=255, description="the calendar, beside the policy file")
    summary: Summary | None = Field(None, description="only events of such a summary; * is anything")
    _text: str = PrivateAttr("")

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        read = (info.context or {}).get("read")
        if read is None:
            raise MalformedValueError("a calendar file can only be read together with its policy file")
        try:
            self._text = read(self.file)
            _check(self._text)
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise FaultyValuesError([Fault(("file",), f"the calendar can't be read: {error}")]) from None
        except MalformedValueError as error:
            raise FaultyValuesError([Fault(("file",), str(error))]) from None
        return self

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """One interval for each occurrence of a busy event."""
        first, last = wall.day(span[0]) - 2, wall.day(span[1]) + 2
        spans: set[Span] = set()
        for number in range(first // _CHUNK, last // _CHUNK + 1):
            spans.update(_occurrences(self._text, self.summary, number))
        return [(_start(span.start, wall), _end(span.end, wall)) for span in spans]

    def words(self) -> str:
        """``during the busy events of releases.ics``."""
        named = f' called "{self.summary}"' if self.summary else ""
        return f"during the busy events{named} of {self.file}"

    def remarks(self) -> list[str]:
        """That there is nothing in it."""
        if next(_busy(self._text, self.summary), None) is not None:
            return []
        named = " of this summary" if self.summary else ""
        return [f"never open: there is no busy event{named} in the calendar"]

    def over_by(self, wall: Wall) -> int | None:
        """The end of the last event, where none recurs."""
        events = list(_busy(self._text, self.summary))
        if any("RRULE" in event or "RDATE" in event for event in events):
            return None
        return max((_end(event[BOUNDS].first.end, wall) for event in events), default=None)


def _start(moment: Moment, wall: Wall) -> int:
    return _clock(moment, wall).start(moment.seconds)


def _end(moment: Moment, wall: Wall) -> int:
    return _clock(moment, wall).end(moment.seconds) + moment.after


def _clock(moment: Moment, wall: Wall) -> Wall:
    """The wall clock that a bound is told by."""
    return wall if moment.zone is None else wall.elsewhere(moment.zone)


def _check(text: str) -> None:
    """Refuse a calendar that can't be answered from exactly.

    Raises:
        MalformedValueError: it can't be read (see `read_calendar`) or expanded.
    """
    try:
        read_calendar(text)
        next(iter(_occurrences(text, None, 20_000 // _CHUNK)), None)
    except MalformedValueError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the libraries make of a malformed rule
        raise MalformedValueError(f"the calendar can't be expanded: {error}") from None


def _busy(text: str, summary: str | None) -> Iterator[Any]:
    return (event for event in read_calendar(text).walk("VEVENT") if _counts(event, summary))


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
def _occurrences(text: str, summary: str | None, number: int) -> frozenset[Span]:
    """The occurrences of busy events that touch one chunk of days, with a day to spare on each side."""
    import recurring_ical_events

    first = local_time((number * _CHUNK - 1) * DAY)
    last = local_time(((number + 1) * _CHUNK + 1) * DAY)
    found = recurring_ical_events.of(read_calendar(text)).between(first, last)
    spans = (
        event[BOUNDS].of(local_seconds(event["DTSTART"].dt)) for event in found if _counts(event, summary)
    )
    # What lasts no time lasts no time in a repeated hour either, where start and end would be read apart.
    return frozenset(span for span in spans if span.start != span.end)
