"""A cache of the store on this replica: freezes and keys, about a second old at most.

Questions are answered from it, even while the store can't be reached. Claims, grants and other changes
check in their own transaction that it is still current.
"""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from app.clock import Clock, SteadyClock
from app.core.instant import DAY
from app.gate.errors import StoreUnavailableError, UnauthenticatedError
from app.gate.in_force import FREEZES_KEPT_FOR, Policies
from app.gate.scopes import ScopeCheck
from app.identity.caller import Caller, Role, person_id
from app.store.records import HoldCounts, KeyRecord, OverrideCounts

if TYPE_CHECKING:
    from app.core.freeze import Freeze
    from app.store.store import Store
    from app.store.transaction import Transaction
    from app.store.view import View

_COUNTED_EVERY: Final = 5
"""Seconds between counts of overrides and holds; only metrics need them."""

_logger: Final = logging.getLogger("freezegate")


class StoreCache:
    """A cache of freezes and keys; `refresh` brings it up to date."""

    def __init__(self, store: "Store", policies: Policies, clock: Clock) -> None:
        """Cache the keys of `store`, and put its freezes in force beside `policies`."""
        self._store = store
        self._policies = policies
        self._clock = clock
        self.scopes = ScopeCheck(policies)
        """The check of what lies outside a caller's scope, by the policies in force."""
        self.steady = SteadyClock(clock)
        """The clock of grants and expiries; it follows the latest instant of the record."""
        self._behind = False
        self._keys: dict[str, KeyRecord] = {}
        self._keys_version = -1
        self._looked_for_a_key_at = 0
        self._counted_at = 0
        self.overrides = OverrideCounts(0, 0)
        """The number of usable overrides some seconds ago."""
        self.holds = HoldCounts((), 0)
        """The unfinished holds some seconds ago."""
        self.seq = 0
        """The end of the record at the last look."""
        self.degraded_since: int | None = None
        """The instant at which the store was lost; None while it can be reached."""

    async def refresh(self) -> None:
        """Read what has changed. If the store can't be reached, note that instead of raising."""
        try:
            self._take(await self._store.read(self._news))
        except StoreUnavailableError as error:
            if self.degraded_since is None:
                self.degraded_since = self._clock.now()
                _logger.warning("answering from memory: %s", error)
        else:
            if self.degraded_since is not None:
                _logger.info("the store can be reached again")
            self.degraded_since = None
            self._watch_clock()

    def load(self) -> None:
        """Read what has changed like `refresh`, but synchronously, and raise errors; for the start.

        Raises:
            StoreUnavailableError: the store can't be reached.
        """
        self._take(self._store.query(self._news))

    def key(self, digest: str) -> KeyRecord | None:
        """Return the API key of a hash; the caller checks whether it is still valid."""
        return self._keys.get(digest)

    @property
    def known_keys(self) -> Iterable[KeyRecord]:
        """All API keys, revoked and expired ones included."""
        return self._keys.values()

    def key_of_id(self, key_id: str) -> KeyRecord | None:
        """Return the API key of an id."""
        return next((key for key in self._keys.values() if key.id == key_id), None)

    async def key_made_since(self, digest: str) -> KeyRecord | None:
        """Return the API key of a hash that may be new; reads the store once a second at most."""
        now = self._clock.now()
        if now != self._looked_for_a_key_at:
            self._looked_for_a_key_at = now
            await self.refresh()
        return self._keys.get(digest)

    def check_caller(self, caller: Caller, transaction: "Transaction") -> None:
        """Check that the session of a caller is still open, and their key valid if keys have changed since.

        Call it first in a transaction: from there on, grants and expiries go by its latest instant.

        Raises:
            UnauthenticatedError: one of them was revoked.
        """
        self.steady.follow(transaction.latest_at)
        if caller.session_id is not None:
            session = transaction.session(caller.session_id)
            if session is None or session.revoked_at is not None:
                raise UnauthenticatedError("this session is over; sign in again")
        if caller.key_id is None or transaction.keys_version == self._keys_version:
            return
        key = transaction.key(caller.key_id)
        if key is None or key.revoked_at is not None:
            raise UnauthenticatedError("this key was revoked")

    def _news(self, view: "View") -> "_News":
        head = view.head()
        freezes = keys = None
        if head.freezes_version != self._policies.freezes_version:
            freezes = view.freezes_after(self._clock.now() - FREEZES_KEPT_FOR)
        if head.keys_version != self._keys_version:
            keys = view.keys_by_digest()
        self.steady.follow(head.latest_at)
        return head.seq, head.freezes_version, freezes, head.keys_version, keys, self._count(view)

    def _watch_clock(self) -> None:
        """Log that the machine's clock falls behind the record, and that it has caught up."""
        behind = self.steady.behind()
        if behind and not self._behind:
            _logger.warning(
                "the clock is %.1f s behind the latest event of the record; grants and expiries go on from "
                "there, decisions by the clock",
                behind / 1_000_000,
            )
        elif self._behind and not behind:
            _logger.info("the clock is no longer behind the record")
        self._behind = behind > 0

    def _count(self, view: "View") -> "_Counts | None":
        now = self.steady.now()
        if abs(now - self._counted_at) < _COUNTED_EVERY:
            return None
        self._counted_at = now
        holds = HoldCounts(tuple(view.count_holds()), view.count_failed_holds(now - DAY))
        return view.count_overrides(now), holds

    def _take(self, news: "_News") -> None:
        seq, freezes_version, freezes, keys_version, keys, counted = news
        if counted is not None:
            self.overrides, self.holds = counted
        self.seq = max(self.seq, seq)
        if freezes is not None:
            self._policies.use_freezes(freezes, freezes_version)
        if keys is not None and keys_version >= self._keys_version:
            self._keys, self._keys_version = keys, keys_version


if TYPE_CHECKING:
    _Counts = tuple[OverrideCounts, HoldCounts]
    _News = tuple[int, int, list[Freeze] | None, int, dict[str, KeyRecord] | None, _Counts | None]


def caller_of(key: KeyRecord) -> Caller:
    """Return the caller that a key authenticates."""
    person = None if key.person is None else person_id(key.person)
    return Caller(key.name, Role(key.role), key.services, key.id, person=person, tags=key.tags)
