"""Tolerant reading of what vendors send: fields may be missing, of other types, or unknown."""

import json
from collections.abc import Mapping
from typing import Any

from app.core.errors import MalformedValueError
from app.core.incident import MOST_VALUES, plain
from app.core.instant import parse_instant

_LONGEST_TITLE = 500
_NAMES = ("name", "summary", "value", "slug", "id")
"""The members by which vendors name things; each of them can be matched."""


class UnreadableError(MalformedValueError):
    """A signed payload that can't be read; its sender is told what is missing."""


def parse_object(body: bytes) -> Mapping[str, Any]:
    """Return a body that is a JSON object.

    Raises:
        UnreadableError: it is not.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableError("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise UnreadableError("the body is not a JSON object")
    return value


def at(value: object, *path: str) -> Any:
    """Return the value at a path of members; None where one is missing."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text(value: object, *path: str) -> str:
    """Return the text or number at a path; empty where there is none."""
    found = at(value, *path)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def texts(value: object, *path: str) -> tuple[str, ...]:
    """Return the texts at a path: of a text, of the names of an object, or of a list of both."""
    found = at(value, *path)
    names = [name for each in items(found) or [found] for name in _names_of(each)]
    return tuple(dict.fromkeys(filter(None, names)))


def _names_of(value: object) -> list[str]:
    return [text(value, name) for name in _NAMES] if isinstance(value, dict) else [text(value)]


def items(value: object, *path: str) -> list[Any]:
    """Return the list at a path, as far as it is looked at; empty where there is none."""
    found = at(value, *path)
    return found[:MOST_VALUES] if isinstance(found, list) else []


def labels(value: object, *path: str) -> dict[str, tuple[str, ...]]:
    """Return the labels at a path; those without a value are left out."""
    found = at(value, *path)
    if not isinstance(found, dict):
        return {}
    named = {name: texts(found, name) for name in list(found)[:MOST_VALUES]}
    return {name: values for name, values in named.items() if values}


def title(value: object, *path: str) -> str:
    """Return a title for people: one line without control characters."""
    return plain(text(value, *path), _LONGEST_TITLE)


def instant(value: object, *path: str) -> int | None:
    """Return the RFC 3339 time at a path, in seconds; None where there is none."""
    try:
        return parse_instant(text(value, *path))
    except MalformedValueError:
        return None


def required(value: object, *path: str) -> str:
    """Return the text at a path.

    Raises:
        UnreadableError: there is none.
    """
    found = text(value, *path)
    if not found:
        raise UnreadableError(f"the payload has no {'.'.join(path)}")
    return found
