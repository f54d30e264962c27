"""Compare the record with anchors that were kept elsewhere."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from app.core.anchor import Anchor
from app.core.audit import GENESIS

if TYPE_CHECKING:
    from app.store.view import View


class AnchorsFound(NamedTuple):
    """The result of comparing the record with anchors."""

    agreeing: int
    """Anchors that the record leads to."""
    pruned: int
    """Anchors in what was pruned, which only the archive could confirm."""
    fault: str | None
    """The first anchor that the record contradicts, in words; None if there is none."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields by their names."""
        return self._asdict()


def compare_anchors(
    query: "Callable[[Callable[[View], AnchorsFound]], AnchorsFound]", anchors: Sequence[Anchor]
) -> AnchorsFound:
    """Compare the record, whose chain is whole, with anchors.

    Args:
        query: runs a query on one state of the store.
        anchors: those to compare, in any order.
    """
    return query(lambda view: _compared(view, anchors))


def _compared(view: "View", anchors: Sequence[Anchor]) -> AnchorsFound:
    stretches = view.pruned_stretches()
    pruned_to = stretches[-1].seq if stretches else 0
    known = {(0, GENESIS), *((each.seq, each.hash) for each in stretches)}
    agreeing = pruned = 0
    for anchor in anchors:
        if anchor.checkpoint in known:
            agreeing += 1
        elif anchor.seq <= pruned_to:
            pruned += 1
        elif why := _contradiction(view, anchor):
            return AnchorsFound(agreeing, pruned, f"the anchor of {anchor.at}: event {anchor.seq} {why}")
        else:
            agreeing += 1
    return AnchorsFound(agreeing, pruned, None)


def _contradiction(view: "View", anchor: Anchor) -> str | None:
    found = view.events_after(anchor.seq - 1, 1)
    if not found or found[0].seq != anchor.seq:
        return "is missing: the record was cut off"
    if found[0].hash != anchor.hash:
        return "has another hash: the record was written anew"
    return None
