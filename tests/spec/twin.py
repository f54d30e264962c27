"""The slow twin: the policy language a second time, written to be read beside the contract.

It shares no code with the engine. It works on the plain data of policies.yaml, on naive datetimes
for wall clocks, and asks of one instant at a time: "does this policy veto now?" It finds the next
flip by asking again at every bound in between. Nothing here is meant to be quick.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import holidays as calendars

DAY = timedelta(days=1)
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
EARLIEST = 946_684_800
LATEST = 4_133_980_800
LOOK_AHEAD = 731 * 86_400

Occurrence = tuple[int, int]


# --- local time -------------------------------------------------------------------------------


@cache
def zone(name: str) -> ZoneInfo:
    path = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def shown(instant: int, where: ZoneInfo) -> datetime:
    """What a wall clock shows at an instant."""
    return datetime.fromtimestamp(instant, where).replace(tzinfo=None)


@cache
def instants_of(local: datetime, where: ZoneInfo) -> list[int]:
    """Every instant at which a wall clock shows `local`; in a gap the first instant after it."""
    found = set()
    naive = int(local.replace(tzinfo=UTC).timestamp())
    for fold in (0, 1):
        offset = local.replace(tzinfo=where, fold=fold).utcoffset()
        assert offset is not None
        instant = naive - int(offset.total_seconds())
        if shown(instant, where) == local:
            found.add(instant)
    if found:
        return sorted(found)
    # A gap: somewhere in these three days the clock jumps over `local`; halve until the jump is found.
    before, after = naive - 2 * 86_400, naive + 2 * 86_400
    while after - before > 1:
        middle = (before + after) // 2
        if shown(middle, where) < local:
            before = middle
        else:
            after = middle
    return [after]


# --- reading ----------------------------------------------------------------------------------


def time_of(text: str) -> timedelta:
    hours, minutes, *seconds = (int(part) for part in text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0)


def duration_of(text: str) -> int:
    units = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
    total, number = 0, ""
    for sign in text:
        if sign in units:
            total += int(number) * units[sign]
            number = ""
        else:
            number += sign
    return total


def weekdays_of(items: list[str]) -> set[int]:
    days: set[int] = set()
    for item in items:
        first, _, last = item.partition("-")
        day = WEEK.index(first)
        days.add(day)
        while WEEK[day] != (last or first):
            day = (day + 1) % 7
            days.add(day)
    return days


# --- windows: every occurrence that may touch the days from `first` to `last` ---------------------


def weekly(spec: dict[str, Any], first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
    day_from, time_from = spec["from"].split()
    day_to, time_to = spec["to"].split()
    for day in days(first - 9 * DAY, last):
        if day.weekday() == WEEK.index(day_from) and is_counted(spec, day):
            start = midnight(day) + time_of(time_from)
            end = midnight(day) + time_of(time_to)
            while end <= start or end.weekday() != WEEK.index(day_to):
                end += DAY
            yield start, end


def is_counted(spec: dict[str, Any], day: date) -> bool:
    """Whether the week of a day is a whole number of turns away from the week of `starting`."""
    if "every" not in spec:
        return True
    starting = date.fromisoformat(spec["starting"])
    apart = (monday_of(day) - monday_of(starting)).days // 7
    return apart % int(spec["every"]) == 0


def monday_of(day: date) -> date:
    return date.fromisocalendar(*day.isocalendar()[:2], 1)


def daily(spec: dict[str, Any], first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
    on = weekdays_of(spec.get("days", ["mon-sun"]))
    for day in days(first - 2 * DAY, last):
        if day.weekday() in on:
            start = midnight(day) + time_of(spec["from"])
            end = midnight(day) + time_of(spec["to"])
            yield start, end if end > start else end + DAY


def monthly(spec: dict[str, Any], first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
    def bounds(text: str, bare: str) -> list[tuple[date, datetime | None]]:
        """Of each month from long before to after these days, its first day and the bound that it has."""
        *words, time = text.split()
        if ":" not in time:
            words, time = [*words, time], bare
        found = []
        month = first.replace(day=1)
        for _ in range(40):
            month = (month - DAY).replace(day=1)
        while month < last + 400 * DAY:
            day = day_of_month(words, month, json.dumps(spec.get("workdays", {})))
            found.append((month, None if day is None else midnight(day) + time_of(time)))
            month = (month + 31 * DAY).replace(day=1)
        return found

    ends = bounds(str(spec["to"]), "24:00")
    for number, (month, start) in enumerate(bounds(str(spec["from"]), "00:00")):
        if start is None or start.date() > last or month.month not in months_of(spec):
            continue
        later = [end for _, end in ends[max(number - 11, 0) : number + 24] if end is not None and end > start]
        yield start, min(later) if later else midnight(month.replace(year=month.year + 2))


def months_of(spec: dict[str, Any]) -> set[int]:
    names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    months = set()
    for item in spec.get("months", ["jan-dec"]):
        month, _, last = item.partition("-")
        months.add(names.index(month) + 1)
        while month != (last or month):
            month = names[(names.index(month) + 1) % 12]
            months.add(names.index(month) + 1)
    return months


def day_of_month(words: list[str], month: date, workdays: str) -> date | None:
    """The day that `15`, `last`, `2nd tue` or `last workday -2` means in a month that begins on a day."""
    steps = int(words[-1]) if words[-1][0] in "+-" else 0
    words = [word for word in words if word[0] not in "+-"]
    unit = words[1] if len(words) == 2 else "day"

    def counts(day: date) -> bool:
        if unit == "workday":
            return is_workday(workdays, day)
        return unit == "day" or day.weekday() == WEEK.index(unit)

    those = [day for day in days(month, (month + 31 * DAY).replace(day=1) - DAY) if counts(day)]
    wanted = words[0].replace("first", "1").replace("last", str(len(those))).rstrip("stndrh")
    if not 1 <= int(wanted) <= len(those):
        return None
    day = those[int(wanted) - 1]
    while steps:
        day += DAY if steps > 0 else -DAY
        if unit != "workday" or is_workday(workdays, day):
            steps -= 1 if steps > 0 else -1
    return day


@lru_cache(maxsize=100_000)
def is_workday(written: str, day: date) -> bool:
    """Whether a day is worked on by the calendar that `workdays` describes, written as JSON."""
    keys = json.loads(written)
    year = loaded(calendar_of(keys), day.year, "own") if "country" in keys or "market" in keys else None
    is_holiday = year is not None and day in year
    # A date is an exception to what holds in every year; of the same kind, added days count.
    for own in (f"{day:%m-%d}", f"{day}"):
        if own in keys.get("remove", []):
            is_holiday = False
        if own in [each["date"] for each in keys.get("add", [])]:
            is_holiday = True
    is_weekend = day.weekday() in {5, 6} if year is None else year.is_weekend(day)
    if "weekend" in keys:
        is_weekend = day.weekday() in weekdays_of(keys["weekend"])
    is_made_up_for = year is not None and day in year.weekend_workdays
    return not is_holiday and (not is_weekend or is_made_up_for)


def dates(spec: dict[str, Any], first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
    start_day, _, start_time = spec["from"].partition(" ")
    end_day, _, end_time = spec["to"].partition(" ")
    start = midnight(date.fromisoformat(start_day)) + time_of(start_time or "00:00")
    yield start, midnight(date.fromisoformat(end_day)) + time_of(end_time or "24:00")


def yearly(spec: dict[str, Any], first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
    def in_year(year: int, text: str, bare: str) -> datetime:
        day, _, time = text.partition(" ")
        if day == "02-29" and not is_leap(year):
            return datetime(year, 3, 1)  # noqa: DTZ001
        return midnight(date.fromisoformat(f"{year}-{day}")) + time_of(time or bare)

    def in_leap_year(text: str, bare: str) -> datetime:
        return in_year(2000, text, bare)

    crosses = in_leap_year(spec["to"], "24:00") <= in_leap_year(spec["from"], "00:00")
    for year in range(first.year - 1, last.year + 1):
        yield in_year(year, spec["from"], "00:00"), in_year(year + crosses, spec["to"], "24:00")


def holidays(spec: dict[str, Any], first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
    calendar = calendar_of(spec)
    has_package = bool(spec.get("country") or spec.get("market"))
    weekend = weekdays_of(spec["weekend"]) if "weekend" in spec else {5, 6}
    count = int(spec.get("eve_days", 1))

    @cache
    def names_on(day: date) -> list[set[str]]:
        in_full, every_year = f"{day:%Y-%m-%d}", f"{day:%m-%d}"
        found = holiday_names(calendar, day.year).get(day, []) if has_package else []
        for written in (every_year, in_full):
            if written in spec.get("remove", []):
                found = []
            titles = [own["title"] for own in spec.get("add", []) if own["date"] == written]
            found = [*found, *({title} for title in titles)]
        return found

    def is_off(day: date) -> bool:
        if names_on(day):
            return True
        is_made_up_for = has_package and day in loaded(calendar, day.year, "own").weekend_workdays
        if has_package and "weekend" not in spec:
            return loaded(calendar, day.year, "own").is_weekend(day) and not is_made_up_for
        return day.weekday() in weekend and not is_made_up_for

    def is_meant(names: set[str], patterns: list[str]) -> bool:
        return any(
            glob(pattern.lower(), name.lower().replace("/", " ")) for pattern in patterns for name in names
        )

    def is_frozen(day: date) -> bool:
        return any(
            is_meant(names, spec.get("names", ["*"])) and not is_meant(names, spec.get("except_names", []))
            for names in names_on(day)
        )

    def is_bridge(day: date) -> bool:
        beside = (day - DAY, day + DAY)
        return bool(
            spec.get("bridge_days")
            and not is_off(day)
            and all(is_off(each) for each in beside)
            and any(is_frozen(each) for each in beside)
        )

    def next_working_day(day: date, step: timedelta) -> date:
        day += step
        while is_off(day) or is_bridge(day):
            day += step
        return day

    def eve(day: date) -> date:
        for _ in range(count):
            day = next_working_day(day, -DAY)
        return day

    for day in days(first - 30 * DAY, last + (30 + 7 * (count - 1)) * DAY):
        if not (is_frozen(day) or is_bridge(day)):
            continue
        start, end = midnight(day), midnight(day + DAY)
        if "eve_from" in spec:
            start = midnight(eve(day)) + time_of(spec["eve_from"])
        if "until" in spec:
            end = midnight(next_working_day(day, DAY)) + time_of(spec["until"])
        yield start, end


HolidayCalendar = tuple[str | None, str | None, tuple[str, ...], str | None]


def calendar_of(spec: dict[str, Any]) -> HolidayCalendar:
    part = spec.get("subdivision")
    where = spec.get("country"), None if part == "none" else part
    return *where, tuple(spec.get("categories", [])), spec.get("market")


@cache
def loaded(calendar: HolidayCalendar, year: int, language: str) -> Any:
    """A year of the package's calendar, in its own language or in English where it has that."""
    country, part, categories, market = calendar
    entity = getattr(calendars, market or country or "")
    has_english = language == "english" and "en_US" in entity.supported_languages
    plain: dict[str, Any] = {
        "years": [year],
        "expand": False,
        "language": "en_US" if has_english else entity.default_language,
        "categories": categories or None,
    }
    if market:
        return calendars.financial_holidays(market, **plain)
    return calendars.country_holidays(country or "", subdiv=part, **plain)


