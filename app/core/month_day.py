"""Days of the month as `monthly` writes them: ``15``, ``2nd tue +2``, ``last workday -2 18:00``."""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.notation import TIME, WEEKDAYS, YEAR_BOUND, format_time_of_day, parse_time_of_day

DAY_OF_MONTH: Final = "day"
WORKDAY: Final = "workday"
MOST_OFFSET: Final = 31
LAST: Final = 0
"""The `nth` of the last day."""

_ORDINAL: Final = r"first|1st|2nd|3rd|(?:[4-9]|1\d|20)th|21st|22nd|23rd"
"""No month has more than 23 days from Monday to Friday."""

MONTH_BOUND: Final = re.compile(
    rf"(?:(0?[1-9]|[12]\d|3[01])|last|(last|{_ORDINAL}) +({'|'.join(WEEKDAYS)}|{WORKDAY}))"
    rf"(?: +([+-](?:0?[1-9]|[12]\d|3[01])))?(?: +({TIME}))?",
    re.ASCII,
)
_FIFTH: Final = 5
_WEEKDAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NTH_WORDS: Final = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
_NTH_NUMBERS: Final = {word: nth for nth, word in _NTH_WORDS.items()}
_LONG_OFFSET: Final = re.compile(r".*[a-z\d] +[+-](3[2-9]|[4-9]\d|\d{3,9})\b", re.ASCII)
_LONGEST: Final = 60
"""Characters of a text for which a correction is searched."""

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_RANGE: Final = re.compile(rf"({'|'.join(MONTHS)})(?:-({'|'.join(MONTHS)}))?", re.ASCII)


class MonthDay(NamedTuple):
    """A day of each month, or of those that have it."""

    unit: str
    """``day``, ``workday``, or a weekday such as ``tue``."""
    nth: int
    """Which of these units of the month; `LAST` is the last one."""
    offset: int = 0
    """Workdays after that day if the unit is a workday, else days; before it if negative."""


class MonthBound(NamedTuple):
    """A day of the month and a time of day in seconds, or None without a time."""

    day: MonthDay
    time: int | None


