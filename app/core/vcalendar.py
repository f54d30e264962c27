"""Read an iCalendar file (RFC 5545) so that each bound of its events is a local time of a zone.

The libraries that read and expand calendars resolve time zones, too. But they keep them for the whole
process, and don't define which instant they pick for a local time in a gap or fold. So they get local times
only: TZIDs are resolved here, from this file alone, and recurrence is expanded on local times. Each event
carries its `Bounds`, from which the instants of an occurrence are computed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.instant import DAY
from app.core.recurrence import MOST_A_DAY, fires, per_day
from app.core.vtimezone import Zones, similar_name
from app.core.wallclock import Regimes, local_day, zone

BOUNDS: Final = "X-FREEZEGATE-BOUNDS"
"""The key of an event's `Bounds`."""

PER_DAY: Final = "X-FREEZEGATE-PER-DAY"
"""The key of a calendar's rate: how often its events recur in a day."""

MAX_TEXT: Final = 1_048_576
MAX_EVENTS: Final = 10_000
_LONGEST: Final = 36_525 * DAY

_WRITTEN: Final = "X-FREEZEGATE-"
"""Prefix of the keys with the original text of DURATION and RDATE. One day and 24 hours differ across clock
changes, and the library doesn't tell them apart."""

_TZID: Final = "X-TZID"
_ZONE: Final = "X-VTIMEZONE"
"""Stand-ins for TZID and VTIMEZONE while the library reads, so that it ignores them."""

_FOLD: Final = re.compile(r"\r?\n[ \t]")
_KEPT_LINE: Final = re.compile(
    r"^(DURATION|RDATE)(?:;(?:[^:\"\r\n]|\"[^\"\r\n]*\")*)?:([^\r\n]+)", re.MULTILINE | re.IGNORECASE
)
_EVENT_LINE: Final = re.compile(r"^BEGIN:VEVENT", re.MULTILINE | re.IGNORECASE)
_ZONE_LINE: Final = re.compile(r"^(BEGIN|END):VTIMEZONE(?=\r?$)", re.MULTILINE | re.IGNORECASE)
_TZID_PARAMETER: Final = re.compile(
    r"^([A-Z-]+(?:;[^;:\"\r\n]*(?:\"[^\"\r\n]*\"[^;:\"\r\n]*)*)*?;)TZID=", re.MULTILINE | re.IGNORECASE
)
_DURATION: Final = re.compile(r"\+?P(?:(\d+)W|(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)", re.ASCII)

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the epoch of local time, which has no zone
_ONCE: Final = ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "SEQUENCE")
_READ: Final = (*_ONCE, "RRULE", "RDATE", "EXDATE", "SEQUENCE", "STATUS", "TRANSP")


class EventTime(NamedTuple):
    """A bound of an event: a local time of a zone, or of the policy's zone (None)."""

    zone: Regimes | None
    seconds: int
    after: int = 0
    """Elapsed seconds after that: the hours of a DURATION are exact, its days are calendar days."""

    def later(self, seconds: int) -> "EventTime":
        """Return the bound that many seconds later on its own wall clock."""
        return self._replace(seconds=self.seconds + seconds)

    def lasting_since(self, start: "EventTime") -> int:
        """Return the seconds on the wall clock from a start to this bound, which may be in another zone."""
        return _seconds_in(self, start.zone) + self.after - start.seconds


class Occurrence(NamedTuple):
    """Start and end of an occurrence."""

    start: EventTime
    end: EventTime


class Bounds(NamedTuple):
    """The bounds of an event."""

    first: Occurrence
    """By DTSTART and DTEND or DURATION."""
    listed: Mapping[int, Occurrence]
    """The occurrence of each RDATE, which may have a zone and a length of its own, by the local time of its
    start in the zone of DTSTART."""

    def of(self, local: int) -> Occurrence:
        """Return the occurrence that starts at a local time of the zone of DTSTART."""
        if local in self.listed:
            return self.listed[local]
        shift = local - self.first.start.seconds
        return Occurrence(self.first.start.later(shift), self.first.end.later(shift))