def variants(calendar: HolidayCalendar, name: str) -> list[str]:
    """A name, and what remains of it as its marks are taken off; the last one bears none."""
    found = [name]
    for language in ("own", "english"):
        source = loaded(calendar, 2026, language)
        for label in ("observed_estimated_label", "estimated_label", "observed_label"):
            before, sign, after = source.tr(getattr(source, label, "")).partition("%s")
            inner = found[-1].removeprefix(before).removesuffix(after).strip()
            if sign and found[-1] == before + inner + after and inner != found[-1]:
                return found + variants(calendar, inner)
    return found


@cache
def dictionary(calendar: HolidayCalendar) -> dict[str, str]:
    """The English of each name, learnt from the days that have a single one."""
    learnt = {}
    for year in range(2000, 2060):
        own, english = loaded(calendar, year, "own"), loaded(calendar, year, "english")
        for day in own:
            if len(own.get_list(day)) == 1:
                learnt[variants(calendar, own[day])[-1]] = variants(calendar, english[day])[-1]
    return learnt


@cache
def holiday_names(calendar: HolidayCalendar, year: int) -> dict[date, list[set[str]]]:
    """Of each day, what each of its holidays is called: in both languages, with and without marks."""
    own, english = loaded(calendar, year, "own"), loaded(calendar, year, "english")
    found: dict[date, list[set[str]]] = {}
    for day in own:
        found[day] = []
        for name in own.get_list(day):
            bare = variants(calendar, name)[-1]
            translated = {
                each
                for other in english.get_list(day)
                if variants(calendar, other)[-1] == dictionary(calendar)[bare]
                for each in variants(calendar, other)
            }
            found[day].append({*variants(calendar, name), *translated})
    return found


