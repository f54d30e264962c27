"""Services with the same difference, as one group."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from app.core.diff.result import Hours, ServiceGroup, UnlistedNames
from app.core.diff.scopes import Mask

Found = Mapping[tuple[Hours, ...], Mask]
"""The cells of a service, by the hours that differ there."""
_Key = tuple[tuple[Hours, ...], Mask]
_Item = TypeVar("_Item")
Groups = Mapping[_Key, ServiceGroup]
"""Services by what differs for them."""


def grouped(
    found: Mapping[str, Found], named: Sequence[str], classes: Sequence[UnlistedNames]
) -> tuple[Groups, tuple[UnlistedNames, ...]]:
    """Return the services by what differs for them, and the unlisted ones unlike every other service."""
    by_class = {each: found.get(each.sample, {}) for each in classes}
    rest = next((differences for each, differences in by_class.items() if not each.globs), {})
    apart = {each: differences for each, differences in by_class.items() if differences != rest}
    names = _by_key((name, found.get(name, {})) for name in named)
    patterns = _by_key(apart.items())
    groups = {
        key: ServiceGroup(tuple(names.get(key, ())), tuple(patterns.get(key, ())), key in rest.items())
        for key in (names | patterns | _by_key([("", rest)]))
    }
    return groups, tuple(apart)


def _by_key(items: Iterable[tuple[_Item, Found]]) -> dict[_Key, list[_Item]]:
    """Return items by each of the differences found for them."""
    keys: dict[_Key, list[_Item]] = {}
    for item, differences in items:
        for key in differences.items():
            keys.setdefault(key, []).append(item)
    return keys
