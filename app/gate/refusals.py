"""Refused requests, for the record: of those alike, one event a minute, with their number.

An attacker must not fill the record, nor the memory: few events are written a minute, and refusals beyond the
places for different ones are counted together.
"""

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from app.clock import Clock
from app.core.audit import Event
from app.gate.audit_events import Kind, happened
from app.gate.errors import StoreUnavailableError

if TYPE_CHECKING:
    from app.store.store import Store

EVERY: Final = 60
"""Seconds between two events about refusals that are alike."""

MOST_EVENTS: Final = 10
"""Events a minute about failed credentials, and as many about all else: 29,000 a day in all, in an attack
that lasts all day."""

OF_ADDRESS: Final = 5
"""Of those, events a minute of one address."""

MOST_KINDS: Final = 1_000
"""Refusals that are counted apart, of failed credentials and of all else; those of other addresses beyond it
count as one kind for each reason."""

KINDS_OF_ADDRESS: Final = 100
"""Of those, the refusals of one address; beyond it, its routes count as one kind for each reason."""

FAILED_CREDENTIALS: Final = frozenset(
    ("invalid credentials", "the key was revoked or has expired", "too many failed credentials")
)
"""The reasons of refusals that may be attempts to find valid credentials. Requests without any can't crowd
these out."""

_OTHERS: Final = "others"

_logger: Final = logging.getLogger("freezegate")


class Refusal(NamedTuple):
    """A kind of refused requests: those that are counted together."""

    status: int
    """401, 403 or 429."""
    why: str
    """The reason, in words of ours: no part of it comes from the caller."""
    method: str
    route: str
    """The template of the path."""
    address: str
    """The address that asked, or its network."""
    name: str
    """The caller, if known; else empty."""


class _Count:
    """The refusals of a kind that no event tells yet, and when an event last did."""

    __slots__ = ("number", "written_at")

    def __init__(self) -> None:
        self.number = 0
        self.written_at: int | None = None

    def is_recent(self, now: int) -> bool:
        """Return whether an event told of the kind less than a minute ago."""
        return self.written_at is not None and now - self.written_at < EVERY


class _Ledger:
    """The kinds of refusals that share the room of a minute."""

    def __init__(self) -> None:
        self.counts: dict[Refusal, _Count] = {}
        self._kinds: Counter[str] = Counter()
        """How many kinds each address has."""
        self._written: Counter[str] = Counter()
        """How many events of each address this minute has."""

    def note(self, refusal: Refusal) -> None:
        if refusal not in self.counts and self._kinds[refusal.address] >= KINDS_OF_ADDRESS:
            refusal = refusal._replace(method="", route="", name="")
        if refusal not in self.counts and len(self.counts) >= MOST_KINDS:
            refusal = refusal._replace(method="", route="", address=_OTHERS, name="")
        if refusal not in self.counts:
            self.counts[refusal] = _Count()
            self._kinds[refusal.address] += 1
        self.counts[refusal].number += 1

    def due(self, now: int) -> list[tuple[Refusal, _Count]]:
        """Return the kinds that may have an event now: those that waited longest, of each address a few."""
        ready = [each for each in self.counts.items() if each[1].number and not each[1].is_recent(now)]
        # Those that no event tells yet go first, in the order in which they came.
        ready.sort(key=lambda each: -1 if each[1].written_at is None else each[1].written_at)
        chosen: list[tuple[Refusal, _Count]] = []
        for each in ready:
            address = each[0].address
            if self._written.total() < MOST_EVENTS and self._written[address] < OF_ADDRESS:
                self._written[address] += 1
                chosen.append(each)
        return chosen

    def begin_minute(self, now: int) -> None:
        """Make room for the events of a minute, and drop the kinds that had theirs and came no more."""
        self._written.clear()
        self.counts = {
            refusal: count
            for refusal, count in self.counts.items()
            if count.number or count.written_at is None or count.is_recent(now)
        }
        self._kinds = Counter(refusal.address for refusal in self.counts)


class Refusals:
    """The refused requests of one replica."""

    def __init__(self, store: "Store", clock: Clock) -> None:
        """Count nothing yet."""
        self._store = store
        self._clock = clock
        self._failed, self._other = _Ledger(), _Ledger()
        self._minute = 0
        self._failing = False

    def note(self, refusal: Refusal) -> None:
        """Count a refused request; `write` puts it on record."""
        (self._failed if refusal.why in FAILED_CREDENTIALS else self._other).note(refusal)

    async def write(self) -> None:
        """Write the events that are due; requests are refused even if that fails."""
        now = self._clock.now()
        due = self._due(now)
        if not due:
            return
        events = [self._event(refusal, count.number) for refusal, count in due]
        numbers = [count.number for _, count in due]
        for _, count in due:
            count.number, count.written_at = 0, now
        if not await self._append(events):
            for (_, count), number in zip(due, numbers, strict=True):
                count.number += number

    async def _append(self, events: list[Event]) -> bool:
        """Put events on record; return whether that succeeded. A failure is logged once while it lasts."""
        try:
            await self._store.write(lambda transaction: [*map(transaction.append, events)])
        except StoreUnavailableError as error:
            if not self._failing:
                _logger.warning("refused requests could not be put into the record: %s", error)
            self._failing = True
            return False
        self._failing = False
        return True

    def _due(self, now: int) -> list[tuple[Refusal, _Count]]:
        """Return the kinds that may have an event now, as many as this minute has room for."""
        if self._minute != now // EVERY:
            self._minute = now // EVERY
            self._failed.begin_minute(now)
            self._other.begin_minute(now)
        return self._failed.due(now) + self._other.due(now)

    def _event(self, refusal: Refusal, number: int) -> Event:
        data = {key: each for key, each in refusal._asdict().items() if key != "name"}
        at = self._clock.microseconds()
        return happened(at, Kind.REQUEST_REFUSED, refusal.name, **data, count=number)
