"""The audit log as a feed for another system: in order, each event at least once, by one replica at a time.

The position is in the store, and moves on only after the other system has taken a batch. So a replica that is
killed in between sends that batch again.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.clock import Clock
from app.core.anchor import Anchor
from app.core.audit import Link
from app.core.instant import format_instant
from app.gate.leases import Lease
from app.gate.record import event_to_json

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.view import View

SIEM: Final = "siem"
"""The name of the feed of the SIEM."""

MOST_EVENTS: Final = 500
LARGEST_BATCH: Final = 1024 * 1024
"""Characters of the events of a batch, unless a single one has more: few endpoints take larger bodies."""


class Batch(NamedTuple):
    """Events to be sent together."""

    events: list[dict[str, Any]]
    """As ``GET /audit`` shows them, in order."""
    seq: int
    """The position of the last one."""
    lost: int
    """Events before them that were pruned unsent."""


class FeedState(NamedTuple):
    """The progress of a feed, as the replica that sends knows it."""

    waiting: int
    """Events that were not sent yet."""
    oldest_at: int | None
    """When the oldest of them was recorded, in seconds since the Unix epoch; None if none waits."""


class EventFeed:
    """The feed of one destination."""

    def __init__(self, store: "Store", clock: Clock, name: str, own_name: str, *, from_start: bool) -> None:
        """Begin where the feed of this name stopped.

        Args:
            store: has the record and the position.
            clock: the source of the time.
            name: of the feed, such as ``siem``.
            own_name: the name of this replica, unique to it.
            from_start: whether a new feed begins with the first event, or at the present.
        """
        self._store = store
        self._clock = clock
        self._name = name
        self._from_start = from_start
        self._seq: int | None = None
        self._lease = Lease(store, clock, name, own_name)
        self.state = FeedState(0, None)

    @property
    def held(self) -> bool:
        """Whether this replica is the one that sends."""
        return self._lease.held

    async def take(self) -> bool:
        """Take the lease of the feed, or renew it; return whether this replica sends.

        Raises:
            StoreUnavailableError: the store can't be written.
        """
        held = await self._lease.take()
        if not held:
            self._seq = None  # another replica moves it on
        return held

    async def release(self) -> None:
        """Let another replica go on at once."""
        await self._lease.release()

    async def batch(self) -> Batch | None:
        """Return the next events; None if there are none.

        Raises:
            StoreUnavailableError: the store can't be read or written.
        """
        if self._seq is None:
            self._seq = await self._position()
        after = self._seq
        links, head, pruned = await self._store.read(
            lambda view: (view.events_after(after, MOST_EVENTS), view.head().seq, view.latest_pruned())
        )
        oldest = links[0].at // 1_000_000 if links else None
        self.state = FeedState(max(0, head - after), oldest)
        if not links:
            return None
        taken = _first_of(links)
        lost = max(0, pruned.seq - after) if pruned is not None else 0
        return Batch([event_to_json(each) for each in taken], taken[-1].seq, lost)

    async def passed(self, batch: Batch) -> None:
        """Move on: the other system has taken a batch.

        Raises:
            StoreUnavailableError: the store can't be written; the batch is sent again.
        """
        await self._keep(batch.seq)
        waiting = max(0, self.state.waiting - len(batch.events))
        self.state = FeedState(waiting, self.state.oldest_at if waiting else None)

    async def _position(self) -> int:
        """Return where the feed stopped; a new one begins, and remembers where."""
        found = await self._store.read(lambda view: (_remembered(view, self._name), view.head().seq))
        if found[0] is not None:
            return found[0]
        seq = 0 if self._from_start else found[1]
        await self._keep(seq)
        return seq

    async def _keep(self, seq: int) -> None:
        content = json.dumps({"seq": seq})
        await self._store.write(
            lambda transaction: transaction.keep_projection(self._name, "position", content)
        )
        self._seq = seq


class Anchoring:
    """The anchors of the record, made by one replica at a time at an interval."""

    def __init__(self, store: "Store", clock: Clock, every: int, own_name: str) -> None:
        """Make an anchor `every` so many seconds; `own_name` is unique to this replica."""
        self._store = store
        self._clock = clock
        self._every = every
        self._lease = Lease(store, clock, "anchors", own_name)
        self._next_at = clock.now()
        """When the next anchor is due, as far as this replica knows."""

    @property
    def held(self) -> bool:
        """Whether this replica is the one that makes anchors."""
        return self._lease.held

    async def release(self) -> None:
        """Let another replica go on at once."""
        await self._lease.release()

    async def due(self) -> Anchor | None:
        """Return the anchor that is due, unsigned; None if none is, or another replica makes them.

        Raises:
            StoreUnavailableError: the store can't be read or written.
        """
        if not await self._lease.take():
            return None
        now = self._clock.now()
        last, head = await self._store.read(lambda view: (_remembered(view, "anchors"), view.head()))
        if last is not None:
            self._next_at = last + self._every
        if last is not None and 0 <= now - last < self._every:
            return None
        return Anchor(head.seq, head.hash, format_instant(now))

    async def passed(self) -> None:
        """Note that the anchor was taken.

        Raises:
            StoreUnavailableError: the store can't be written; another anchor is made soon.
        """
        now = self._clock.now()
        content = json.dumps({"seq": now})
        await self._store.write(
            lambda transaction: transaction.keep_projection("anchors", "position", content)
        )
        self._next_at = now + self._every

    def overdue(self, now: int) -> int:
        """Return the seconds by which the next anchor is late."""
        return max(0, now - self._next_at)


def sent_to_siem(view: "View") -> int | None:
    """Return the position up to which the SIEM has the record; None if there never was a SIEM."""
    return _remembered(view, SIEM)


def _first_of(links: Sequence[Link]) -> Sequence[Link]:
    """Return the first events, as many as `LARGEST_BATCH` allows; one at least."""
    size = 0
    for number, link in enumerate(links):
        size += len(link.data)
        if number and size > LARGEST_BATCH:
            return links[:number]
    return links


def _remembered(view: "View", name: str) -> int | None:
    content = view.projection(name, "position")
    return None if content is None else int(json.loads(content)["seq"])
