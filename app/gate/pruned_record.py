"""The beginning of a record that was pruned: its checkpoint, and the events before it that stay."""

import json
from typing import TYPE_CHECKING, Any, Final

from app.core.audit import GENESIS, ORIGIN, ChainBreak, Checkpoint, Link, carried_over, is_genuine
from app.core.instant import format_instant
from app.gate.audit_events import STAYING, Kind
from app.gate.errors import UnknownRecordError
from app.gate.ids import made_at
from app.store.records import PrunedStretch

if TYPE_CHECKING:
    from app.store.view import View

_TOGETHER: Final = 5_000


def pruned_to_json(stretch: PrunedStretch) -> dict[str, Any]:
    """Return the JSON representation of the pruning that a record begins after."""
    return {
        "checkpoint": {"seq": stretch.seq, "hash": stretch.hash},
        "since": format_instant(stretch.until // 1_000_000),
        "at": format_instant(stretch.pruned_at // 1_000_000),
        "file": stretch.file,
        "sha256": stretch.digest,
        "stay": stretch.carried,
    }


def kept_since(view: "View") -> int | None:
    """Return the instant up to which decisions were pruned, in seconds; None if none were."""
    pruned = view.latest_pruned()
    return None if pruned is None else pruned.until // 1_000_000


def unknown_decision(view: "View", decision_id: str) -> UnknownRecordError:
    """Return the error that there is no such decision; it says where it is if it was pruned."""
    at = made_at(decision_id)
    stretches = view.pruned_stretches() if at is not None else []
    # The id is made right before its event; it names milliseconds.
    found = next((each for each in stretches if at is not None and at <= each.until), None)
    if found is None:
        return UnknownRecordError("there is no decision of that id")
    until = format_instant(stretches[-1].until // 1_000_000)
    where = "" if found.file is None else f"; look for it in the file {found.file} of the archive"
    return UnknownRecordError(
        f"there is no decision of that id any more: those up to {until} were pruned{where}"
    )


class PrunedRecord:
    """Verify that a record begins where an event in it says that it was pruned.

    That event, `record-pruned`, names the checkpoint and has the digest over the events before it that stay.
    """

    def __init__(self, stretch: PrunedStretch | None) -> None:
        """Begin after a pruned stretch; None: the record was never pruned."""
        self.stretch = stretch
        self.checkpoint = ORIGIN if stretch is None else Checkpoint(stretch.seq, stretch.hash)
        self.is_read = stretch is None
        """Whether the events that stay are all verified."""
        self._reached = 0
        self._events = 0
        self._digest = GENESIS
        self._is_recorded = stretch is None

    def next_page(self, view: "View") -> list[Link]:
        """Return the next events before the checkpoint that stay."""
        if self.is_read:
            return []
        links = view.events_that_stay(STAYING, self._reached, self.checkpoint.seq, _TOGETHER)
        self.is_read = len(links) < _TOGETHER
        return links

    def check_staying(self, link: Link) -> ChainBreak | None:
        """Verify one of them by itself, and add it to their digest."""
        self._reached = link.seq
        self._events += 1
        self._digest = carried_over(self._digest, link.hash)
        if is_genuine(link):
            return None
        return ChainBreak(link.seq, "was changed: its hash does not fit what it says")

    def check(self, link: Link) -> ChainBreak | None:
        """Look whether an event after the checkpoint records the pruning; if so, compare what it says."""
        if self._is_recorded or self.stretch is None or link.kind != Kind.RECORD_PRUNED:
            return None
        data = json.loads(link.data)
        if data["checkpoint"]["seq"] != self.checkpoint.seq:
            return None
        self._is_recorded = True
        recorded = (data["checkpoint"]["hash"], data["file"], data["sha256"])
        if recorded != (self.checkpoint.hash, self.stretch.file, self.stretch.digest):
            return ChainBreak(link.seq, "records another checkpoint than the one that the record begins at")
        if data["stay"] != {"events": self._events, "digest": self._digest}:
            return ChainBreak(link.seq, "records other events that stay than those before the checkpoint")
        return None

    def finish(self) -> ChainBreak | None:
        """Look whether an event recorded the pruning."""
        if self._is_recorded:
            return None
        return ChainBreak(self.checkpoint.seq, "is no checkpoint: no event says that the record was pruned")