@lru_cache(maxsize=64)
def read_calendar(text: str) -> Any:
    """Read a calendar; its events have local times without zones, and their `Bounds`.

    Raises:
        MalformedValueError: it is not a calendar, is too large, recurs too often, names an unknown zone, or
            can't be parsed.
    """
    if len(text) > MAX_TEXT:
        raise MalformedValueError("the calendar is larger than 1 MiB")
    # Before it is parsed, which takes a thousand times as long.
    if len(_EVENT_LINE.findall(text)) > MAX_EVENTS:
        raise MalformedValueError(f"the calendar has more than {MAX_EVENTS} events")
    calendar = _parse(text)
    zones = Zones(calendar.walk(_ZONE))
    home = _home(calendar, zones)
    readers = [_Reader(event, zones, home) for event in calendar.walk("VEVENT")]
    recurring = sum(reader.per_day for reader in readers)
    if recurring > MOST_A_DAY:
        raise MalformedValueError(
            f"the events of the calendar recur {round(recurring):,} times a day; {MOST_A_DAY} is the limit"
        )
    _settle(readers)
    calendar[PER_DAY] = max(1, round(recurring))
    return calendar


def local_seconds(value: date | datetime) -> int:
    """Return a date or local time in seconds, see `wallclock`."""
    if not isinstance(value, datetime):
        return local_day(value) * DAY
    return int((value.replace(tzinfo=None) - _EPOCH).total_seconds())


def local_time(seconds: int) -> datetime:
    """Return a local time as the datetime that the libraries expect."""
    return _EPOCH + timedelta(seconds=seconds)


def _parse(text: str) -> Any:
    from icalendar import Calendar

    unfolded = _FOLD.sub("", text)
    kept = _KEPT_LINE.sub(rf"\g<0>\r\n{_WRITTEN}\1:\2", unfolded)
    renamed = _TZID_PARAMETER.sub(rf"\1{_TZID}=", _ZONE_LINE.sub(rf"\1:{_ZONE}", kept))
    try:
        calendars = Calendar.from_ical(renamed, multiple=True)
    except Exception as error:  # noqa: BLE001 - the library lets through whatever its parts raise
        raise MalformedValueError(f"not an iCalendar file: {error}") from None
    if len(calendars) != 1 or calendars[0].name != "VCALENDAR":
        raise MalformedValueError("not an iCalendar file: it holds exactly one VCALENDAR")
    return calendars[0]


def _home(calendar: Any, zones: Zones) -> Regimes | None:
    """Return the zone that a calendar sets for days and for times without a zone, as some servers do.

    The property is removed: the library would look it up among the zones of the system.
    """
    name = calendar.pop("X-WR-TIMEZONE", None)
    if name is None:
        return None
    found = zones.find(str(name))
    if found is None:
        raise MalformedValueError(f"the calendar is in an unknown time zone: {name}{similar_name(str(name))}")
    return found


def _settle(readers: Sequence["_Reader"]) -> None:
    """Settle all events for the library; moved occurrences in the zone of their series."""
    masters = [reader for reader in readers if not reader.is_of_series]
    first: dict[tuple[str, int], _Reader] = {}
    for number, master in enumerate(masters):
        if first.setdefault((master.uid, master.sequence), master) is not master:
            # Not a revision but a copy that kept its UID: the library would drop it.
            master.rename(f"{master.uid} {number}")
    series = {master.uid: master.zone for master in masters}
    for reader in readers:
        reader.settle(series.get(reader.uid, reader.zone) if reader.is_of_series else reader.zone)


