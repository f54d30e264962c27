"""Codes of countries, subdivisions, categories and markets, with suggestions for unknown ones."""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, NamedTuple

from app.core.errors import Fault
from app.core.holiday_calendar import package

_LONGEST_WORD: Final = 60
_LONGEST_LISTING: Final = 320
"""Characters of a text that is searched for, and of a listing of known codes."""


class Known(NamedTuple):
    """The allowed values of a key."""

    codes: tuple[str, ...]
    names: Mapping[str, str]
    """Other names of the codes, each with its code."""
    takes_names: bool = False
    """Whether a name is accepted in place of its code."""


@cache
def markets() -> Known:
    """Return the codes of markets."""
    from holidays.registry import EntityLoader

    return Known(tuple(EntityLoader.get_financial_codes()), {})


@cache
def countries() -> Known:
    """Return the codes of countries, with their names and longer codes."""
    from holidays.registry import COUNTRIES, EntityLoader

    names = {
        re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name): code
        for first, code, *others in COUNTRIES.values()
        for name in (first, *others)
    }
    # Not `list_supported_countries`: that imports all of them for their subdivisions.
    return Known(tuple(EntityLoader.get_country_codes(include_aliases=False)), names)


@cache
def subdivisions(country: str) -> Known:
    """Return the codes of a country's subdivisions; their names may stand in place of them."""
    entity = getattr(package(), country)
    return Known(tuple(entity.subdivisions), entity.subdivisions_aliases, takes_names=True)


@cache
def categories(code: str) -> Known:
    """Return the categories of a country's or market's calendar."""
    return Known(tuple(sorted(getattr(package(), code).supported_categories)), {})


def fault_of(path: tuple[str | int, ...], text: str, what: str, known: Known) -> Iterator[Fault]:
    """Yield the fault of a word that is not among those known, with a suggestion."""
    if text not in known.codes and not (known.takes_names and text in known.names):
        yield Fault(path, f"not a known {what}{_nearest_code(text, known) or _all_codes(known)}")


def _nearest_code(text: str, known: Known) -> str:
    named = {name.lower(): code for name, code in known.names.items()}
    words = named | {code.lower(): code for code in known.codes}
    word = text[:_LONGEST_WORD].lower()
    # DE-BY is how ISO 3166-2 writes the BY of DE.
    near = [each for each in (word, word.rpartition("-")[2]) if each in words]
    near = near or difflib.get_close_matches(word, words, 1, 0.75)
    return f'; did you mean "{words[near[0]]}"?' if near else ""


def _all_codes(known: Known) -> str:
    """List the known codes, each with its name, as far as they fit a line."""
    names: dict[str, str] = {}
    for name, code in known.names.items():
        names.setdefault(code, name)
    in_full = (f"{code} ({names[code]})" if code in names else code for code in known.codes)
    listings = (", ".join(in_full), ", ".join(known.codes))
    return next((f"; known: {listing}" for listing in listings if 0 < len(listing) <= _LONGEST_LISTING), "")
