"""Find what there is to notify of, and put it into the outbox, at least once and in order.

The replica that holds the lease collects. What it finds and how far it has read are written in one
transaction: killed before it, the next holder finds the same; killed after it, the next one sends it.
"""

import asyncio
import contextlib
from functools import partial
from json import dumps
from typing import TYPE_CHECKING, Final, Protocol

from app.clock import Clock
from app.core.instant import DAY, HOUR
from app.core.notification import (
    Notification,
    Occasion,
    policies_loaded_again,
    policies_refused,
    policies_removed,
)
from app.core.policy import MOST_NOTICE
from app.gate.denied_requests import Openings
from app.gate.errors import StoreUnavailableError
from app.gate.in_force import InForce, LoadFailure, Policies, with_freezes
from app.gate.lease import DURATION, RENEWED, HeldLease
from app.gate.notification_scan import Found, Snapshot, find, read
from app.gate.policy_notices import PolicyNotices
from app.policies.removal import in_words
from app.store.records import Backlog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.store.store import Store
    from app.store.transaction import Transaction

KEPT_FOR: Final = 7 * DAY
"""Seconds after which a message is deleted, sent or not."""

NOTICES_KEPT_FOR: Final = MOST_NOTICE + KEPT_FOR
"""Seconds after which a notice ahead of a freeze is deleted; its key keeps it from being repeated."""

_NOTICES: Final = f"{Occasion.FREEZE_NOTICE}:"
_COUNTED_EVERY: Final = 5
"""Seconds between counts of the backlog, which only metrics report."""

_NOTHING: Final = Backlog(0, 0)
_PRUNED_EVERY: Final = HOUR


class Receiver(Protocol):
    """A destination of notifications, as far as the outbox needs it."""

    @property
    def name(self) -> str:
        """The name that the outbox keeps notifications under."""
        ...

    def wants(self, notification: Notification) -> bool:
        """Return whether a notification is to be sent to this receiver."""
        ...


