"""iCalendar files, read on their own by RFC 5545: slow and obvious, day by day.

Knows what the calendars of these tests use: events with whole days, times of a zone, in UTC, or floating;
recurrence by days; exceptions; moved and cancelled occurrences. An ambiguous bound never shortens a freeze.
"""

import calendar
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.policies.importers.wall_spans import DAY, LAST, Span, frozen, inverted, merged, opened
from tests.spec.twin import instants_of, shown, zone

RULES = (
    "DTEND is exclusive",
    "an event of days without DTEND lasts one",
    "TZID is the zone of a time",
    "X-WR-TIMEZONE is the zone of other times",
    "EXDATE takes an occurrence away",
    "RDATE adds an occurrence",
    "RECURRENCE-ID replaces an occurrence",
    "a replaced occurrence takes place elsewhere",
    "a cancelled occurrence doesn't take place",
    "a cancelled event doesn't count",
    "a free event freezes",
    "UNTIL is included",
    "COUNT counts occurrences",
    "INTERVAL skips periods",
    "BYDAY may be the nth",
    "BYDAY may be the last",
    "BYMONTHDAY counts from the end if negative",
    "BYMONTH limits the months",
    "BYSETPOS picks from a period",
    "WKST begins a week",
    "a month without the day is left out",
    "recurrence is on the wall clock",
    "days of a DURATION are days of the wall clock",
    "hours of a DURATION are exact",
)
AWS_RULES = (
    "DEFAULT_CLOSED opens during events only",
    "an advisory event doesn't count",
    "a free event doesn't open",
)

WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


class Moment(NamedTuple):
    """A time on a wall clock."""

    local: datetime
    where: ZoneInfo
    is_day: bool


class Property(NamedTuple):
    name: str
    parameters: dict[str, str]
    value: str


@cache
def components(text: str) -> tuple[list[Property], list[list[Property]]]:
    """The properties of a calendar, and those of each event."""
    head: list[Property] = []
    events: list[list[Property]] = []
    stack: list[str] = []
    for line in re.sub(r"\r?\n[ \t]", "", text).splitlines():
        found = re.match(r"([A-Za-z-]+)((?:;[^:\"]*(?:\"[^\"]*\"[^:\"]*)*)?):(.*)", line)
        if found is None:
            continue
        name, parameters, value = found[1].upper(), found[2], found[3]
        if name == "BEGIN":
            stack.append(value.upper())
            if value.upper() == "VEVENT":
                events.append([])
        elif name == "END":
            stack.pop()
        else:
            pairs = dict(each.split("=", 1) for each in parameters.split(";") if each)
            read = Property(name, {key.upper(): each.strip('"') for key, each in pairs.items()}, value)
            if stack == ["VCALENDAR"]:
                head.append(read)
            elif stack[-1:] == ["VEVENT"]:
                events[-1].append(read)
    return head, events


def closed(text: str, wrong: str | None = None, default: str = "UTC") -> list[Span]:
    """When the events freeze; `wrong` is the rule that is misread."""
    head, events = components(text)
    settings = {each.name: each.value for each in head}
    home = settings.get("X-WR-TIMEZONE", default)
    if wrong == "X-WR-TIMEZONE is the zone of other times":
        home = default
    opens = settings.get("X-CALENDAR-TYPE") == "DEFAULT_CLOSED"
    spans = merged(
        span for event in Reading(events, zone(home), wrong, opens=opens).spans() for span in event
    )
    if opens and wrong != "DEFAULT_CLOSED opens during events only":
        return inverted(spans)
    return spans


