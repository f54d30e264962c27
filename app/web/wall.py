"""The wall: what is frozen as tiles, as large as can be; what is open in lines below; then what comes next.

Environments that are frozen by the same rules until the same instant share a tile, and those that stay open
until the same instant share a line, so that thirty environments are as easy to read as two.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, sqrt
from typing import Any, Final, NamedTuple

from app.gate.service_state import EnvironmentState

MOST_COMING: Final = 4
"""Freezes to come that are listed."""

_WIDE: Final = 2.1
_UPRIGHT: Final = 0.6
"""Width over height of the room for tiles, on usual screens."""

_TILE: Final = 1.7
"""Width over height of a tile in which a few lines of text are largest."""

_MOST_ACROSS: Final = 8

_Entry = Mapping[str, Any]
"""As in `app.core.decision_json.entry`."""


class Tile(NamedTuple):
    """Environments in one state: the same rules, until the same instant."""

    environments: tuple[str, ...]
    allowed: bool
    changes_at: str | None
    """RFC 3339; None if it does not change within two years."""
    told: tuple[_Entry, ...]
    """The rules that block, or that warn while it is open."""
    closing: tuple[_Entry, ...]
    """The rules that will close it."""
    waiting: int
    """Deploys that wait."""

    @property
    def contact(self) -> str | None:
        """Whom to ask: the first contact of its rules."""
        return next((each["contact"] for each in self.told if each["contact"]), None)

    @property
    def freeze(self) -> _Entry | None:
        """The first ad-hoc freeze among its rules."""
        return next((each for each in self.told if "started_by" in each), None)


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
    coming: tuple[_Entry, ...]
    """The next freezes of policies and the scheduled ones, as in `/status`."""

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """What is drawn large: what is frozen, or everything while nothing is."""
        return self.frozen or self.open

    @property
    def lines(self) -> tuple[Tile, ...]:
        """What is drawn as lines: what is open beside something frozen."""
        return self.open if self.frozen else ()

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


def environments_of(tiles: Sequence[Tile]) -> int:
    """Return the number of environments in tiles."""
    return sum(len(each.environments) for each in tiles)


def wall(status: Mapping[str, Any], states: Sequence[EnvironmentState], waiting: Mapping[str, int]) -> Wall:
    """Return what the wall shows.

    Args:
        status: as `app.gate.status.status` returns it.
        states: the same environments, with the groups of services that differ.
        waiting: the number of deploys that wait, by environment.
    """
    tiles = list(_tiles(status["environments"], waiting))
    return Wall(
        # An incident stands first, where the most room is.
        tuple(sorted((each for each in tiles if not each.allowed), key=lambda each: each.freeze is None)),
        tuple(each for each in tiles if each.allowed),
        tuple(_differing(states)),
        tuple(status["freezes"]["upcoming"][:MOST_COMING]),
    )


def _tiles(states: Sequence[_Entry], waiting: Mapping[str, int]) -> Iterator[Tile]:
    alike: dict[tuple[object, ...], list[_Entry]] = {}
    for each in states:
        rules = tuple(rule["id"] for rule in (*each["blocking"], *each["warnings"], *each["closing"]))
        alike.setdefault((each["allowed"], _changes_at(each), rules), []).append(each)
    for group in alike.values():
        first, names = group[0], tuple(each["environment"] for each in group)
        yield Tile(
            names,
            first["allowed"],
            _changes_at(first),
            tuple(first["blocking"] or first["warnings"]),
            tuple(first["closing"]),
            sum(waiting.get(name, 0) for name in names),
        )


def _changes_at(state: _Entry) -> str | None:
    at: str | None = state["closes_at"] if state["allowed"] else state["opens_at"]
    return at


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
