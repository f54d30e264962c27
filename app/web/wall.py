"""The wall: what is frozen as tiles, as large as can be; what is open in lines below; then what comes next.

Environments that are frozen by the same rules until the same instant share a tile, and those that stay open
until the same instant share a line, so that thirty environments are as easy to read as two.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, sqrt
from typing import Final, NamedTuple

from app.gate.overview import Overview
from app.gate.service_state import EnvironmentState
from app.web.front import Entry, Place, places

MOST_COMING: Final = 4
"""Freezes to come that are listed."""

_WIDE: Final = 2.1
_UPRIGHT: Final = 0.6
"""Width over height of the room for tiles, on usual screens."""

_TILE: Final = 1.7
"""Width over height of a tile in which a few lines of text are largest."""

_MOST_ACROSS: Final = 8


class Tile(NamedTuple):
    """Environments in one state, and the deploys that wait for them."""

    place: Place
    waiting: int

    @property
    def contact(self) -> str | None:
        """The contact to ask: the first of its rules."""
        return next((each["contact"] for each in self.place.rules if each["contact"]), None)


class Differing(NamedTuple):
    """Services whose state is not that of their environments, all by the same rule."""

    services: tuple[str, ...]
    environments: tuple[str, ...]
    allowed: bool
    title: str
    """The title of the first rule that blocks them; empty where they are open."""


class Wall(NamedTuple):
    """All that the wall shows."""

    frozen: tuple[Tile, ...]
    open: tuple[Tile, ...]
    differing: tuple[Differing, ...]
    coming: tuple[Entry, ...]
    """The next freezes of policies and the scheduled ones, as in `/status`."""

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The tiles that are drawn large: the frozen ones, or all while nothing is frozen."""
        return self.frozen or self.open

    @property
    def lines(self) -> tuple[Tile, ...]:
        """The tiles that are drawn as lines: the open ones beside something frozen."""
        return self.open if self.frozen else ()

    @property
    def frozen_environments(self) -> int:
        """The number of environments that are frozen."""
        return sum(len(each.place.environments) for each in self.frozen)

    @property
    def total(self) -> int:
        """The number of all environments."""
        return self.frozen_environments + sum(len(each.place.environments) for each in self.open)

    @property
    def wide(self) -> "Grid":
        """How tiles are placed on a wide screen."""
        return grid(len(self.tiles), _WIDE)

    @property
    def upright(self) -> "Grid":
        """How tiles are placed on a screen that is higher than wide."""
        return grid(len(self.tiles), _UPRIGHT)


class Grid(NamedTuple):
    """A grid without gaps: the first tile takes the columns that are left over."""

    across: int
    first: int
    """The columns of the first tile."""


def grid(tiles: int, room: float) -> Grid:
    """Return the grid in which the letters of tiles are largest; `room` is width over height."""
    across = max(1, min(_MOST_ACROSS, tiles, round(sqrt(tiles * room / _TILE))))
    # As many rows as that takes, evenly filled.
    rows = ceil(tiles / across)
    across = ceil(tiles / rows) if tiles else 1
    return Grid(across, max(1, across * rows - tiles + 1))


def wall(shown: Overview) -> Wall:
    """Return the wall of an overview."""
    waiting = {each.environment: each.total for each in shown.waiting or ()}
    frozen, opened = places(shown)
    return Wall(
        tuple(_tile(each, waiting) for each in frozen),
        tuple(_tile(each, waiting) for each in opened),
        tuple(_differing(shown.states)),
        tuple(shown.status["freezes"]["upcoming"][:MOST_COMING]),
    )


def _tile(place: Place, waiting: Mapping[str, int]) -> Tile:
    return Tile(place, sum(waiting.get(name, 0) for name in place.environments))


def _differing(states: Sequence[EnvironmentState]) -> Iterator[Differing]:
    """Yield the services that differ: first by rule, then with the environments that they differ in."""
    places: dict[tuple[bool, str, tuple[str, ...]], list[str]] = {}
    for state in states:
        by_rule: dict[tuple[bool, str], list[str]] = {}
        for group in state.differing:
            if group.decision.allowed != state.decision.allowed:
                blocking = group.decision.blocking
                key = (group.decision.allowed, blocking[0].rule.title if blocking else "")
                by_rule.setdefault(key, []).extend(group.services)
        for (allowed, title), services in by_rule.items():
            places.setdefault((allowed, title, tuple(services)), []).append(state.environment)
    for (allowed, title, names), environments in places.items():
        yield Differing(names, tuple(environments), allowed, title)