class Reading:
    """The events of a calendar."""

    def __init__(
        self, events: list[list[Property]], home: ZoneInfo, wrong: str | None, *, opens: bool
    ) -> None:
        self.events = events
        self.home = home
        self.wrong = wrong
        self.opens = opens

    def spans(self) -> Iterator[Iterator[Span]]:
        replaced: dict[str, set[datetime]] = {}
        for event in self.events:
            again = self.one(event, "RECURRENCE-ID")
            if again and self.wrong != "RECURRENCE-ID replaces an occurrence":
                cancelled = self.text(event, "STATUS") == "CANCELLED"
                if not (cancelled and self.wrong == "a cancelled occurrence doesn't take place"):
                    replaced.setdefault(self.text(event, "UID"), set()).add(self.moment(again).local)
        for event in self.events:
            if self.counts(event):
                yield self.occurrences(event, replaced.get(self.text(event, "UID"), set()))

    def counts(self, event: list[Property]) -> bool:
        is_moved = self.one(event, "RECURRENCE-ID") is not None
        if self.text(event, "STATUS") == "CANCELLED":
            return self.wrong == "a cancelled event doesn't count" and not is_moved
        if self.text(event, "X-EVENT-TYPE") == "ADVISORY":
            return self.wrong == "an advisory event doesn't count"
        if self.text(event, "TRANSP") == "TRANSPARENT":
            rule = "a free event doesn't open" if self.opens else "a free event freezes"
            return (self.wrong == rule) is self.opens
        return not (is_moved and self.wrong == "a replaced occurrence takes place elsewhere")

    def occurrences(self, event: list[Property], replaced: set[datetime]) -> Iterator[Span]:
        start = self.moment(self.named(event, "DTSTART"))
        is_moved = self.one(event, "RECURRENCE-ID") is not None
        without = set() if is_moved else set(replaced)
        if self.wrong != "EXDATE takes an occurrence away":
            for line in event:
                if line.name == "EXDATE":
                    without |= {
                        self.elsewhere(self.moment(line._replace(value=each)), start)
                        for each in line.value.split(",")
                    }
        locals_ = set(self.starts(event, start))
        if self.wrong != "RDATE adds an occurrence":
            for line in event:
                if line.name == "RDATE":
                    locals_ |= {
                        self.moment(line._replace(value=each)).local for each in line.value.split(",")
                    }
        for local in sorted(locals_ - without):
            yield self.span(event, start, local)

    def starts(self, event: list[Property], start: Moment) -> Iterator[datetime]:
        rule = self.one(event, "RRULE")
        if rule is None:
            yield start.local
            return
        parts = dict(each.split("=") for each in rule.value.split(";"))
        count = int(parts.get("COUNT", 1 << 40)) + (self.wrong == "COUNT counts occurrences")
        until = self.until(parts["UNTIL"], start) if "UNTIL" in parts else datetime.max  # noqa: DTZ901
        for local in recurring(start.local, parts, self.wrong):
            late = local >= until if self.wrong == "UNTIL is included" else local > until
            if count == 0 or late:
                return
            count -= 1
            yield local

    def until(self, written: str, start: Moment) -> datetime:
        if len(written) == 8:
            day = datetime.strptime(written, "%Y%m%d")  # noqa: DTZ007 - a wall clock
            return day if start.is_day else day + DAY - timedelta(seconds=1)
        local = datetime.strptime(written[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007 - a wall clock
        if not written.endswith("Z"):
            return local
        return shown(instants_of(local, zone("UTC"))[0], start.where)

    def span(self, event: list[Property], start: Moment, local: datetime) -> Span:
        """One occurrence."""
        read = opened if self.opens else frozen
        shift = local - start.local
        if self.wrong == "recurrence is on the wall clock":
            first = instants_of(start.local, start.where)[0] + int(shift.total_seconds())
            local = shown(first, start.where)
        ends, lasts = self.one(event, "DTEND"), self.one(event, "DURATION")
        if ends is not None:
            end = self.moment(ends)
            late = timedelta(minutes=1) if self.wrong == "DTEND is exclusive" else timedelta()
            first = read(local, local, start.where)[0]
            return first, read(end.local + shift + late, end.local + shift + late, end.where)[1]
        days = (
            DAY if start.is_day and self.wrong != "an event of days without DTEND lasts one" else timedelta()
        )
        exact = timedelta()
        if lasts is not None:
            found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", lasts.value)
            assert found is not None
            days, hours = timedelta(days=int(found[1] or 0)), timedelta(hours=int(found[2] or 0))
            exact = hours + timedelta(minutes=int(found[3] or 0))
            if self.wrong == "hours of a DURATION are exact":
                days, exact = days + exact, timedelta()
            if self.wrong == "days of a DURATION are days of the wall clock":
                days, exact = timedelta(), days + exact
        first, last = read(local, local + days, start.where)
        return first, last + int(exact.total_seconds())

    def moment(self, read: Property) -> Moment:
        value, where = read.value, self.home
        if "TZID" in read.parameters and self.wrong != "TZID is the zone of a time":
            where = zone(read.parameters["TZID"])
        if len(value) == 8:
            return Moment(datetime.strptime(value, "%Y%m%d"), where, is_day=True)  # noqa: DTZ007
        local = datetime.strptime(value[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007 - a wall clock
        return Moment(local, zone("UTC") if value.endswith("Z") else where, is_day=False)

    def elsewhere(self, time: Moment, start: Moment) -> datetime:
        """A time on the wall clock of a start."""
        if time.is_day or time.where is start.where:
            return time.local
        return shown(instants_of(time.local, time.where)[0], start.where)

    def one(self, event: list[Property], name: str) -> Property | None:
        return next((each for each in event if each.name == name), None)

    def named(self, event: list[Property], name: str) -> Property:
        return next(each for each in event if each.name == name)

    def text(self, event: list[Property], name: str) -> str:
        found = self.one(event, name)
        return found.value if found else ""


def recurring(start: datetime, parts: dict[str, str], wrong: str | None) -> Iterator[datetime]:
    """The local times of a rule, in order: the days of each period, by its BY parts."""
    frequency, interval = parts["FREQ"], int(parts.get("INTERVAL", 1))
    if wrong == "INTERVAL skips periods":
        interval = 1
    week_start = 0 if wrong == "WKST begins a week" else WEEK.index(parts.get("WKST", "MO"))
    hours = [int(each) for each in parts.get("BYHOUR", str(start.hour)).split(",")]
    day, first, group = start.date(), period(start.date(), frequency, week_start), list[date]()
    current = first
    day -= day - beginning(day, frequency, week_start)
    while day < LAST + 2 * DAY:
        number = period(day, frequency, week_start)
        if number != current:
            yield from chosen(group, parts, start, hours, wrong)
            group, current = [], number
        if (number - first) % interval == 0 and matches(day, parts, start.date(), wrong):
            group.append(day)
        day += DAY
    yield from chosen(group, parts, start, hours, wrong)


def chosen(
    group: list[date], parts: dict[str, str], start: datetime, hours: list[int], wrong: str | None
) -> Iterator[datetime]:
    time = start.time()
    time = start.time()
    times = [datetime.combine(day, time.replace(hour=hour)) for day in group for hour in hours]
    if "BYSETPOS" in parts and wrong != "BYSETPOS picks from a period":
        positions = [int(each) for each in parts["BYSETPOS"].split(",")]
        times = [
            each
            for number, each in enumerate(times)
            if number + 1 in positions or number - len(times) in positions
        ]
    yield from (each for each in times if each >= start)


def period(day: date, frequency: str, week_start: int) -> int:
    if frequency == "DAILY":
        return day.toordinal()
    if frequency == "WEEKLY":
        return (day.toordinal() - 1 - week_start) // 7
    return day.year if frequency == "YEARLY" else day.year * 12 + day.month


def beginning(day: date, frequency: str, week_start: int) -> date:
    while period(day - DAY, frequency, week_start) == period(day, frequency, week_start):
        day -= DAY
    return day


def matches(day: date, parts: dict[str, str], start: date, wrong: str | None) -> bool:  # noqa: PLR0911
    """Whether a day is one of those of a rule."""
    frequency = parts["FREQ"]
    length = calendar.monthrange(day.year, day.month)[1]
    if "BYMONTH" in parts and wrong != "BYMONTH limits the months":
        if day.month not in [int(each) for each in parts["BYMONTH"].split(",")]:
            return False
    elif frequency == "YEARLY" and not {"BYDAY", "BYMONTHDAY"} & set(parts) and day.month != start.month:
        return False
    if "BYMONTHDAY" in parts:
        numbers = [int(each) for each in parts["BYMONTHDAY"].split(",")]
        if wrong == "BYMONTHDAY counts from the end if negative":
            numbers = [abs(each) for each in numbers]
        if wrong == "a month without the day is left out":
            numbers = [min(each, length) for each in numbers]
        if day.day not in numbers and day.day - length - 1 not in numbers:
            return False
    if "BYDAY" in parts:
        return any(falls_on(day, each, parts, wrong) for each in parts["BYDAY"].split(","))
    if frequency == "WEEKLY":
        return day.weekday() == start.weekday()
    if frequency in ("MONTHLY", "YEARLY") and "BYMONTHDAY" not in parts:
        wanted = min(start.day, length) if wrong == "a month without the day is left out" else start.day
        return day.day == wanted
    return True


def falls_on(day: date, written: str, parts: dict[str, str], wrong: str | None) -> bool:
    """Whether a day is ``TU``, or ``2TU`` of its month or, without months, of its year."""
    nth = int(written[:-2] or 0)
    if day.weekday() != WEEK.index(written[-2:]):
        return False
    if nth == 0:
        return True
    of_year = parts["FREQ"] == "YEARLY" and "BYMONTH" not in parts
    number = day.timetuple().tm_yday if of_year else day.day
    size = 365 + calendar.isleap(day.year) if of_year else calendar.monthrange(day.year, day.month)[1]
    if nth < 0:
        if wrong == "BYDAY may be the last":
            return (number - 1) // 7 + 1 == 4
        return (size - number) // 7 + 1 == -nth
    return (number - 1) // 7 + 1 == nth + (wrong == "BYDAY may be the nth")
