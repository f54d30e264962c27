"""Pydantic field types for the times written in policies.yaml.

The JSON Schema of the models carries the same patterns that the parsers use.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from app.core.errors import MalformedValueError
from app.core.month_day import MONTH_BOUND, MONTH_RANGE, MonthBound, parse_month_bound, parse_months
from app.core.notation import (
    CALENDAR_DAY,
    DATE,
    DATE_BOUND,
    DAYS,
    ISO_DURATION,
    SHORT_DURATION,
    TIME,
    TIME_OF_DAY,
    WEEK_TIME,
    YEAR_BOUND,
    CalendarDay,
    DateBound,
    WeekTime,
    YearBound,
    parse_calendar_day,
    parse_date,
    parse_date_bound,
    parse_days,
    parse_end_of_day,
    parse_positive_duration,
    parse_time_of_day,
    parse_week_time,
    parse_year_bound,
    parse_zone_name,
)


def _written(parse: Callable[[str], object]) -> BeforeValidator:
    def validate(value: Any) -> Any:
        if not isinstance(value, str):
            raise MalformedValueError(f"expected a text, not {_kind_of(value)}; write it in quotes")
        return parse(value)

    return BeforeValidator(validate)


def _kind_of(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", dict: "a mapping", list: "a list"}
    return names.get(type(value), "nothing" if value is None else "that")


def _schema(title: str, pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"title": title, "type": "string", "pattern": f"^(?:{pattern})$", "examples": list(examples)}
    )


TimeOfDay = Annotated[
    int, _written(parse_time_of_day), _schema("time of day", TIME_OF_DAY.pattern, "14:00", "14:00:30")
]
EndOfDay = Annotated[
    int, _written(parse_end_of_day), _schema("time of day", rf"{TIME}|24:00(?::00)?", "16:00", "24:00")
]
WeekTimeText = Annotated[
    WeekTime, _written(parse_week_time), _schema("weekday and time", WEEK_TIME.pattern, "fri 14:00")
]
Weekdays = Annotated[
    tuple[int, ...], _written(parse_days), _schema("weekday or range", DAYS.pattern, "sat", "mon-thu")
]
DateText = Annotated[int, _written(parse_date), _schema("date", DATE.pattern, "2026-12-11")]
DateBoundText = Annotated[
    DateBound,
    _written(parse_date_bound),
    _schema("date or local time", DATE_BOUND.pattern, "2026-12-11", "2026-12-11 18:00"),
]
YearBoundText = Annotated[
    YearBound,
    _written(parse_year_bound),
    _schema("day of the year", YEAR_BOUND.pattern, "12-20", "12-20 18:00"),
]
CalendarDayText = Annotated[
    CalendarDay,
    _written(parse_calendar_day),
    _schema("day", CALENDAR_DAY.pattern, "2027-06-11", "06-11"),
]
MonthBoundText = Annotated[
    MonthBound,
    BeforeValidator(parse_month_bound),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 31},
                {"title": "day of the month", "type": "string", "pattern": f"^(?:{MONTH_BOUND.pattern})$"},
            ],
            "examples": ["last workday -2 18:00"],
        }
    ),
]
Months = Annotated[
    tuple[int, ...],
    BeforeValidator(parse_months),
    _schema("month or range", MONTH_RANGE.pattern, "mar", "jan-mar"),
]
Duration = Annotated[
    int,
    _written(parse_positive_duration),
    _schema("duration", f"{SHORT_DURATION.pattern}|{ISO_DURATION.pattern}", "66h", "1d12h", "PT20M"),
]
ZoneName = Annotated[
    str,
    _written(parse_zone_name),
    WithJsonSchema({"title": "time zone", "type": "string", "examples": ["Europe/Amsterdam"]}),
]
