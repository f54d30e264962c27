"""Suggestions for a value that can't be read.

A suggestion is shown only if it is valid, and only where there is a single reading: a wrong one that is
copied is a freeze at the wrong time.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from app.core.notation import WEEKDAYS
from app.core.policy import SERVICE_ZONE
from app.core.wallclock import zone_names
from app.core.zone_names import renamed
from app.yaml.problem import nearest

_LONGEST: Final = 60
_WORD: Final = re.compile(r"[a-z]+")
_WEEKDAY_NAMES: Final = {
    **{day: day for day in WEEKDAYS},
    "monday": "mon",
    "tuesday": "tue",
    "tues": "tue",
    "wednesday": "wed",
    "thursday": "thu",
    "thurs": "thu",
    "friday": "fri",
    "saturday": "sat",
    "sunday": "sun",
    "weekday": "mon-fri",
    "weekdays": "mon-fri",
    "weekend": "sat-sun",
    "weekends": "sat-sun",
}
_HOUR_OF_TWELVE: Final = re.compile(r"\b(1[0-2]|0?[1-9])(?::([0-5]\d))? ?(am|pm)\b")
_NOON: Final = 12

_DAY_AND_MONTH: Final = re.compile(r"(\d{1,2})[-/.](\d{1,2})(?:[-/.](\d{4}))?(?= |$)")
_DATE: Final = re.compile(r"(?:\d{4}-)?\d\d-\d\d(?: |$)")
_MONTHS: Final = 12

_HOST: Final = re.compile(r"(?!https?\b)[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:/\S*)?", re.IGNORECASE)
"""A link that lacks only its scheme."""


def better(text: str, kind: Any) -> str | None:
    """Return a text similar to `text` that is valid for type `kind`, or None."""
    adapter = _adapter(kind)
    if adapter is None or len(text) > _LONGEST:
        return None
    unclear = _may_be_swapped(text)
    for candidate in _repairs(text):
        takes_a_side = unclear and _DATE.match(candidate)
        if candidate != text and not takes_a_side and _is_valid(adapter, candidate):
            return candidate
    return None


def does_as_list(text: str, kind: Any) -> bool:
    """Return whether a list of just this text would be valid in its place."""
    adapter = _adapter(kind)
    return adapter is not None and len(text) <= _LONGEST and _is_valid(adapter, [text])


def _adapter(kind: Any) -> TypeAdapter[Any] | None:
    try:
        return None if kind is None else TypeAdapter(kind)
    except PydanticSchemaGenerationError:
        return None


def _is_valid(adapter: TypeAdapter[Any], candidate: object) -> bool:
    try:
        adapter.validate_python(candidate)
    except ValidationError:
        return False
    return True


def _repairs(text: str) -> Iterator[str]:
    """Yield the likely slips, undone: case, spaces, weekdays, times and dates written in other ways."""
    stripped = " ".join(text.split())
    lowered = stripped.lower()
    times = _pad(_HOUR_OF_TWELVE.sub(_to_24_hours, _WORD.sub(_weekday, lowered)))
    slashed = re.sub(r"(?<=\d)[/.](?=\d)", "-", lowered)
    yield from (stripped, lowered, times, times.replace(" - ", "-"), slashed, _pad(slashed))
    yield from (lowered.replace(" ", "-"), lowered.replace("_", "-").replace(" ", "-"))
    yield from (lowered.replace(" ", ""), _year_first(lowered))
    if _HOST.fullmatch(stripped):
        yield f"https://{stripped}"
    if any(letter.isalpha() for letter in lowered):
        yield from _zones(stripped)


def _zones(text: str) -> Iterator[str]:
    """Yield zones with a similar name; by area and city only, for EST is near to CEST and hours away."""
    if text.upper() == "UTC":
        yield "UTC"
    cities = [name for name in zone_names() if "/" in name and not name.startswith("Etc/")]
    city = "/" + text.rpartition("/")[2].lower().replace(" ", "_")
    yield from (_current(name) for name in sorted(cities) if name.lower().endswith(city))
    if near := nearest(text, [*cities, SERVICE_ZONE], cutoff=0.75):
        yield _current(near)


def _current(zone: str) -> str:
    """Return the present name of a zone: the database keeps others only for old files."""
    return renamed(zone) or zone


def _weekday(word: re.Match[str]) -> str:
    if word[0] in ("am", "pm"):
        return word[0]
    near = nearest(word[0], _WEEKDAY_NAMES, cutoff=0.65)
    return _WEEKDAY_NAMES[near] if near else word[0]


def _to_24_hours(time: re.Match[str]) -> str:
    hour = int(time[1]) % _NOON + (_NOON if time[3] == "pm" else 0)
    return f"{hour:02}:{time[2] or '00'}"


def _pad(text: str) -> str:
    """Pad ``9:30``, ``9.30``, ``9h30`` and ``9h`` to ``09:30`` and ``09:00``; ``3-1`` to ``03-01``."""
    text = re.sub(r"(?<!\d)(\d{1,2})[.h:](\d\d)(?!\d)", r"\1:\2", text)
    text = re.sub(r"(?<!\d)(\d)(?=:\d\d)", r"0\1", text)
    text = re.sub(r"(?<= )(\d{1,2})h?$", lambda found: f"{int(found[1]):02}:00", text)
    return re.sub(r"(?<![\d:])(\d)(?=-)|(?<=\d-)(\d)(?![\d:])", lambda found: f"0{found[0]}", text)


def _may_be_swapped(text: str) -> bool:
    """Return whether a date may be read day first and month first: ``11/12/2026``."""
    match = _DAY_AND_MONTH.match(text.strip())
    return match is not None and match[1] != match[2] and max(int(match[1]), int(match[2])) <= _MONTHS


def _year_first(text: str) -> str:
    """Turn ``25/12/2026`` and ``12/25/2026`` into ``2026-12-25``: the number above 12 is the day."""
    match = _DAY_AND_MONTH.match(text)
    if match is None:
        return text
    month, day = sorted((int(match[1]), int(match[2])))
    return f"{match[3]}-" * bool(match[3]) + f"{month:02}-{day:02}{text[match.end() :]}"
