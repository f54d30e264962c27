"""The policies of an iCalendar file: windows where they are equal to its events, else the file itself.

Events whose times are open only while they last (X-CALENDAR-TYPE:DEFAULT_CLOSED, of AWS) go into one policy
that allows deploys, for each policy of that kind refuses all other times.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from app.core.counted import counted
from app.core.decision_text import one_line
from app.core.errors import MalformedValueError
from app.core.policy import Effect
from app.core.vcalendar import read_calendar
from app.core.wallclock import Wall, zone
from app.core.windows.icalendar import ICalendar
from app.policies.importers.calendar_events import Contents, Event, Span, contents, events_of, lines_of
from app.policies.importers.imported import Imported, ImportedPolicy, ImportOptions, Origin
from app.policies.importers.spans import once
from app.yaml.problem import quoted

OPENS: Final = "DEFAULT_CLOSED"
"""The X-CALENDAR-TYPE of a calendar whose events are the only open times."""

_BLOCK: Final = re.compile(
    r"^BEGIN:VEVENT[ \t]*\r?\n.*?^END:VEVENT[ \t]*(?:\r?\n|\Z)", re.MULTILINE | re.IGNORECASE | re.DOTALL
)
_NOT_OF_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")


class CalendarText(NamedTuple):
    """A calendar to import."""

    origin: Origin
    """The place of the calendar."""
    name: str
    """Its name."""
    text: str
    has_lines: bool = True
    """Whether its lines are those of the file at its origin."""


def calendar_type(text: str) -> str:
    """Return the X-CALENDAR-TYPE of a calendar, in capitals; empty if it has none.

    Raises:
        MalformedValueError: the calendar can't be read.
    """
    return str(read_calendar(text).get("X-CALENDAR-TYPE", "")).strip().upper()


def add_calendar(source: CalendarText, imported: Imported, options: ImportOptions) -> None:
    """Add the policies of a calendar."""
    try:
        calendar = read_calendar(source.text)
        opens = calendar_type(source.text) == OPENS
    except MalformedValueError as error:
        imported.found += 1
        imported.refuse(source.origin, str(error))
        return
    _Calendar(source, calendar, imported, options, opens=opens).add()


class _Calendar:
    """A calendar that could be read."""

    def __init__(
        self,
        source: CalendarText,
        calendar: Any,
        imported: Imported,
        options: ImportOptions,
        *,
        opens: bool,
    ) -> None:
        self._source = source
        self._imported = imported
        self._options = options
        self._opens = opens
        self._events = events_of(calendar, self._places(len(calendar.walk("VEVENT"))))
        self._home = zone(options.timezone or "UTC")

    def add(self) -> None:
        """Add its policies, and what is to be said about them."""
        self._imported.found += len(self._events)
        self._say_home()
        included = [event for event in self._events if self._counts(event)]
        if not any(not event.is_cancelled for event in included):
            return
        found = contents(included, self._home, self._options.now, wide=not self._opens)
        if found.over:
            sentence = f"{counted(found.over, 'event is', 'events are')} over; not imported"
            self._imported.differ(self._source.origin, sentence)
        why = self._why_as_file(found)
        if why is not None:
            self._imported.differ(*why)
            self._add_file(included)
        else:
            self._add_windows(found)

    def _places(self, count: int) -> list[Origin]:
        """Return the place of each event: that of the calendar where lines don't tell."""
        origin, lines = self._source.origin, lines_of(self._source.text)
        if not self._source.has_lines or len(lines) != count:
            return [origin] * count
        return [origin._replace(line=line, column=1) for line in lines]

    def _say_home(self) -> None:
        floating = [
            event
            for event in self._events
            if not event.is_cancelled and event.bounds.first.start.zone is None
        ]
        if floating and self._options.timezone is None:
            self._imported.differ(
                self._named(floating[0]),
                f"{counted(len(floating), 'event has', 'events have')} whole days, or times without a zone; "
                "read in UTC unless you give --timezone",
            )

    def _counts(self, event: Event) -> bool:
        """Return whether an event counts, or replaces an occurrence that does; say so if it isn't obvious."""
        if event.is_cancelled:
            if event.recurrence_id is None:
                self._imported.differ(self._named(event), "not imported: it is cancelled")
            return event.recurrence_id is not None
        if sentence := self._why_left_out(event):
            self._imported.differ(self._named(event), f"not imported: it {sentence}")
        elif event.is_free:
            self._imported.differ(self._named(event), "marked free; it freezes nevertheless")
        return sentence is None

    def _why_left_out(self, event: Event) -> str | None:
        start, end = event.bounds.first
        if event.is_advisory:
            return "is advisory, for information only"
        if end.lasting_since(start) <= 0 and not event.bounds.listed:
            return "lasts no time"
        return "is marked free" if event.is_free and self._opens else None

    def _named(self, event: Event) -> Origin:
        return event.origin._replace(window=event.summary or "an event without a name")

    def _why_as_file(self, found: Contents) -> tuple[Origin, str] | None:
        """Return place and reason why the calendar stays a file; None if windows are equal to it."""
        if found.unequal is not None:
            sentence = "its recurrence has no equal in windows, so the policy reads the calendar file"
            return self._named(found.unequal), sentence
        parts = len(found.recurring) + len({span.zone for _, span in found.once})
        if self._opens and parts > 1:
            sentence = (
                "its events are the only open times, and not all of them fit into the windows of one policy, "
                "so the policy reads the calendar file"
            )
            return self._source.origin, sentence
        return None

    def _add_windows(self, found: Contents) -> None:
        """Add a policy for each series, and one for each name of events that don't recur.

        If the calendar is one of open times, there is one series, or one zone with one policy for all.
        """
        for series in found.recurring:
            self._policy(
                [series.event],
                series.when,
                series.zone.name,
                partial(series.is_open, wide=not self._opens),
                except_when=series.except_when,
            )
        alike = (lambda _: ("", False, "")) if self._opens else _alike
        for _, group in groupby(sorted(found.once, key=alike), alike):
            members = list(group)
            events = list({event.origin: event for event, _ in members}.values())
            self._policy(events, _dates(members), members[0][1].zone, _in_any(members))

    def _add_file(self, counted: Sequence[Event]) -> None:
        """Add a policy that reads the calendar, without the events that don't count."""
        file, text = self._file_name(), self._text_of(counted)
        written = {"file": file, **({} if self._opens else {"free": "count"})}
        try:
            window = ICalendar.model_validate(written, context={"read": {file: text}.__getitem__})
        except ValidationError as error:
            self._imported.refuse(self._source.origin, _sentence(error))
            return
        self._imported.calendars[file] = text
        wall = Wall.of(self._home, wide=not self._opens)
        self._policy(
            [event for event in counted if not event.is_cancelled],
            [{"icalendar": written}],
            self._home.name,
            partial(_is_open, window, wall),
        )

    def _text_of(self, counted: Sequence[Event]) -> str:
        """Return the calendar without the events that don't count."""
        kept = set(map(id, counted))
        blocks = zip(self._events, _BLOCK.finditer(self._source.text), strict=False)
        text, cursor = [], 0
        for event, block in blocks:
            if id(event) not in kept:
                text.append(self._source.text[cursor : block.start()])
                cursor = block.end()
        return "".join([*text, self._source.text[cursor:]])

    def _file_name(self) -> str:
        stem = _NOT_OF_NAME.sub("-", PurePath(self._source.name).name.removesuffix(".ics")).strip("-.")
        name = f"{stem or 'calendar'}.ics"
        number = 1
        while name in self._imported.calendars:
            number += 1
            name = f"{stem or 'calendar'}-{number}.ics"
        return name

    def _policy(
        self,
        events: Sequence[Event],
        when: Sequence[Mapping[str, Any]],
        zone_name: str,
        is_open: Callable[[int], bool],
        *,
        except_when: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        name = one_line(self._source.name)
        title = _common(event.summary for event in events)
        reason = _common(filter(None, (event.description for event in events)))
        self._imported.policies.append(
            ImportedPolicy(
                name=title or name,
                title=self._title(title, name),
                reason=reason or f"The calendar {quoted(name)} says so.",
                origins=[self._named(event) for event in events],
                timezone=zone_name,
                effect=Effect.ALLOW_ONLY if self._opens else Effect.DENY,
                when=when,
                except_when=except_when,
                is_open=is_open,
                applies_to=self._selectors(),
            )
        )

    def _selectors(self) -> list[dict[str, Sequence[str]]]:
        return [{"services": self._options.services}] if self._options.services else []

    def _title(self, summary: str, name: str) -> str:
        if self._opens:
            return f"Deploys only while {summary or name} is on"
        return summary or f"No deploys during the events of {name}"


def _common(texts: Iterable[str]) -> str:
    """Return the text that all are; none if they differ."""
    found = set(texts)
    return found.pop() if len(found) == 1 else ""


def _sentence(error: ValidationError) -> str:
    [first, *_] = error.errors(include_url=False, include_input=False)
    return str(first["msg"]).removeprefix("Value error, ")


def _is_open(window: ICalendar, wall: Wall, instant: int) -> bool:
    return any(start <= instant < end for start, end in window.intervals((instant, instant + 1), wall))


def _alike(member: tuple[Event, Span]) -> tuple[str, bool, str]:
    event, span = member
    return event.summary, event.is_free, span.zone


def _dates(members: Sequence[tuple[Event, Span]]) -> list[Mapping[str, Any]]:
    return [once(*local) for local in sorted({span.locals for _, span in members})]


def _in_any(members: Sequence[tuple[Event, Span]]) -> Callable[[int], bool]:
    spans = [span.instants for _, span in members]
    return lambda instant: any(start <= instant < end for start, end in spans)