def firings(
    expression: str, first: date, last: date, where: ZoneInfo, *, late: bool
) -> list[tuple[datetime, int]]:
    """Every firing of a cron expression of numbers, lists, steps and stars: the local time, the instant.

    Where a fixed time is shown twice, it fires in the second pass if `late`, else in the first.
    """
    minute, hour, day_of_month, month, day_of_week = expression.split()
    times = [
        timedelta(hours=each, minutes=other)
        for each in range(24)
        for other in range(60)
        if cron_field(hour, each, 0, 23) and cron_field(minute, other, 0, 59)
    ]
    found: set[tuple[datetime, int]] = set()
    for day in days(first, last):
        if not cron_field(month, day.month, 1, 12):
            continue
        by_month = cron_field(day_of_month, day.day, 1, 31)
        by_week = cron_field(day_of_week, (day.weekday() + 1) % 7, 0, 6)
        starred = day_of_month.startswith("*") or day_of_week.startswith("*")
        if not (by_month and by_week if starred else by_month or by_week):
            continue
        for time in times:
            local = midnight(day) + time
            instants = instants_of(local, where)
            if is_wildcard(expression):
                found.update((local, at) for at in instants if shown(at, where) == local)
            else:
                found.add((local, instants[-1] if late else instants[0]))
    return sorted(found, key=lambda each: each[1])


