"""The notation of times as types for the models of policies.yaml.

They appear in the window models, so the JSON Schema carries the same patterns that the parsers read by.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from app.core.errors import MalformedValueError
from app.core.notation import (
    DATE_BOUND,
    DAYS,
    ISO_DURATION,
    SHORT_DURATION,
    TIME,
    TIME_OF_DAY,
    WEEK_TIME,
    YEAR_BOUND,
    DateBound,
    WeekTime,
    YearBound,
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


def _schema(pattern: re.Pattern[str], example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern.pattern})$", "examples": [example]})


TimeOfDay = Annotated[int, _written(parse_time_of_day), _schema(TIME_OF_DAY, "14:00")]
EndOfDay = Annotated[
    int,
    _written(parse_end_of_day),
    WithJsonSchema({"type": "string", "pattern": f"^(?:{TIME}|24:00(?::00)?)$", "examples": ["24:00"]}),
]
WeekTimeText = Annotated[WeekTime, _written(parse_week_time), _schema(WEEK_TIME, "fri 14:00")]
Weekdays = Annotated[tuple[int, ...], _written(parse_days), _schema(DAYS, "mon-thu")]
DateBoundText = Annotated[DateBound, _written(parse_date_bound), _schema(DATE_BOUND, "2026-12-11 18:00")]
YearBoundText = Annotated[YearBound, _written(parse_year_bound), _schema(YEAR_BOUND, "12-20 18:00")]
Duration = Annotated[
    int,
    _written(parse_positive_duration),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^(?:{SHORT_DURATION.pattern}|{ISO_DURATION.pattern})$",
            "examples": ["66h", "2d", "PT20M"],
        }
    ),
]
ZoneName = Annotated[
    str, _written(parse_zone_name), WithJsonSchema({"type": "string", "examples": ["Europe/Amsterdam"]})
]
