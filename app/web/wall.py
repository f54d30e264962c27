"""The wall: what is frozen as tiles, as large as can be; what is open in lines below; then what comes next.

Environments that are frozen by the same rules until the same instant share a tile, and those that stay open
until the same instant share a line, so that thirty environments are as easy to read as two.
"""

from collections.abc import Mapping
from math import ceil, sqrt
from typing import Final, NamedTuple

from app.core.policy import PolicySet
from app.gate.overview import Overview
from app.web.front import Coming, Difference, Place, coming, differences, excepted, places

MOST_COMING: Final = 4
"""Freezes to come that are listed."""

MOST_LINES: Final = 4
"""Lines of exceptions: more would take the room of what is frozen."""

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


class Wall(NamedTuple):
    """All that the wall shows."""

    frozen: tuple[Tile, ...]
    open: tuple[Tile, ...]
    exceptions: tuple[Difference, ...]
    """The services and changes whose state is not that of their environments."""
    coming: tuple[Coming, ...]
    """The next freezes of policies and the scheduled ones."""

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
    def told(self) -> tuple[Difference, ...]:
        """The exceptions that have a line; the last line counts the others."""
        return self.exceptions if len(self.exceptions) <= MOST_LINES else self.exceptions[: MOST_LINES - 1]

    @property
    def excepted(self) -> str:
        """The exceptions to a verdict about all environments, in words; empty if there are none."""
        return excepted(self.exceptions, "open" if self.frozen else "frozen")

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


def wall(shown: Overview, policy_set: PolicySet) -> Wall:
    """Return the wall of an overview."""
    waiting = {each.environment: each.total for each in shown.waiting or ()}
    frozen, opened = places(shown)
    return Wall(
        tuple(_tile(each, waiting) for each in frozen),
        tuple(_tile(each, waiting) for each in opened),
        tuple(each for each in differences(shown, policy_set) if each.kind in ("frozen", "open")),
        tuple(coming(shown.status["freezes"]["upcoming"])[:MOST_COMING]),
    )


def _tile(place: Place, waiting: Mapping[str, int]) -> Tile:
    return Tile(place, sum(waiting.get(name, 0) for name in place.environments))
