"""Cells: the environments and kinds of change of both sets, as bits; and those in which a policy applies."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from app.core.policy import Policy, Selector

Mask = int
"""A set of cells: a bit for each pair of an environment and a kind of change."""


class Rectangle(NamedTuple):
    """Every pair of some environments and some kinds of change."""

    environments: tuple[str, ...]
    changes: tuple[str, ...]


class Cells:
    """The pairs of an environment and a kind of change that both sets know."""

    def __init__(self, environments: Sequence[str], changes: Sequence[str]) -> None:
        """Number the cells, the kinds of change of one environment after those of another."""
        self.environments = tuple(environments)
        self.changes = tuple(changes)
        self.row = (1 << len(self.changes)) - 1
        self.all: Mask = (1 << len(self.changes) * len(self.environments)) - 1
        self._selected: dict[tuple[tuple[str, ...], ...], Mask] = {}

    def selected(self, selector: Selector) -> Mask:
        """Return the cells that a selector selects, for the services that it selects."""
        if selector.environments is None and selector.changes is None:
            return self.all
        key = tuple(selector.environments or ()), tuple(selector.changes or ())
        found = self._selected.get(key)
        if found is None:
            found = self._selected[key] = self._select(selector)
        return found

    def mask_of(self, environments: Collection[str], changes: Collection[str]) -> Mask:
        """Return the cells of a rectangle."""
        row = sum(1 << bit for bit, change in enumerate(self.changes) if change in changes)
        return sum(
            row << number * len(self.changes)
            for number, environment in enumerate(self.environments)
            if environment in environments
        )

    def _select(self, selector: Selector) -> Mask:
        return self.mask_of(
            self.environments if selector.environments is None else selector.environments,
            self.changes if selector.changes is None else selector.changes,
        )

    def rectangles(self, mask: Mask) -> Iterator[Rectangle]:
        """Yield rectangles that cover each cell of a set once: environments with the same kinds of change."""
        by_row: dict[int, list[str]] = {}
        for number, environment in enumerate(self.environments):
            if row := mask >> number * len(self.changes) & self.row:
                by_row.setdefault(row, []).append(environment)
        for row, environments in by_row.items():
            changes = (change for bit, change in enumerate(self.changes) if row >> bit & 1)
            yield Rectangle(tuple(environments), tuple(changes))


class PolicyScope:
    """The cells in which a policy applies, by service."""

    __slots__ = ("_applies", "_exempt", "_rest")

    def __init__(self, policy: Policy, cells: Cells) -> None:
        """Find the cells of each selector once."""
        self._rest = 0 if policy.applies_to else cells.all
        self._applies = [(each, cells.selected(each)) for each in policy.applies_to or ()]
        self._exempt = [(each, cells.selected(each)) for each in policy.exempt or ()]

    def of(self, service: str, tags: frozenset[str]) -> Mask:
        """Return the cells in which the policy applies to a service."""
        applies = self._rest
        for selector, mask in self._applies:
            if mask & ~applies and selector.selects_service(service, tags):
                applies |= mask
        for selector, mask in self._exempt:
            if mask & applies and selector.selects_service(service, tags):
                applies &= ~mask
        return applies


def split(masks: set[Mask], whole: Mask) -> list[Mask]:
    """Cut the cells into the fewest parts of which each lies within or outside of every mask."""
    parts = [whole] if whole else []
    for mask in masks:
        parts = [piece for part in parts for piece in (part & mask, part & ~mask) if piece]
    return parts
