"""The record as a chain: every event carries the hash of the one before.

An edit, a removal, an insertion or a swap breaks the chain at that event. Whoever can write the whole
database can also write a whole new chain: against that, and against a tail that was cut off, stands a
checkpoint kept elsewhere.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

GENESIS: Final = "0" * 64
"""What the first event carries for the hash of the one before."""


class Event(NamedTuple):
    """Something that happened, before it has its place in the record."""

    at: int
    """When it was recorded: microseconds since the Unix epoch, UTC."""
    kind: str
    """What happened, such as ``decision`` or ``freeze-started``."""
    actor: str
    """Who did it; empty for an anonymous caller and for the gate itself."""
    data: str
    """The rest, as one JSON object, exactly as it is stored."""


class Link(NamedTuple):
    """An event in its place."""

    seq: int
    at: int
    kind: str
    actor: str
    data: str
    previous: str
    """The hash of the event before, in hexadecimal."""
    hash: str


class Checkpoint(NamedTuple):
    """A place in the record and the hash that stands there."""

    seq: int
    hash: str


class ChainBreak(NamedTuple):
    """The first event that is wrong, and how."""

    seq: int
    what: str


def digest(seq: int, event: Event, previous: str) -> str:
    """The hash of an event in its place: SHA-256, in hexadecimal, over its canonical form.

    The canonical form is the fields seq, at, kind, actor, data and previous in that order, numbers in
    decimal, everything in UTF-8, each as a netstring: its length in bytes, a colon, the bytes, a comma.
    """
    return _digest(seq, event.at, event.kind, event.actor, event.data, previous)


def _digest(seq: int, at: int, kind: str, actor: str, data: str, previous: str) -> str:
    """The hash of the parts of a canonical form; written out, for it is called a million times."""
    place, instant, what, who = b"%d" % seq, b"%d" % at, kind.encode(), actor.encode()
    rest, before = data.encode(), previous.encode()
    form = b"%d:%b,%d:%b,%d:%b,%d:%b,%d:%b,%d:%b," % (
        len(place), place, len(instant), instant, len(what), what, len(who), who, len(rest), rest,
        len(before), before,
    )  # fmt: skip
    return hashlib.sha256(form).hexdigest()


def chained(head: Checkpoint, events: Iterable[Event]) -> Iterator[Link]:
    """Give events their places after the head of the record."""
    seq, previous = head
    for event in events:
        seq += 1
        own = digest(seq, event, previous)
        yield Link(seq, *event, previous, own)
        previous = own


class Verifier:
    """Goes along the record and stops at the first event that is wrong."""

    def __init__(self, against: Checkpoint | None = None) -> None:
        """Expect the whole record; with `against`, one that continues this checkpoint."""
        self._against = against
        self.reached = Checkpoint(0, GENESIS)

    def check(self, link: Link) -> ChainBreak | None:
        """Take the next event; say what is wrong with it, if anything is."""
        expected = self.reached.seq + 1
        if link.seq != expected:
            return ChainBreak(expected, f"is missing: the next one recorded is {link.seq}")
        if link.previous != self.reached.hash:
            return ChainBreak(link.seq, "does not carry the hash of the event before")
        own = _digest(link.seq, link.at, link.kind, link.actor, link.data, link.previous)
        if link.hash != own:
            return ChainBreak(link.seq, "was changed: its hash does not fit what it says")
        if self._against is not None and link.seq == self._against.seq and link.hash != self._against.hash:
            return ChainBreak(link.seq, "is not the event of the checkpoint: the record was written anew")
        self.reached = Checkpoint(link.seq, own)
        return None

    def finish(self, head: Checkpoint) -> ChainBreak | None:
        """Say whether the record goes on as far as its head, and the checkpoint, say it does."""
        last = max(head.seq, self._against.seq if self._against else 0)
        if self.reached.seq < last:
            return ChainBreak(self.reached.seq + 1, f"is missing: the record goes up to event {last}")
        if head != self.reached:
            return ChainBreak(self.reached.seq, "is not what the head of the record says it is")
        return None