def is_wildcard(expression: str) -> bool:
    """Whether it fires whenever the wall clock shows its times: its minute or hour begins with a star."""
    minute, hour, *_ = expression.split()
    return minute.startswith("*") or hour.startswith("*")


@cache
def cron_field(field: str, value: int, low: int, high: int) -> bool:
    for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]):
        field = field.replace(name, str(number))
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, last = (low, high) if span == "*" else (int(span.split("-")[0]), int(span.split("-")[-1]))
        if first <= value <= last and (value - first) % int(step or 1) == 0:
            return True
    return False


# --- policies ---------------------------------------------------------------------------------


def occurrences(
    entry: dict[str, Any], near: Occurrence, where: ZoneInfo, *, wide: bool
) -> Iterator[Occurrence]:
    """Every occurrence of a window that may touch the instants of `near`, as instants."""
    ((kind, spec),) = entry.items()
    if kind == "always":
        yield EARLIEST, LATEST
        return
    first, last = shown(near[0], where).date() - DAY, shown(near[1], where).date() + DAY
    if kind == "cron":
        yield from cron(spec, first, last, where, near, wide=wide)
        return
    local = {
        "weekly": weekly,
        "monthly": monthly,
        "daily": daily,
        "dates": dates,
        "yearly": yearly,
        "holidays": holidays,
    }
    for start, end in local[kind](spec, first, last):
        starts, ends = instants_of(start, where), instants_of(end, where)
        # Ambiguity never shortens a freeze.
        yield (starts[0], ends[-1]) if wide else (starts[-1], ends[0])


def cron(
    spec: dict[str, Any], first: date, last: date, where: ZoneInfo, near: Occurrence, *, wide: bool
) -> Iterator[Occurrence]:
    if "duration" in spec:
        length = duration_of(spec["duration"])
        since = first - timedelta(seconds=length) - DAY
        for _, at in firings(spec["start"], since, last, where, late=not wide):
            yield at, at + length
        return
    # Far enough to see a closing on either side: some expressions fire twice a year.
    for reach in (70 * DAY, 400 * DAY, 4000 * DAY):
        closings = firings(spec["end"], first - reach, last + reach, where, late=wide)
        if closings and closings[0][1] < near[0] - 2 * 86_400 and closings[-1][1] > near[1] + 2 * 86_400:
            break
    for local, at in firings(spec["start"], first - reach, last, where, late=not wide):
        if is_wildcard(spec["end"]):
            yield at, min((end for _, end in closings if end > at), default=LATEST)
        else:
            # As in weekly: the next such local time. Where the clocks leave nothing of it, it is empty.
            later = [end for shown_end, end in closings if shown_end > local]
            yield at, min(later, default=LATEST)


class Rule:
    """One policy, read in one zone, near some instants."""

    def __init__(self, policy: dict[str, Any], zone_name: str, near: Occurrence) -> None:
        self.id = policy["id"]
        self.effect = policy.get("effect", "deny")
        where = zone(zone_name)
        wide = self.effect != "allow-only"
        self.open = [each for entry in policy["when"] for each in occurrences(entry, near, where, wide=wide)]
        self.taken = [
            each
            for entry in policy.get("except_when", [])
            for each in occurrences(entry, near, where, wide=not wide)
        ]

    def holds(self, instant: int) -> bool:
        """Whether it vetoes, or warns, at an instant."""
        within = any(start <= instant < end for start, end in self.open)
        taken = any(start <= instant < end for start, end in self.taken)
        is_open = within and not taken
        return not is_open if self.effect == "allow-only" else is_open

    def bounds(self) -> set[int]:
        return {bound for pair in (*self.open, *self.taken) for bound in pair}