def parse_month_bound(value: Any) -> MonthBound:
    """Read ``last workday -2 18:00``: a day of the month, perhaps with an offset and a time.

    A day without either may be a number, for YAML reads 15 as one.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise MalformedValueError("expected a text")
    match = MONTH_BOUND.fullmatch(str(value))
    if match is None:
        raise MalformedValueError(_complaint(value))
    time = match[5]
    return MonthBound(_day_of(match), parse_time_of_day(time) if time else None)


def _day_of(match: re.Match[str]) -> MonthDay:
    number, ordinal, unit, offset = match.group(1, 2, 3, 4)
    nth = _nth_of(ordinal) if unit else int(number or LAST)
    if unit in WEEKDAYS and nth > _FIFTH:
        raise MalformedValueError(f"no month has a {format_nth(nth)} {unit}; the last one is last {unit}")
    return MonthDay(unit or DAY_OF_MONTH, nth, int(offset or 0))


def parse_months(value: Any) -> tuple[int, ...]:
    """Read a month (``mar``) or a range of them (``jan-mar``; ``nov-jan`` wraps): January is 1."""
    match = MONTH_RANGE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        near = _months_near(value)
        guess = f'; did you mean "{near}"?' if near else ""
        raise MalformedValueError(f'not a month such as "mar" or a range such as "jan-mar"{guess}')
    first = MONTHS.index(match[1])
    last = MONTHS.index(match[2] or match[1])
    return tuple((first + step) % 12 + 1 for step in range((last - first) % 12 + 1))


def _months_near(value: object) -> str | None:
    """Return the months that a number, or full names, mean."""
    if isinstance(value, int):
        return MONTHS[value - 1] if not isinstance(value, bool) and 1 <= value <= len(MONTHS) else None
    short = re.sub("[a-z]+", lambda word: word[0][:3], value.lower()) if isinstance(value, str) else ""
    return short if MONTH_RANGE.fullmatch(short) else None


def format_nth(nth: int) -> str:
    """Return ``1st``, ``22nd``, ``13th``, ``last``."""
    if nth == LAST:
        return "last"
    teens = range(11, 14)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(nth % 10, "th") if nth not in teens else "th"
    return f"{nth}{ending}"


def format_month_day(day: MonthDay) -> str:
    """Write a day as `parse_month_bound` reads it."""
    offset = f" {day.offset:+}" if day.offset else ""
    if day.unit == DAY_OF_MONTH:
        return f"{day.nth or 'last'}{offset}"
    return f"{format_nth(day.nth)} {day.unit}{offset}"


def format_month_bound(bound: MonthBound) -> str:
    """Write a day, with its time if it has one, as `parse_month_bound` reads it."""
    return format_month_day(bound.day) + ("" if bound.time is None else f" {format_time_of_day(bound.time)}")


def describe_month_bound(bound: MonthBound) -> str:
    """Return ``18:00, 2 workdays before the last workday``, ``08:00 on the first workday``, ``the 15th``."""
    day, time = bound
    said = _describe_unit(day)
    at = "" if time is None else format_time_of_day(time)
    if not day.offset:
        return f"{at} on {said}" if at else said
    steps = WORKDAY if day.unit == WORKDAY else DAY_OF_MONTH
    plural = "s" if abs(day.offset) > 1 else ""
    way = "after" if day.offset > 0 else "before"
    return f"{at}, " * bool(at) + f"{abs(day.offset)} {steps}{plural} {way} {said}"


def _describe_unit(day: MonthDay) -> str:
    if day.unit == DAY_OF_MONTH:
        return "the last day" if day.nth == LAST else f"the {format_nth(day.nth)}"
    name = _WEEKDAY_NAMES[WEEKDAYS.index(day.unit)] if day.unit in WEEKDAYS else day.unit
    return f"the {_NTH_WORDS.get(day.nth, format_nth(day.nth))} {name}"


def _nth_of(ordinal: str) -> int:
    if ordinal in ("last", "first"):
        return int(ordinal == "first")
    return int(ordinal[:-2])


def _complaint(value: str | int) -> str:
    """Return the error sentence, with a correction if one is near."""
    if isinstance(value, int) or re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return f"a month has no day {value}; its last one is called last"
    if YEAR_BOUND.fullmatch(value):
        return "not a day of the month but one of the year, which goes in a yearly window"
    if match := _LONG_OFFSET.match(value):
        return f"an offset is 31 at most, not {match[1]}"
    corrected = _corrected(value) if len(value) <= _LONGEST else value
    guess = f'; did you mean "{corrected}"?' if MONTH_BOUND.fullmatch(corrected) else ""
    return (
        'not a day of the month such as 15, "last", "2nd tue" or "last workday -2", perhaps with a time, '
        f'as in "last workday -2 18:00"{guess}'
    )


_UNIT: Final = rf"(?:{'|'.join(WEEKDAYS)}|{WORKDAY})"
_FROM_LAST: Final = {"second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3}


def _from_last(match: re.Match[str]) -> str:
    return f"last{match[2] or ''} -{_FROM_LAST.get(match[1], 1)}"


_Replacement = str | Callable[[re.Match[str]], str]
_CORRECTIONS: Final[tuple[tuple[str, _Replacement], ...]] = (
    (r"\b(?:of|in) (?:the |each |every |a )?(?:month|quarter)\b|\b(?:the|on|at)\b", " "),
    (r"\b(?:(?:working|work|business)[ -]?|week)days?\b|\b[bw]d\b", WORKDAY),
    (rf"\b({_UNIT})l\b", r"last \1"),
    (r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]+\b", r"\1"),
    (r"(?: ?(\+)| (-)|(?<=[a-z])(-)) ?(\d+) ?(?:d|days?|workdays?)?(?=$| )", r" \1\2\3\4"),
    (rf"\b({_UNIT})#([1-5])", r"\2 \1"),
    (r"\blw\b", f"last {WORKDAY}"),
    (r"\bl\b|\b(?:month[ -]?)?end\b|\beom\b|\bultimo\b|\blast day\b", "last"),
    (r"\bfirst day\b", "1"),
    (r"\bday (?=\d)", ""),
    (rf"\b(?:penultimate|(second|2nd|third|3rd|fourth|4th)[ -](?:to[ -])?last)( +{_UNIT})?", _from_last),
    (rf"\b({'|'.join(_NTH_NUMBERS)})(?=[ -]{_UNIT})", lambda match: format_nth(_NTH_NUMBERS[match[1]])),
    (rf"\b(\d\d?)(?:st|nd|rd|th)?(?=[ -]{_UNIT})", lambda match: format_nth(int(match[1]))),
    (rf"\b(\d\d?)(?:st|nd|rd|th)\b(?![ -]{_UNIT})", r"\1"),
    (r"^-(\d\d?)\b", lambda match: "last" if match[1] == "1" else f"last -{int(match[1]) - 1}"),
    (r"(?<=[a-z])-(?=[a-z])", " "),
    (r"(?<= )(\d\d?)h$", r"\1:00"),
    (r"(?<![\d:])(\d):(?=\d\d)", r"0\1:"),
    (r" +", " "),
)
"""Patterns of other notations, and what stands for them here; in order."""


def _corrected(text: str) -> str:
    """Return a text with other notations rewritten: ``Second Tuesday`` becomes ``2nd tue``."""
    found = " ".join(text.lower().split())
    for pattern, replacement in _CORRECTIONS:
        found = re.sub(pattern, replacement, found).strip()
    return found
