"""Refused requests, for the record: of those alike, one event a minute, with their number.

An attacker must not fill the record, nor the memory: few events are written a minute, and refusals beyond the
places for different ones are counted together.
"""

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from app.clock import Clock
from app.core.audit import Event
from app.gate.audit_events import Kind, happened
from app.gate.errors import StoreUnavailableError

if TYPE_CHECKING:
    from app.store.store import Store

EVERY: Final = 60
"""Seconds between two events about refusals that are alike."""

MOST_EVENTS: Final = 20
"""Events a minute, of all kinds together: 29,000 a day at most, in an attack that lasts all day."""

MOST_KINDS: Final = 1_000
"""Refusals that are counted apart; those of other addresses beyond it count as one kind for each reason."""

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


class Refusals:
    """The refused requests of one replica."""

    def __init__(self, store: "Store", clock: Clock) -> None:
        """Count nothing yet."""
        self._store = store
        self._clock = clock
        self._counts: dict[Refusal, _Count] = {}
        self._minute = 0
        self._written = 0
        self._failing = False

    def note(self, refusal: Refusal) -> None:
        """Count a refused request; `write` puts it on record."""
        if refusal not in self._counts and len(self._counts) >= MOST_KINDS:
            refusal = refusal._replace(method="", route="", address=_OTHERS, name="")
        self._counts.setdefault(refusal, _Count()).number += 1

    async def write(self) -> None:
        """Write the events that are due; requests are refused even if that fails."""
        now = self._clock.now()
        due = self._due(now) if self._counts else []
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
            self._minute, self._written = now // EVERY, 0
            self._forget(now)
        ready = [
            (refusal, count)
            for refusal, count in self._counts.items()
            if count.number and (count.written_at is None or now - count.written_at >= EVERY)
        ]
        chosen = ready[: MOST_EVENTS - self._written]
        self._written += len(chosen)
        return chosen

    def _forget(self, now: int) -> None:
        """Drop the kinds that had their event and came no more."""
        self._counts = {
            refusal: count
            for refusal, count in self._counts.items()
            if count.number or count.written_at is None or now - count.written_at < EVERY
        }

    def _event(self, refusal: Refusal, number: int) -> Event:
        data = {key: each for key, each in refusal._asdict().items() if key != "name"}
        at = self._clock.microseconds()
        return happened(at, Kind.REQUEST_REFUSED, refusal.name, **data, count=number)