def matches(selectors: Any, facts: dict[str, Any]) -> bool:
    listed = [selectors] if isinstance(selectors, dict) else selectors
    return any(
        all(
            any(glob(pattern, fact) for pattern in values for fact in facts[field])
            for field, values in one.items()
        )
        for one in listed
    )


def glob(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern in which a star stands for anything but a slash."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return glob(pattern[1:], text) or (bool(text) and text[0] != "/" and glob(pattern, text[1:]))
    return bool(text) and text[0] == pattern[0] and glob(pattern[1:], text[1:])


class Twin:
    """The policies that match one request, near some instants; `known` are rules read before."""

    def __init__(
        self,
        policy_set: dict[str, Any],
        question: dict[str, Any],
        near: Occurrence,
        known: dict[tuple[str, str, Occurrence], Rule],
    ) -> None:
        self.near = near
        service = question["service"]
        entry = (policy_set.get("services") or {}).get(service, {})
        facts = {
            "services": [service],
            "environments": [question.get("environment", "production")],
            "changes": [question.get("change", "normal")],
            "tags": entry.get("tags", []),
        }
        home = policy_set["timezone"]
        self.rules = []
        for policy in policy_set["policies"]:
            if "applies_to" in policy and not matches(policy["applies_to"], facts):
                continue
            if "exempt" in policy and matches(policy["exempt"], facts):
                continue
            name = policy.get("timezone", home)
            name = entry.get("timezone", home) if name == "service" else name
            key = (policy["id"], name, near)
            if key not in known:
                known[key] = Rule(policy, name, near)
            self.rules.append(known[key])
        self.vetoers = [rule for rule in self.rules if rule.effect != "warn"]
        self.bounds = sorted({bound for rule in self.vetoers for bound in rule.bounds()})

    def vetoed(self, instant: int) -> bool:
        return any(rule.holds(instant) for rule in self.vetoers)

    def holding(self, start: int, end: int) -> tuple[list[str], list[str]]:
        """Who vetoes and who warns anywhere in ``[start, end)``, in the order of the file."""
        moments = {
            start,
            *(bound for rule in self.rules for bound in rule.bounds() if start < bound < end),
        }
        held = [rule for rule in self.rules if any(rule.holds(moment) for moment in moments)]
        return (
            [rule.id for rule in held if rule.effect != "warn"],
            [rule.id for rule in held if rule.effect == "warn"],
        )

    def closing(self, at: int, length: int, flips_at: int) -> list[str]:
        """Who vetoes from the flip of an open answer on, in the order of the file."""
        if not self.fits(at, length):
            return []
        last = flips_at + max(length, 1) - 1  # the second of the deploy that runs into it
        return [rule.id for rule in self.vetoers if rule.holds(last)]

    def stretches(self, start: int, end: int) -> dict[str, tuple[int | None, int | None]]:
        """Of each policy that holds anywhere in ``[start, end)``, the bounds of its first stretch there.

        A bound is None where it is not near.
        """
        found = {}
        for rule in self.rules:
            bounds = sorted(rule.bounds())
            moments = [start, *(bound for bound in bounds if start < bound < end)]
            first = next((moment for moment in moments if rule.holds(moment)), None)
            if first is not None:
                begins = (b for b in reversed(bounds) if b <= first and not rule.holds(b - 1))
                ends = (b for b in bounds if b > first and not rule.holds(b))
                found[rule.id] = self._near(next(begins, None)), self._near(next(ends, None))
        return found

    def _near(self, bound: int | None) -> int | None:
        return bound if bound is not None and self.near[0] <= bound <= self.near[1] else None

    def fits(self, start: int, length: int) -> bool:
        """Whether a deploy of `length` seconds may start."""
        end = start + max(length, 1)
        return not any(
            self.vetoed(moment) for moment in (start, *(b for b in self.bounds if start < b < end))
        )

    def next_flip(self, at: int, length: int, until: int) -> int | None:
        """The first start after `at` with another answer, looked for at each that could be one."""
        answer = self.fits(at, length)
        starts = {bound for bound in self.bounds if at < bound <= until}
        starts |= {bound - max(length, 1) + 1 for bound in self.bounds}
        for start in sorted(starts):
            if at < start <= until and start < LATEST and self.fits(start, length) != answer:
                return start
        return None


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001


def days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += DAY


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
