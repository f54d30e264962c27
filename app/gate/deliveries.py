"""The ids of webhooks that were dealt with: most vendors deliver at least once, and anyone may replay."""

import hashlib
from typing import TYPE_CHECKING, Final

from app.clock import Clock
from app.core.instant import DAY, MINUTE

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction

KEPT_FOR: Final = 2 * DAY
"""Seconds that an id is kept; vendors repeat a webhook for a day at most."""

MOST_KEPT: Final = 200_000
"""Ids that are kept; two webhooks a second for a day. Beyond that the oldest are forgotten."""

LONGEST_ID: Final = 200
"""Characters of an id that is stored as it is; the ids of vendors have 40."""

_PRUNED_EVERY: Final = 10 * MINUTE


class Deliveries:
    """The ids of webhooks, in the store: a webhook that came to one replica is known to all."""

    def __init__(self, store: "Store", clock: Clock) -> None:
        """Keep them in `store`, by the time of `clock`."""
        self._store = store
        self._clock = clock
        self._pruned_at = 0

    async def is_known(self, source: str, delivery: str) -> bool:
        """Return whether a webhook was dealt with already.

        Raises:
            StoreUnavailableError: the store can't be read.
        """
        return await self._store.read(lambda view: view.is_delivery_known(source, storable(delivery)))

    async def note(self, source: str, delivery: str) -> bool:
        """Note that a webhook was dealt with; return False if it was before. Call it when the work is done.

        Raises:
            StoreUnavailableError: the store can't be written; the vendor should send it again.
        """
        return await self._store.write(lambda transaction: self.note_in(transaction, source, delivery))

    def note_in(self, transaction: "Transaction", source: str, delivery: str) -> bool:
        """Note a webhook like `note`, in the transaction that deals with it."""
        now = self._clock.now()
        if now - self._pruned_at >= _PRUNED_EVERY:
            self._pruned_at = now
            transaction.prune_deliveries(now - KEPT_FOR, MOST_KEPT)
        return transaction.note_delivery(source, storable(delivery), now)


def storable(text: str) -> str:
    """Return an id from outside as it is stored: a long or unprintable one by its hash."""
    if len(text) <= LONGEST_ID and text.isascii() and text.isprintable():
        return text
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"
