"""The JSON representation of a year, shared by the API and the command line, and its reader."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from app.core.errors import MalformedValueError
from app.core.instant import format_instant, parse_instant
from app.core.interval import Interval, clip, normalise
from app.core.rule_style import Style
from app.core.wallclock import local_day, zone
from app.core.year.words import day_in_words
from app.core.year.year import (
    FIRST_YEAR,
    LAST_YEAR,
    MOST_PERIODS,
    MOST_RULES,
    NamedHoliday,
    Year,
    YearDay,
    YearRequest,
    YearRule,
    build_year,
    year_span,
)

_COLOUR: Final = re.compile(r"rule-(?:\d|freeze|others)", re.ASCII)
_HATCHING: Final = re.compile(r"hatching-\d", re.ASCII)
_LONGEST: Final = 1000
"""Characters of a text that are read; titles are shorter."""


def year_to_json(shown: Year) -> dict[str, Any]:
    """Return a year with its rules, and its days with their holidays."""
    request = shown.request
    start, end = year_span(request.year, shown.zone)
    return {
        "year": request.year,
        "environment": request.environment,
        "service": request.service,
        "change": request.change,
        "timezone": shown.zone.name,
        "from": format_instant(start),
        "to": format_instant(end),
        "frozen_s": shown.seconds,
        "rules": [
            {
                "id": rule.id or None,
                "kind": rule.kind,
                "title": rule.title,
                "colour": rule.style.colour,
                "hatching": rule.style.hatching,
                "frozen_s": rule.seconds,
                "periods": [_bounds(first, last) for first, last in rule.periods],
            }
            for rule in shown.rules
        ],
        "days": [_day(shown, day) for day in shown.days],
        "policy_revision": shown.revision,
    }


def _day(shown: Year, day: YearDay) -> dict[str, Any]:
    iso = day.date.isocalendar()
    return {
        "date": day.date.isoformat(),
        "week": f"{iso.year}-W{iso.week:02}",
        "seconds": day.seconds,
        "frozen_s": day.frozen,
        "blocking": [
            {"id": shown.rules[part.rule].id or None, **_bounds(part.start, part.end)} for part in day.parts
        ],
        "holidays": [
            {"name": each.name, "english_name": each.english_name, "calendars": list(each.calendars)}
            for each in day.holidays
        ],
        "in_words": day_in_words(shown, day),
    }


def _bounds(start: int, end: int) -> dict[str, str]:
    return {"from": format_instant(start), "until": format_instant(end)}


def year_from_json(body: Mapping[str, Any]) -> Year:
    """Return the year of a JSON representation; its days are cut anew.

    Raises:
        MalformedValueError: it is none.
    """
    try:
        return _read(body)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise MalformedValueError("not a year") from None


def _read(body: Mapping[str, Any]) -> Year:
    service = body["service"]
    request = YearRequest(
        int(body["year"]),
        _text(body["environment"]),
        None if service is None else _text(service),
        _text(body["change"]),
    )
    if not FIRST_YEAR <= request.year <= LAST_YEAR:
        raise ValueError(request.year)
    where = zone(_text(body["timezone"]))
    span = year_span(request.year, where)
    rules = [_rule(each, span) for each in body["rules"][: MOST_RULES + 1]]
    holidays = {
        local_day(date.fromisoformat(day["date"])): tuple(map(_holiday, day["holidays"]))
        for day in body["days"]
        if day["holidays"]
    }
    return build_year(request, where, rules, holidays, _text(body["policy_revision"]))


def _rule(body: Mapping[str, Any], span: Interval) -> YearRule:
    colour, hatching = _text(body["colour"]), _text(body["hatching"])
    if not (_COLOUR.fullmatch(colour) and _HATCHING.fullmatch(hatching)):
        raise ValueError(colour)
    periods = [
        (parse_instant(each["from"]), parse_instant(each["until"]))
        for each in body["periods"][: MOST_PERIODS + 1]
    ]
    return YearRule(
        _text(body["id"] or ""),
        _text(body["kind"]),
        _text(body["title"]),
        Style(colour, hatching),
        tuple(clip(normalise(periods), span)),
    )


def _holiday(body: Mapping[str, Any]) -> NamedHoliday:
    return NamedHoliday(
        _text(body["name"]), _text(body["english_name"]), tuple(map(_text, body["calendars"]))
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value[:_LONGEST]