class _Reader:
    """Read one event, then rewrite it for the library."""

    def __init__(self, event: Any, zones: Zones, home: Regimes | None) -> None:
        self._event = event
        self._zones = zones
        self._home = home
        self._name = f'the event "{event.get("SUMMARY", event.get("UID", "without a name"))}"'
        self.uid = str(event.get("UID", id(event)))
        self.is_of_series = "RECURRENCE-ID" in event
        """Whether it is a moved or changed occurrence of a series."""
        self.per_day = 0.0
        """The number of its occurrences in a day."""
        self._check()
        self.sequence = int(event.get("SEQUENCE", -1))
        """Its revision; the library keeps the last one of a UID."""
        self._bounds = self._read_bounds()

    @property
    def zone(self) -> Regimes | None:
        """The zone of its start."""
        return self._bounds.first.start.zone

    def rename(self, uid: str) -> None:
        """Give it a UID of its own."""
        self.uid = uid
        self._event["UID"] = uid

    def settle(self, zone_of_series: Regimes | None) -> None:
        """Replace the event's times by local times and attach its bounds.

        `zone_of_series` is the zone of the master's start.
        """
        event, start = self._event, self._event["DTSTART"]
        for value in self._dates("EXDATE"):
            value.dt = self._in_zone(value, "EXDATE", zone_of_series)
        for value in self._dates("RDATE"):
            value.dt = self._in_zone(value, "RDATE", self.zone)
        if self.is_of_series:
            again = event["RECURRENCE-ID"]
            again.dt = self._in_zone(again, "RECURRENCE-ID", zone_of_series)
        for rule in _listed(event.get("RRULE")):
            if "UNTIL" in rule:
                rule["UNTIL"] = [self._until(each) for each in rule["UNTIL"]]
        if isinstance(start.dt, datetime):
            start.dt = local_time(self._bounds.first.start.seconds)
        self._stretch()
        event[BOUNDS] = self._bounds

    # Parse

    def _read_bounds(self) -> Bounds:
        event = self._event
        start = self._moment(event["DTSTART"].dt, event["DTSTART"].params, "DTSTART", self._home)
        first = Occurrence(start, self._end(start))
        return Bounds(first, dict(self._listed_spans(first)))

    def _end(self, start: EventTime) -> EventTime:
        """Return the end by DTEND or DURATION; by default, a day lasts a day, and a time has no length."""
        event = self._event
        duration = event.get(f"{_WRITTEN}DURATION")
        end = start if duration is None else self._after(start, str(duration))
        if "DTEND" in event:
            if end != start:
                raise self._wrong("has both DTEND and DURATION")
            # Some phones add a DURATION of zero.
            return self._moment(event["DTEND"].dt, event["DTEND"].params, "DTEND", start.zone)
        lasts_a_day = duration is None and not isinstance(event["DTSTART"].dt, datetime)
        return start.later(DAY) if lasts_a_day else end

    def _listed_spans(self, first: Occurrence) -> Iterator[tuple[int, Occurrence]]:
        """Yield each RDATE by the local time of its start, which is how the library identifies it."""
        written = [str(line).split(",") for line in _listed(self._event.get(f"{_WRITTEN}RDATE"))]
        for line, texts in zip(_listed(self._event.get("RDATE")), written, strict=True):
            for value, text in zip(line.dts, texts, strict=True):
                is_period = isinstance(value.dt, tuple)
                begin = value.dt[0] if is_period else value.dt
                start = self._moment(begin, line.params, "RDATE", first.start.zone)
                local = _seconds_in(start, first.start.zone)
                if is_period:
                    end = self._end_of_period(start, value.dt[1], text, line.params)
                else:
                    end = first.end.later(local - first.start.seconds)
                yield local, Occurrence(start, end)

    def _end_of_period(self, start: EventTime, end: Any, text: str, params: Any) -> EventTime:
        if not isinstance(self._event["DTSTART"].dt, datetime):
            raise self._wrong("lasts for days and has an RDATE with a time")
        if isinstance(end, timedelta):
            return self._after(start, text.partition("/")[2])
        return self._moment(end, params, "RDATE", start.zone)

    def _moment(self, value: Any, params: Any, key: str, otherwise: Regimes | None) -> EventTime:
        """Return a bound; `otherwise` is the zone of times without one."""
        if not isinstance(value, date):
            raise self._wrong(f"has {_a(key)} that is neither a day nor a time of one")
        named = self._zone_of(params, key)
        local = local_seconds(value)
        if not isinstance(value, datetime) or value.tzinfo is None:
            return EventTime(named or otherwise, local)
        if named is not None and named.local(local) != local:
            raise self._wrong(f"has {_a(key)} in UTC that names a time zone as well")
        if self._home is not None and "RRULE" in self._event:
            # In such a calendar, recurrence is in its zone, even if the times are in UTC.
            return EventTime(self._home, self._home.local(local))
        return EventTime(zone("UTC"), local)

    def _zone_of(self, params: Any, key: str) -> Regimes | None:
        if _TZID not in params:
            return None
        found = self._zones.find(str(params[_TZID]))
        if found is None:
            what = "is" if key == "DTSTART" else f"has {_a(key)}"
            name = str(params[_TZID])
            raise self._wrong(f"{what} in an unknown time zone: {name}{similar_name(name)}")
        return found

    def _after(self, start: EventTime, duration: str) -> EventTime:
        """Return the end of an event from its start and DURATION (RFC 5545, 3.3.6)."""
        match = _DURATION.fullmatch(duration.strip())
        if match is None:
            raise self._wrong(f"has a length that is not a duration: {duration}")
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        exact = hours * 3_600 + minutes * 60 + seconds
        return EventTime(start.zone, start.seconds + (7 * weeks + days) * DAY, exact)

    # Validate

    def _check(self) -> None:
        event = self._event
        for key, _ in event.errors:
            if key in _READ:
                raise self._wrong(f"has {_a(key)} that can't be read")
        for key in _ONCE:
            if isinstance(event.get(key), list):
                raise self._wrong(f"has more than one {key}")
        if "DTSTART" not in event:
            raise self._wrong("has no DTSTART")
        if "EXRULE" in event:
            raise self._wrong("has an EXRULE, which RFC 5545 dropped; write EXDATE")
        for rule in _listed(event.get("RRULE")):
            self._check_rule(rule)

    def _check_rule(self, rule: Any) -> None:
        if "FREQ" not in rule:
            raise self._wrong("has a recurrence without FREQ")
        if any(interval < 1 for interval in rule.get("INTERVAL", ())):
            raise self._wrong("has a recurrence whose INTERVAL is not positive")
        minutes, seconds = len(rule.get("BYMINUTE", "0")), len(rule.get("BYSECOND", "0"))
        if rule["FREQ"][0] in ("SECONDLY", "MINUTELY") or minutes * seconds > 1:
            raise self._wrong("recurs more often than once an hour")
        if "BYWEEKNO" in rule and rule["FREQ"][0] != "YEARLY":
            raise self._wrong("has a recurrence with BYWEEKNO, which RFC 5545 allows with FREQ=YEARLY only")
        if not fires(rule, self._event["DTSTART"].dt):
            raise self._wrong("recurs by a rule that never fires: its parts exclude each other")
        self.per_day += per_day(rule)

    def _wrong(self, sentence: str) -> MalformedValueError:
        return MalformedValueError(f"{self._name} {sentence}")

    # Rewrite for the library

    def _dates(self, key: str) -> Iterator[Any]:
        for line in _listed(self._event.get(key)):
            for value in line.dts:
                value.params = line.params
                yield value

    def _in_zone(self, value: Any, key: str, where: Regimes | None) -> date:
        """Return a time as the wall clock of a zone shows it; a day is the same day everywhere."""
        begin: date = value.dt[0] if isinstance(value.dt, tuple) else value.dt
        time = self._moment(begin, value.params, key, where)
        if not isinstance(begin, datetime):
            return begin
        return local_time(_seconds_in(time, where))

    def _until(self, value: date | datetime) -> date | datetime:
        """Return the last local time of a rule; an UNTIL that is a day includes all of it."""
        lasts_for_days = not isinstance(self._event["DTSTART"].dt, datetime)
        if lasts_for_days or not isinstance(value, datetime):
            return local_time(local_seconds(value) // DAY * DAY + (0 if lasts_for_days else DAY - 1))
        if value.tzinfo is None or self.zone is None:
            return value.replace(tzinfo=None)
        return local_time(self.zone.local(local_seconds(value.astimezone(UTC))))

    def _stretch(self) -> None:
        """Stretch the event to its longest occurrence, so that the library finds each one while it lasts."""
        from icalendar.prop import vDDDTypes

        spans = (self._bounds.first, *self._bounds.listed.values())
        longest = max(span.end.seconds + span.end.after - span.start.seconds for span in spans)
        start = self._event["DTSTART"].dt
        if longest > _LONGEST:
            raise self._wrong("lasts for more than a hundred years")
        length = max(0, longest)
        if not isinstance(start, datetime):
            length = max(DAY, -(-length // DAY) * DAY)
        self._event.pop("DURATION", None)
        self._event["DTEND"] = vDDDTypes(start + timedelta(seconds=length))


def _seconds_in(time: EventTime, where: Regimes | None) -> int:
    """Return a bound on the wall clock of a zone; unchanged if either of the two zones is None."""
    if time.zone is None or where is None or time.zone is where:
        return time.seconds
    return where.local(time.zone.earliest(time.seconds))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _a(key: str) -> str:
    """Return ``a DTEND``, ``an EXDATE``."""
    return f"an {key}" if key[0] in "ER" and key != "RECURRENCE-ID" else f"a {key}"
