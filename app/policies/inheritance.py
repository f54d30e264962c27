"""Values that the policies of a file take from their file: its zone and its defaults.

In a folder, a file's `timezone` holds for its own policies and tests. The zone of the set is that of one
file: sentences, services without a zone and files without a `timezone` use it. Where a file has `owners`, it
is the zone of that file, so that no team sets it.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Final

from app.core.policy import Defaults, Policy, PolicySet

OWNERS: Final = "owners"
"""The key of the file that says what the others reach."""

SET_WIDE: Final = ("environments", "changes", "overrides", "unknown_services", OWNERS)
"""Keys that stand in one file of a set, the most telling first. Its zone is the set's."""


def home_file(files: Sequence[Collection[str]]) -> int | None:
    """Return the number of the file whose `timezone` is the zone of the set; None if no file states one.

    Args:
        files: the top-level keys of each file, in the order of the set.
    """
    needed = {"timezone", OWNERS} if any(OWNERS in keys for keys in files) else {"timezone"}
    stating = [number for number, keys in enumerate(files) if needed.issubset(keys)]
    main = (number for key in SET_WIDE for number in stating if key in files[number])
    return next(chain(main, stating), None)


def is_main_file(keys: Collection[str]) -> bool:
    """Return whether a file speaks for the whole set."""
    return any(key in keys for key in SET_WIDE)


def set_zone(parts: Sequence[PolicySet]) -> str:
    """Return the name of the zone of a set."""
    number = home_file([part.model_fields_set for part in parts])
    usual: str = PolicySet.model_fields["timezone"].default
    return usual if number is None else parts[number].timezone


def inheriting(part: PolicySet, home: str) -> Iterator[Policy]:
    """Yield the policies of a file, each with the values that it takes from the file.

    Args:
        part: the file.
        home: the name of the zone of the set. Policies in that zone stay without one.
    """
    given = _given(part, home)
    for policy in part.policies:
        missing = {key: value for key, value in given.items() if getattr(policy, key) is None}
        yield policy.model_copy(update=missing) if missing else policy


def _given(part: PolicySet, home: str) -> dict[str, object]:
    """Return the values that a file gives to policies without them."""
    has_zone = "timezone" in part.model_fields_set and part.timezone != home
    zones = {"timezone": part.timezone} if has_zone else {}
    if part.defaults is None:
        return {**zones}
    values = {key: getattr(part.defaults, key) for key in Defaults.model_fields}
    return zones | {key: value for key, value in values.items() if value is not None}
