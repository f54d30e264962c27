"""A whole year of a service or an environment, day by day; as data, in words, as JSON, as a picture."""

from app.core.year.year import (
    FIRST_YEAR,
    LAST_YEAR,
    MOST_PERIODS,
    MOST_RULES,
    OTHERS_KIND,
    FrozenPart,
    NamedHoliday,
    TooOftenError,
    Year,
    YearDay,
    YearRequest,
    YearRule,
    build_year,
    holidays_of,
    rules_of,
    year_span,
)

__all__ = [
    "FIRST_YEAR",
    "LAST_YEAR",
    "MOST_PERIODS",
    "MOST_RULES",
    "OTHERS_KIND",
    "FrozenPart",
    "NamedHoliday",
    "TooOftenError",
    "Year",
    "YearDay",
    "YearRequest",
    "YearRule",
    "build_year",
    "holidays_of",
    "rules_of",
    "year_span",
]
