"""The table entry of a CI system; each has a file of its own."""

from collections.abc import Mapping
from typing import NamedTuple


class Vendor(NamedTuple):
    """One CI system."""

    prefix: str
    """The prefix of its callers' names."""
    known_by: str | None
    """A claim that all of its tokens have and no others do; None: the fallback."""
    name: tuple[str, ...]
    """The claims that name the caller: first the project, then the person behind the run."""
    user: str
    """The claim with the immutable id of the person behind the run."""
    refused: Mapping[str, frozenset[str]]
    """Claims and values of runs that outsiders can trigger; refused unless a rule names that claim."""
