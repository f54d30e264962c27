"""Five-field cron expressions: parsed by cronsim with Debian's semantics, and expanded into their fields.

Errors suggest what to write instead, also for the dialects of other programs.
"""

import calendar
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints

from app.core.errors import MalformedValueError
from app.core.instant import DAY, EARLIEST, HOUR, LATEST, MINUTE
from app.core.wallclock import calendar_date

WEEK: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
EVERY_DAY: Final = frozenset(range(1, 32))

_FIELDS: Final = 5
_SATURDAY: Final = 5
_LONGEST_MONTH: Final = 31
_RANGE: Final = re.compile(r"(\w+)-(\w+)", re.ASCII)
_LAST_OF_NAME: Final = re.compile(rf"({'|'.join(WEEK)})L", re.ASCII)
_HINTS: Final = {
    "bad minute": "minutes are 0 to 59",
    "bad hour": "hours are 0 to 23",
    "bad day-of-month": "days of the month are 1 to 31, L the last, LW the last from Monday to Friday",
    "bad month": "months are 1 to 12 or JAN to DEC",
    "bad day-of-week": "days are SUN to SAT or 0 to 7, FRI#1 to FRI#5 those of a month, 5L the last Friday",
}
_SHORTHANDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class Schedule(NamedTuple):
    """A parsed cron expression. Sunday is 0, as in cron."""

    times: tuple[int, ...]
    """Seconds of the day at which it fires, in order."""
    wildcard: bool
    """Whether its minute or hour begins with a star. As in Debian's cron, it then fires whenever the wall
    clock shows its times: in both passes of a repeated hour, and not at all in an hour that is skipped."""
    months: frozenset[int]
    days: frozenset[int]
    last_day: bool
    last_working_day: bool
    weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]
    last_weekdays: frozenset[int]
    both: bool
    """Whether day of month and day of week must both match (one begins with a star), not just either."""

    @property
    def takes_every_day_of_month(self) -> bool:
        """Whether its day of the month leaves no day out."""
        return self.days >= EVERY_DAY

    @property
    def takes_every_weekday(self) -> bool:
        """Whether its day of the week leaves no day out."""
        return len(self.weekdays) == len(WEEK)

    def fires_on(self, on: date) -> bool:
        """Return whether it fires on a calendar day."""
        if on.month not in self.months:
            return False
        if self.both:
            return self._matches_month(on) and self._matches_week(on)
        return self._matches_month(on) or self._matches_week(on)

    def _matches_month(self, on: date) -> bool:
        if on.day in self.days:
            return True
        if not (self.last_day or self.last_working_day):
            return False
        last = calendar.monthrange(on.year, on.month)[1]
        beyond = max(0, date(on.year, on.month, last).weekday() - _SATURDAY + 1)
        return (self.last_day and on.day == last) or (self.last_working_day and on.day == last - beyond)

    def _matches_week(self, on: date) -> bool:
        number = on.isoweekday() % 7
        if number in self.weekdays or (number, (on.day - 1) // 7 + 1) in self.nth_weekdays:
            return True
        return number in self.last_weekdays and on.day + 7 > calendar.monthrange(on.year, on.month)[1]


@lru_cache(maxsize=4096)
def _checked(text: str) -> str:
    """Validate an expression at load time, so that expanding it later can't fail."""
    if text.startswith("@"):
        five = _SHORTHANDS.get(text.lower(), "0 0 * * *")
        raise MalformedValueError(f'@ shorthands are not read; write five fields, such as "{five}"')
    if len(text.split()) != _FIELDS:
        raise MalformedValueError(
            "not five fields (minute, hour, day of month, month, day of week), such as "
            f'"0 18 * * FRI"{_on_other_dialects(text)}'
        )
    schedule = read_expression(text)
    if not any(map(schedule.fires_on, map(calendar_date, range(EARLIEST // DAY, LATEST // DAY)))):
        raise MalformedValueError("this expression never fires")
    return text


Expression = Annotated[
    str,
    StringConstraints(max_length=200, strip_whitespace=True),
    AfterValidator(_checked),
    Field(title="cron expression"),
]


@lru_cache(maxsize=4096)
def read_expression(text: str) -> Schedule:
    """Parse an expression.

    Raises:
        MalformedValueError: it is no cron expression.
    """
    from cronsim import CronSim, CronSimError

    try:
        parsed = CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise MalformedValueError(_complaint(str(error).lower(), text)) from None
    return Schedule(
        times=tuple(sorted(h * HOUR + m * MINUTE for h in parsed.hours for m in parsed.minutes)),
        wildcard=any(field.startswith("*") for field in text.split()[:2]),
        months=frozenset(parsed.months),
        days=frozenset(parsed.days),
        last_day=CronSim.LAST in parsed.days,
        last_working_day=CronSim.LAST_WEEKDAY in parsed.days,
        both=parsed.day_and,
        **_days_of_week(parsed.weekdays, CronSim.LAST),
    )


def _days_of_week(parsed: Iterable[int | tuple[int, int]], last: int) -> dict[str, frozenset[Any]]:
    """Return the fields of a `Schedule` for a day of the week as cronsim parses it."""
    pairs = [item for item in parsed if isinstance(item, tuple)]
    return {
        "weekdays": frozenset(item % 7 for item in parsed if isinstance(item, int)),
        "nth_weekdays": frozenset((day % 7, nth) for day, nth in pairs if nth != last),
        "last_weekdays": frozenset(day % 7 for day, nth in pairs if nth == last),
    }


def _on_other_dialects(text: str) -> str:
    """Return a hint for expressions in another program's dialect."""
    first, *rest = text.split() or [""]
    if first.upper().startswith(("TZ=", "CRON_TZ=")):
        return "; the zone goes to the policy's timezone"
    if first.isdecimal() and len(rest) == _FIELDS:
        return "; if the first of yours are seconds, leave them out"
    return ""


def _complaint(found: str, text: str) -> str:
    """Return the error sentence: what is wrong, and what to write instead."""
    minute, hour, days, _, weekdays = text.upper().split()
    hint = _HINTS.get(found, "")
    if "?" in (days, weekdays):
        hint = f'? is not read, write *; did you mean "{_last_by_number(text.replace("?", "*"))}"?'
    elif "H" in (minute[:1], hour[:1]):
        hint += "; H, by which Jenkins spreads its load, is none"
    elif found == "bad day-of-week":
        hint = next(_on_weekdays(text, weekdays), hint)
    elif found == "bad day-of-month" and days.isdecimal() and 1 <= int(days) <= _LONGEST_MONTH:
        hint = "a day that its months do not have never fires"
    return f"not a cron expression: {found}" + (f"; {hint}" if hint else "")


def _on_weekdays(text: str, weekdays: str) -> Iterator[str]:
    """Yield hints on weekdays in the notation of other programs."""
    if "%" in weekdays:
        yield "for some weeks only write a weekly window with every: 2 and starting"
    if last := _LAST_OF_NAME.search(weekdays):
        better = _last_by_number(text)
        yield f'the last {last[1]} of a month is {WEEK.index(last[1])}L; did you mean "{better}"?'
    for match in _RANGE.finditer(weekdays):
        if _listed(match) != match[0]:
            yield f"a range does not wrap, write {_listed(match)}"


def _last_by_number(text: str) -> str:
    """Return the expression with ``FRIL`` written ``5L``, and its ranges of weekdays that wrap as lists."""
    *others, weekdays = text.split()
    if not _LAST_OF_NAME.search(weekdays.upper()):
        return text
    listed = _RANGE.sub(_listed, weekdays.upper())
    return " ".join([*others, _LAST_OF_NAME.sub(lambda found: f"{WEEK.index(found[1])}L", listed)])


def _listed(wrapping: re.Match[str]) -> str:
    """Return a range of weekdays that wraps as a list (``SAT,SUN``); any other as it is."""
    first, last = map(_number_of, wrapping.groups())
    if first is None or last is None or first <= last:
        return wrapping[0]
    days = [each % len(WEEK) for each in range(first, last + len(WEEK) + 1)]
    return ",".join(WEEK[day] if wrapping[1] in WEEK else str(day) for day in days)


def _number_of(day: str) -> int | None:
    return WEEK.index(day) if day in WEEK else int(day) if day.isdecimal() and int(day) <= len(WEEK) else None
