"""Remarks on zone names that look like places but are offsets, and on old names of places."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from app.core.wallclock import zone_names
from app.core.zone_names import current_places, fixed_offset, place_of_fixed_offset, renamed
from app.yaml.document import Document
from app.yaml.problem import Path

_CITIES: Final = {
    "EST": "America/New_York",
    "MST": "America/Denver",
    "HST": "Pacific/Honolulu",
    "GMT": "Europe/London",
    "Greenwich": "Europe/London",
}


def zone_remarks(document: Document) -> Iterator[tuple[Path, str]]:
    """Yield remarks on the zones that a file names: its own, those of policies and of services."""
    for path in _places(document.data):
        value: Any = document.data
        for part in path:
            value = value[part]
        if isinstance(value, str) and value in zone_names() and (sentence := _on_zone(value)):
            yield path, sentence


def on_fixed_offset(name: str) -> str | None:
    """Return the sentence on a zone that is a fixed offset, to follow "which"; None for places and UTC."""
    offset = fixed_offset(name)
    if offset is None:
        return None
    turned = " (the signs of these names are turned round)" if name.startswith("Etc/GMT") and offset else ""
    city = _CITIES.get(name, "Europe/Amsterdam")
    fixed = "UTC" if offset == 0 else place_of_fixed_offset(offset) or "another city"
    return (
        f"is {_utc(offset)} all year, without daylight saving time{turned}; write the city whose clock "
        "is meant, "
        f"such as {city}, or {fixed} for the fixed offset"
    )


def _on_zone(name: str) -> str | None:
    fixed = on_fixed_offset(name)
    if fixed is not None:
        return f'"{name}" {fixed}'
    area = name.partition("/")[0]
    today = renamed(name) if any(place.startswith(f"{area}/") for place in current_places()) else None
    return f'"{name}" is an old name, kept for old files; write {today}' if today else None


def _places(data: Any) -> Iterator[Path]:
    """Yield the paths at which a file names zones."""
    if not isinstance(data, dict):
        return
    if "timezone" in data:
        yield ("timezone",)
    for key in ("policies", "services"):
        for name, part in _parts(data.get(key)):
            if isinstance(part, dict) and "timezone" in part:
                yield (key, name, "timezone")


def _parts(value: Any) -> Iterable[tuple[int | str, Any]]:
    """Return the entries of a list or mapping with their positions or keys."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value if isinstance(value, list) else ())


def _utc(offset: int) -> str:
    sign, minutes = "-" if offset < 0 else "+", abs(offset) // 60
    return f"UTC{sign}{minutes // 60:02}:{minutes % 60:02}" if offset else "UTC"
