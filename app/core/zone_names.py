"""Names of the time zone database: current names of places, and names kept for backward compatibility.

Read from the database itself, as the `tzdata` package ships it: ``zone.tab`` lists one current name for each
place, ``tzdata.zi`` the links from other names. A link alone doesn't make a name outdated: the database
merges places whose clocks agree since 1970, so Europe/Amsterdam is a link to Europe/Brussels.
"""

from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Final

from app.core.wallclock import zone, zone_names

_LIKE: Final = 0.6


@cache
def zones_of_countries() -> dict[str, tuple[str, ...]]:
    """Return the current zone names of each country, by its ISO 3166 code."""
    found: dict[str, tuple[str, ...]] = {}
    for country, name in _places():
        found[country] = (*found.get(country, ()), name)
    return found


def country_of(name: str) -> str | None:
    """Return the ISO 3166 code of the country that a zone's place is in; None if there is no such place."""
    place = renamed(name) or name
    return next((country for country, each in _places() if each == place), None)


@cache
def current_places() -> frozenset[str]:
    """Return the names of ``zone.tab``: the one current name of each place."""
    return frozenset(name for _, name in _places())


def renamed(name: str) -> str | None:
    """Return the current name of a renamed place, ``Europe/Kyiv`` for ``Europe/Kiev``; else None.

    Among places that share the zone's clocks, prefer the one with the most similar spelling.
    """
    if name in current_places() or "/" not in name:
        return None
    target = _links().get(name)
    if target is None or target.startswith("Etc/"):
        return None
    cities = {_city(each): each for each in sorted(current_places()) if _links().get(each, each) == target}
    like = get_close_matches(_city(name), cities, n=1, cutoff=_LIKE)
    return cities[like[0]] if like else target


@cache
def fixed_offset(name: str) -> int | None:
    """Return the offset from UTC, in seconds, of a zone named after an offset, not a place; else None.

    Examples are ``EST``, ``GMT`` and ``Etc/GMT+5``. UTC is excluded, because it is always intended.
    """
    stands_for = _links().get(name, name)
    if stands_for == "Etc/UTC" or not zone(name).is_fixed:
        return None
    is_offset = stands_for.startswith("Etc/") or zone(name).abbreviation(0) == name
    return zone(name).offset(0) if is_offset else None


def place_of_fixed_offset(offset: int) -> str | None:
    """Return a place whose clocks never change and have this offset from UTC, in seconds."""
    return next((name for name in sorted(current_places()) if _keeps(name, offset)), None)


def _keeps(name: str, offset: int) -> bool:
    place = zone(name)
    return place.is_fixed and place.offset(0) == offset


def _city(name: str) -> str:
    return name.rpartition("/")[2]


@cache
def _places() -> tuple[tuple[str, str], ...]:
    """Return the rows of ``zone.tab``: the code of the country and the name of the zone."""
    rows = (row.split("\t") for row in _data("zone.tab").splitlines() if not row.startswith("#"))
    return tuple((row[0], row[2]) for row in rows if row[2] in zone_names())


@cache
def _links() -> dict[str, str]:
    """Return the target of each link, by name."""
    lines = (line.split() for line in _data("tzdata.zi").splitlines() if line.startswith("L "))
    return {name: target for _, target, name in lines}


def _data(file: str) -> str:
    return resources.files("tzdata").joinpath("zoneinfo", file).read_text(encoding="utf-8")