class Collector:
    """Collects notifications on one replica."""

    def __init__(
        self,
        store: "Store",
        policies: Policies,
        clock: Clock,
        receivers: "Sequence[Receiver]",
        lease: HeldLease,
    ) -> None:
        """Collect for `receivers` from the record in `store`, the policies and the time."""
        self._store = store
        self._policies = policies
        self._clock = clock
        self._receivers = {receiver.name: receiver for receiver in receivers}
        self._lease = lease
        self._pruned_at = 0
        self._failure: LoadFailure | None = None
        self._removed_in = ""
        """The revision of the set whose removals have been reported."""
        self._openings: tuple[InForce, Openings, PolicyNotices] | None = None
        self._scanned_with = ""
        """The revision of the policies at the last scan."""
        self._counted_at = 0
        self._backlog = dict.fromkeys(self._receivers, _NOTHING)

    @property
    def backlog(self) -> "Mapping[str, Backlog]":
        """The messages that waited for each receiver some seconds ago; reads no database."""
        return self._backlog

    async def collect(self) -> bool:
        """Put new notifications into the outbox, if this replica holds the lease or can take it.

        Returns:
            Whether there is more to be found at once.

        Raises:
            StoreUnavailableError: the store can't be read or written.
        """
        await self._report_policies()
        now = self._clock.now()
        seen, in_force = await self._read(now)
        if seen.lease.is_held_by_another(self._lease.own_name, now, DURATION):
            self._lease.keep(None)
            return False
        found = await asyncio.to_thread(self._find, seen, in_force, now)
        mine = seen.lease.holder == self._lease.own_name
        due = not DURATION - RENEWED < seen.lease.held_until - now <= DURATION
        is_idle = mine and not due and _is_empty(seen, found)
        if is_idle or await self._settle(seen, found, now):
            self._scanned_with = in_force.revision
        return not is_idle and self._lease.held and not seen.caught_up

    async def release(self) -> None:
        """Release the lease, so that another replica sends from now on."""
        if self._lease.held:
            self._lease.keep(None)
            # If that fails, the lease expires.
            with contextlib.suppress(StoreUnavailableError):
                own_name = self._lease.own_name
                await self._store.write(lambda transaction: transaction.release_lease(own_name))

    async def _read(self, now: int) -> tuple[Snapshot, InForce]:
        """Read the store; return it with the policies in force and the freezes of its state."""
        in_force = self._policies.in_force
        counting = abs(now - self._counted_at) >= _COUNTED_EVERY
        seen = await self._store.read(
            partial(
                read,
                known_version=in_force.freezes_version,
                own_name=self._lease.own_name,
                now=now,
                counting=counting,
            )
        )
        if seen.backlog is not None:
            self._counted_at = now
            self._backlog = {name: seen.backlog.get(name, _NOTHING) for name in self._receivers}
        if seen.lasting is not None:
            self._policies.use_freezes(seen.lasting, seen.freezes_version)
            in_force = with_freezes(in_force, seen.lasting, seen.freezes_version)
        return seen, in_force

    def _find(self, seen: Snapshot, in_force: InForce, now: int) -> Found:
        """Find what is new; runs in a thread, as compiling a year of policies takes milliseconds."""
        known = self._openings
        if known is None or known[0] is not in_force:
            engine = in_force.engine
            known = self._openings = (in_force, Openings(engine), PolicyNotices(engine))
        changed = in_force.revision != self._scanned_with
        return find(seen, *known[1:], in_force.home, now, changed=changed)

    async def _settle(self, seen: Snapshot, found: Found, now: int) -> bool:
        """Take or renew the lease, store what was found and how far it was read, in one transaction."""
        prepared = [(self._wanting(each), each.key, dumps(each.to_data())) for each in found.notifications]
        pruning = now - self._pruned_at >= _PRUNED_EVERY
        microseconds = self._clock.microseconds()

        def settle(transaction: "Transaction") -> tuple[bool, bool]:
            if not transaction.take_lease(self._lease.own_name, now, now + DURATION):
                return False, False
            if not transaction.advance_lease(self._lease.own_name, seen.lease, found.after):
                return True, False
            for names, key, data in prepared:
                transaction.put_notification(names, key, data, microseconds, now)
            if pruning:
                transaction.prune_outbox(now - KEPT_FOR, _NOTICES, now - NOTICES_KEPT_FOR)
            return True, True

        held, moved = await self._store.write(settle)
        self._lease.keep(now if held else None)
        if moved and pruning:
            self._pruned_at = now
        return moved

    async def _report_policies(self) -> None:
        """Report refused and mended policies: every replica does, and the key makes it one notification."""
        await self._report_removed(self._policies.in_force)
        failure, before = self._policies.last_error, self._failure
        if failure == before:
            return
        now = self._clock.now()
        if failure is not None:
            owners = [str(each) for each in failure.owners]
            problems = [str(problem) for problem in failure.problems]
            refused = policies_refused(failure.revision, now, problems, "", owners)
            await self._put_once(refused, failure, Occasion.POLICIES_LOADED_AGAIN)
        elif before is not None:
            again = policies_loaded_again(self._policies.in_force.revision, now, "")
            await self._put_once(again, before, Occasion.POLICIES_REFUSED)
        self._failure = failure

    async def _report_removed(self, in_force: InForce) -> None:
        """Report what the load of this set took away; the key makes it one notification of all replicas."""
        revision = in_force.revision
        if self._removed_in == revision:
            return
        at = in_force.loaded_at
        gone = [each for each in in_force.removed_lately(at) if each.at == at]
        if gone:
            names = [f"{each.kind} {each.name}" for each in gone]
            of_files = any(each.kind != "calendar" for each in gone)
            title = "Policies were removed" if of_files else "A calendar has lost coming events"
            made = policies_removed(revision, at, title, in_words(gone), names)
            made = made._replace(key=f"{made.event}:{revision}:{at // HOUR}")
            wanting, now, microseconds = self._wanting(made), self._clock.now(), self._clock.microseconds()
            data = dumps(made.to_data())
            await self._store.write(
                lambda transaction: transaction.put_notification(wanting, made.key, data, microseconds, now)
            )
        self._removed_in = revision

    async def _put_once(self, notification: Notification, about: LoadFailure, opposite: Occasion) -> None:
        """Put a notification once for all replicas, and once more after its opposite.

        Args:
            notification: without its key.
            about: the load that was refused.
            opposite: the occasion that comes between two of it.
        """
        names, now, microseconds = self._wanting(notification), self._clock.now(), self._clock.microseconds()

        def put(transaction: "Transaction") -> None:
            # Without receivers of the opposite, it is repeated in another hour.
            after = transaction.latest_message(f"{opposite}:") or ""
            key = f"{notification.event}:{about.revision}:{now // HOUR}:{after}"
            data = dumps(notification._replace(key=key).to_data())
            transaction.put_notification(names, key, data, microseconds, now)

        await self._store.write(put)

    def _wanting(self, notification: Notification) -> list[str]:
        return [name for name, receiver in self._receivers.items() if receiver.wants(notification)]


def _is_empty(seen: Snapshot, found: Found) -> bool:
    """Return whether a scan found nothing, and read no events."""
    return not found.notifications and found.after.seq == seen.lease.seq
