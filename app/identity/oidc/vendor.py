"""What is particular to a CI system, as a table; each has a file of its own."""

from collections.abc import Mapping
from typing import NamedTuple


class Vendor(NamedTuple):
    """One CI system."""

    prefix: str
    """How the names of its callers begin."""
    known_by: str | None
    """A claim that all its tokens have, and no others; None: whatever is left."""
    name: tuple[str, ...]
    """The claims that tell who it is: the first is the project, the second the person behind the run."""
    user: str
    """The claim that tells the person behind the run, and never changes for the same one."""
    refused: Mapping[str, frozenset[str]]
    """Claims and their values of runs that strangers can start, unless a rule names that claim."""
