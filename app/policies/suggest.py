"""Guesses at what an author meant by a value that can't be read; a guess is shown only if it would do."""

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from app.core.notation import WEEKDAYS
from app.core.policy import SERVICE_ZONE
from app.core.wallclock import zone_names
from app.policies.problem import nearest

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
}
_HOUR_OF_TWELVE: Final = re.compile(r"\b(1[0-2]|0?[1-9])(?::([0-5]\d))? ?(am|pm)\b")
_NOON: Final = 12


def better(text: str, kind: Any) -> str | None:
    """A text near to `text` that a value of type `kind` may be, or None."""
    adapter = _adapter(kind)
    if adapter is None or len(text) > _LONGEST:
        return None
    for candidate in _repairs(text):
        if candidate != text and _is_valid(adapter, candidate):
            return candidate
    return None


def does_as_list(text: str, kind: Any) -> bool:
    """Whether a list of just this text would do where it stands alone."""
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
    """The likely slips, undone: case, spaces, weekdays, times and dates written in other ways."""
    stripped = " ".join(text.split())
    lowered = stripped.lower()
    times = _pad(_HOUR_OF_TWELVE.sub(_to_24_hours, _WORD.sub(_weekday, lowered)))
    slashed = re.sub(r"(?<=\d)[/.](?=\d)", "-", lowered)
    yield from (stripped, lowered, times, times.replace(" - ", "-"), slashed, _pad(slashed))
    yield from (lowered.replace(" ", "-"), lowered.replace("_", "-").replace(" ", "-"))
    yield from (lowered.replace(" ", ""), _swap_day_and_year(slashed), f"https://{stripped}")
    if not any(letter.isalpha() for letter in lowered):
        return
    zone = nearest(stripped, [*zone_names(), SERVICE_ZONE], cutoff=0.75)
    if zone:
        yield zone
    yield from sorted(name for name in zone_names() if name.lower().endswith("/" + lowered.replace(" ", "_")))


def _weekday(word: re.Match[str]) -> str:
    if word[0] in ("am", "pm"):
        return word[0]
    near = nearest(word[0], _WEEKDAY_NAMES, cutoff=0.6)
    return _WEEKDAY_NAMES[near] if near else word[0]


def _to_24_hours(time: re.Match[str]) -> str:
    hour = int(time[1]) % _NOON + (_NOON if time[3] == "pm" else 0)
    return f"{hour:02}:{time[2] or '00'}"


def _pad(text: str) -> str:
    """``9:30``, ``9.30``, ``9h30`` and ``9h`` as ``09:30`` and ``09:00``; ``3-1`` as ``03-01``."""
    text = re.sub(r"(?<!\d)(\d{1,2})[.h:](\d\d)(?!\d)", r"\1:\2", text)
    text = re.sub(r"(?<!\d)(\d)(?=:\d\d)", r"0\1", text)
    text = re.sub(r"(?<= )(\d{1,2})h?$", lambda found: f"{int(found[1]):02}:00", text)
    return re.sub(r"(?<![\d:])(\d)(?=-)|(?<=\d-)(\d)(?![\d:])", lambda found: f"0{found[0]}", text)


def _swap_day_and_year(text: str) -> str:
    """``11-12-2026`` as ``2026-12-11``."""
    return re.sub(r"^(\d\d)-(\d\d)-(\d{4})\b", r"\3-\2-\1", text)
