"""Bound the windows with a date: those of the past are left out, and so are the last ones of too many."""

from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from app.core.instant import DAY, format_instant
from app.core.interval import Interval
from app.policies.exporters.export import Remark
from app.policies.exporters.plan import Planned
from app.policies.projections.projection import ProjectionOptions

MOST_EXPLICIT: Final = 500
"""Windows with a date in one scope; an object of Kubernetes has room for a few thousand."""

_SOON: Final = 2 * DAY
"""A target whose windows end within these seconds would be open during an outage of a week-end."""


class Bounded(NamedTuple):
    """The freezes of the rules of a scope, with few enough windows."""

    planned: Sequence[Planned]
    until: int | None
    """The end of the windows with a date; None if there are none."""
    remarks: Sequence[Remark]


def bounded(planned: Sequence[Planned], options: ProjectionOptions, *, dated: bool) -> Bounded:
    """Return the freezes, complete until as late as there is room for.

    Args:
        planned: of each rule.
        options: name the time and the horizon.
        dated: whether some windows have a date, even if none of them comes soon.
    """
    coming = [each._replace(once=_after(each.once, options.now)) for each in planned]
    starts = sorted(start for start, _ in chain.from_iterable(each.once for each in coming))
    if len(starts) <= MOST_EXPLICIT:
        return Bounded(coming, options.until if dated else None, ())
    until = max(starts[MOST_EXPLICIT], options.now)
    cut = [each._replace(once=_until(each.once, until)) for each in coming]
    many = max(coming, key=lambda each: len(each.once)).rule.id
    sentence = (
        f"it takes most of {len(starts):,} windows; with {MOST_EXPLICIT:,} of them, the freezes are "
        f"complete until {format_instant(until)} only"
    )
    return Bounded(cut, until, [Remark(many, sentence, refused=until < options.now + _SOON)])


def _after(once: Sequence[Interval], now: int) -> list[Interval]:
    return [span for span in once if span[1] > now]


def _until(once: Sequence[Interval], until: int) -> list[Interval]:
    return [span for span in once if span[0] < until]
