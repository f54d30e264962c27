"""Compare name patterns of selectors: ``*`` stands for any run of characters but ``/``."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Final

from app.core.errors import MalformedValueError
from app.core.policy import GLOB_PATTERN, glob_pattern
from app.yaml.problem import quoted

_GLOB: Final = re.compile(GLOB_PATTERN, re.ASCII)
_STARS: Final = re.compile(r"\*+")
_FRESH: Final = "\x00"
"""A character of no name: a pattern that matches it in place of a star matches all names there."""


def service_glob(text: str) -> str:
    """Return a pattern of a source as ours.

    Raises:
        MalformedValueError: it can't be one.
    """
    if not _GLOB.fullmatch(text):
        raise MalformedValueError(
            f"{quoted(text)} is no pattern of names: only * is special, and names are of a-z, 0-9 and . _ / -"
        )
    return _STARS.sub("*", text)


def contains(outer: str, inner: str) -> bool:
    """Return whether a pattern matches every name that another matches."""
    return glob_pattern((outer,)).fullmatch(inner.replace("*", _FRESH)) is not None


@lru_cache(maxsize=4096)
def overlap(left: str, right: str) -> bool:
    """Return whether a name exists that both patterns match."""
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        i, j = waiting.pop()
        if (i, j) == (len(left), len(right)):
            return True
        for step in _steps(left, right, i, j):
            if step not in reached:
                reached.add(step)
                waiting.append(step)
    return False


def _steps(left: str, right: str, i: int, j: int) -> Iterable[tuple[int, int]]:
    """Return the pairs of positions that follow: a star ends, or takes a letter of the other pattern."""
    a, b = left[i : i + 1], right[j : j + 1]
    steps = [(i + 1, j)] * (a == "*") + [(i, j + 1)] * (b == "*")
    if a == "*" and b not in ("", "*", "/"):
        steps.append((i, j + 1))
    if b == "*" and a not in ("", "*", "/"):
        steps.append((i + 1, j))
    if a and a == b and a != "*":
        steps.append((i + 1, j + 1))
    return steps


def _outer(inner: str, globs: Sequence[str]) -> list[str]:
    return [each for each in globs if each != inner and contains(each, inner)]


def parents(globs: Sequence[str]) -> dict[str, list[str]]:
    """Return for each pattern those of the others that contain it, if the patterns form a tree.

    Raises:
        MalformedValueError: two patterns overlap, and neither contains the other.
    """
    found = {each: _outer(each, globs) for each in globs}
    for one, other in combinations(globs, 2):
        if overlap(one, other) and one not in found[other] and other not in found[one]:
            raise MalformedValueError(
                f"the patterns {quoted(one)} and {quoted(other)} have names in common, "
                "so their allow windows can't be told apart"
            )
    return found
