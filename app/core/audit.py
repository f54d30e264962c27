"""The audit log as a hash chain: every event carries the hash of the event before it.

An edit, a removal, an insertion or a swap breaks the chain at that event. An attacker who can write the
whole database can also write a whole new chain, or cut off the tail: a checkpoint kept elsewhere reveals
both.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

GENESIS: Final = "0" * 64
"""The previous hash of the first event."""


class Event(NamedTuple):
    """An audit event before it is chained."""

    at: int
    """The recording time: microseconds since the Unix epoch, UTC."""
    kind: str
    """The kind of event, such as ``decision`` or ``freeze-started``."""
    actor: str
    """The caller responsible; empty for an anonymous caller and for the gate itself."""
    data: str
    """The event's details as one JSON object, exactly as stored."""


class Link(NamedTuple):
    """An event chained at its sequence number."""

    seq: int
    at: int
    kind: str
    actor: str
    data: str
    previous: str
    """The hash of the event before, in hexadecimal."""
    hash: str


class Checkpoint(NamedTuple):
    """A sequence number and the hash of the event there."""

    seq: int
    hash: str


ORIGIN: Final = Checkpoint(0, GENESIS)
"""The checkpoint before the first event."""


class ChainBreak(NamedTuple):
    """The first event at which the chain is broken, and the reason."""

    seq: int
    what: str


def digest(seq: int, event: Event, previous: str) -> str:
    """Return the hash of an event at a sequence number: SHA-256 of its canonical form, in hexadecimal.

    The canonical form is the fields seq, at, kind, actor, data and previous in that order, numbers in
    decimal, everything in UTF-8, each as a netstring: its length in bytes, a colon, the bytes, a comma.
    """
    return _digest(seq, event.at, event.kind, event.actor, event.data, previous)


def _digest(seq: int, at: int, kind: str, actor: str, data: str, previous: str) -> str:
    """Return the hash of the parts. Unrolled: verification calls it a million times."""
    if data.isascii() and actor.isascii() and kind.isascii() and previous.isascii():
        # Letters are bytes then, so that the whole is encoded at once.
        place, instant = str(seq), str(at)
        text = (
            f"{len(place)}:{place},{len(instant)}:{instant},{len(kind)}:{kind},{len(actor)}:{actor},"
            f"{len(data)}:{data},{len(previous)}:{previous},"
        )
        return hashlib.sha256(text.encode()).hexdigest()
    parts = [str(part).encode() for part in (seq, at, kind, actor, data, previous)]
    return hashlib.sha256(b"".join([b"%d:%b," % (len(part), part) for part in parts])).hexdigest()


def is_genuine(link: Link) -> bool:
    """Return whether the hash of an event fits what it says, wherever it stands in the chain."""
    return link.hash == _digest(link.seq, link.at, link.kind, link.actor, link.data, link.previous)


def carried_over(before: str, own: str) -> str:
    """Return the running digest over events that outlast the pruning of those around them.

    Args:
        before: the digest over the ones before, in the order of the chain; `GENESIS` before the first.
        own: the hash of the next one.
    """
    return hashlib.sha256(f"{before}{own}".encode()).hexdigest()


def chained(head: Checkpoint, events: Iterable[Event]) -> Iterator[Link]:
    """Yield events as links that continue the chain after its head."""
    seq, previous = head
    for event in events:
        seq += 1
        own = digest(seq, event, previous)
        yield Link(seq, *event, previous, own)
        previous = own


class Verifier:
    """Verify a chain link by link up to the first break."""

    def __init__(self, against: Checkpoint | None = None, start: Checkpoint = ORIGIN) -> None:
        """Start after the event of `start`; with `against`, also require that checkpoint."""
        self._against = against
        self._seq, self._hash = start

    @property
    def reached(self) -> Checkpoint:
        """The last event that was verified."""
        return Checkpoint(self._seq, self._hash)

    def check(self, link: Link) -> ChainBreak | None:
        """Verify the next event and return the break, if there is one."""
        seq, at, kind, actor, data, previous, stored = link
        expected = self._seq + 1
        if seq != expected:
            return ChainBreak(expected, f"is missing: the next one recorded is {seq}")
        if previous != self._hash:
            return ChainBreak(seq, "does not carry the hash of the event before")
        own = _digest(seq, at, kind, actor, data, previous)
        if stored != own:
            return ChainBreak(seq, "was changed: its hash does not fit what it says")
        if self._against is not None and seq == self._against.seq and own != self._against.hash:
            return ChainBreak(seq, "is not the event of the checkpoint: the record was written anew")
        self._seq, self._hash = seq, own
        return None

    def finish(self, head: Checkpoint) -> ChainBreak | None:
        """Verify that the chain reaches its head and the checkpoint."""
        return finished(self.reached, self._against, head)


def finished(reached: Checkpoint, against: Checkpoint | None, head: Checkpoint) -> ChainBreak | None:
    """Return what is wrong with the end of a verified chain: it must reach its head and a checkpoint."""
    last = max(head.seq, against.seq if against else 0)
    if reached.seq < last:
        return ChainBreak(reached.seq + 1, f"is missing: the record goes up to event {last}")
    if head != reached:
        return ChainBreak(reached.seq, "is not what the head of the record says it is")
    return None
