"""Join allow windows: where several match, one open window is enough.

Every policy of ours has a veto, so the windows that match a request must be in one policy. The requests are
cut into groups that the same windows match: by environment, and by patterns of services that form a tree.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.core.errors import MalformedValueError
from app.policies.importers.globs import parents
from app.policies.importers.imported import Origin
from app.policies.importers.selection import Selection

_ALL: Final = "*"


class AllowWindow(NamedTuple):
    """A window of a source in which deploys are allowed."""

    origin: Origin
    zone: str
    selections: Sequence[Selection]
    """Requests that it matches: any of these."""
    windows: Sequence[Mapping[str, Any]]
    is_open: Callable[[int], bool]
    source: Any
    """The window as its importer reads it."""

    def services(self, environment: str) -> list[str]:
        """Return the patterns of services that it matches in an environment."""
        return [
            glob
            for each in self.selections
            if each.environments is None or environment in each.environments
            for glob in each.services or (_ALL,)
        ]


class Opening(NamedTuple):
    """Requests that the same windows match; deploys go out in any of these windows."""

    windows: Sequence[AllowWindow]
    selection: Selection
    exempt: Sequence[str]
    """Services that other windows match, too."""


class _Cut(NamedTuple):
    """Services of an environment that the same windows match: numbers of windows, patterns, exemptions."""

    windows: tuple[int, ...]
    services: tuple[str, ...]
    exempt: tuple[str, ...]


def openings(windows: Sequence[AllowWindow], environments: Sequence[str]) -> list[Opening]:
    """Return the groups of requests with the windows that match them.

    Args:
        windows: all allow windows that one schedule consists of.
        environments: all environments of the file.

    Raises:
        MalformedValueError: the windows can't be told apart, or their times are in several zones.
    """
    by_cut: dict[_Cut, list[str]] = {}
    for environment in environments:
        for cut in _cuts([window.services(environment) for window in windows]):
            by_cut.setdefault(cut, []).append(environment)
    return [
        _opening(cut, windows, None if len(named) == len(environments) else tuple(named))
        for cut, named in by_cut.items()
    ]


def _opening(cut: _Cut, windows: Sequence[AllowWindow], environments: tuple[str, ...] | None) -> Opening:
    chosen = [windows[number] for number in cut.windows]
    if len({window.zone for window in chosen}) > 1:
        raise MalformedValueError(
            "allow windows of several time zones, one of which is enough, can't be joined into one policy"
        )
    services = None if cut.services == (_ALL,) else cut.services
    return Opening(chosen, Selection(services, environments), cut.exempt)


def _cuts(matched: Sequence[Sequence[str]]) -> list[_Cut]:
    """Return the groups of one environment, from the patterns that each window matches there."""
    globs = sorted({glob for each in matched for glob in each})
    above = parents(globs)
    numbers = {
        glob: tuple(
            number
            for number, each in enumerate(matched)
            if any(glob == other or other in above[glob] for other in each)
        )
        for glob in globs
    }
    # A pattern with the same windows as the nearest that contains it needs no group of its own.
    kept = [glob for glob in globs if numbers[glob] not in [numbers[other] for other in above[glob]]]
    groups: dict[tuple[tuple[int, ...], tuple[str, ...]], list[str]] = {}
    for glob in kept:
        inner = tuple(other for other in kept if glob in above[other])
        groups.setdefault((numbers[glob], inner), []).append(glob)
    return [_Cut(chosen, tuple(services), inner) for (chosen, inner), services in groups.items()]
