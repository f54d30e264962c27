"""Notifications: found by one replica, put into an outbox, sent from there at least once.

The sender holds a lease in the store. What it finds and how far it has looked are written in one
transaction: killed before it, the next sender finds the same; killed after it, the next one sends it.
"""

import asyncio
import contextlib
import logging
from functools import partial
from json import dumps, loads
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from app.clock import Clock
from app.core.instant import DAY, HOUR, MINUTE
from app.core.notification import (
    Notification,
    Occasion,
    policies_loaded_again,
    policies_refused,
    policies_removed,
)
from app.gate.denied_requests import Openings
from app.gate.errors import StoreUnavailableError
from app.gate.in_force import InForce, LoadFailure, Policies
from app.gate.notification_scan import Found, Snapshot, find, read
from app.policies.removal import in_words
from app.store.records import Backlog, OutboxMessage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.core.freeze import Freeze
    from app.store.store import Store
    from app.store.transaction import Transaction

LEASE: Final = 15
"""Seconds after which another replica takes over from a sender that was killed."""

RENEWED: Final = 5
"""Seconds after which a sender that found nothing says that it is still there."""

GIVEN_UP_AFTER: Final = DAY
"""Seconds that a notification is tried for."""

PASSED_AFTER: Final = 5
"""Tries after which a notification that fails holds up only what is about the same."""

MOST_PASSED: Final = 3
"""Subjects that are passed; if a fourth fails as well, it is the receiver, and not what it was sent."""

KEPT_FOR: Final = 7 * DAY
"""Seconds after which a notification is forgotten, whatever became of it."""

_COUNTED_EVERY: Final = 5
"""Seconds between counts of what waits; only metrics tell it."""

_NOTHING: Final = Backlog(0, 0)
_PRUNED_EVERY: Final = HOUR
_FIRST_PAUSE: Final = 5
_LONGEST_PAUSE: Final = 10 * MINUTE
_MOST_DOUBLED: Final = 10
_LONGEST_ASKED: Final = HOUR
_LOOKED_THROUGH: Final = 100
"""Notifications that are looked through for one whose turn it is."""


_logger: Final = logging.getLogger("freezegate.notifications")


class Receiver(Protocol):
    """A destination of notifications, as far as the outbox needs it."""

    @property
    def name(self) -> str:
        """The name that the outbox keeps notifications under."""
        ...

    def wants(self, notification: Notification) -> bool:
        """Return whether a notification is to be sent to this receiver."""
        ...


class DeliveryResult(NamedTuple):
    """What became of one try to send."""

    outcome: Literal["taken", "later", "refused"]
    """``refused``: that message is never taken, however often it is tried."""
    why: str = ""
    """For the log and the outbox; it repeats nothing secret."""
    retry_after: int = 0
    """Seconds that the receiver asks to wait for."""


class Outstanding(NamedTuple):
    """A notification whose turn it is."""

    message: OutboxMessage
    notification: Notification


class Notifications:
    """The use cases of notifications, on one replica."""

    def __init__(
        self,
        store: "Store",
        policies: Policies,
        clock: Clock,
        receivers: "Sequence[Receiver]",
        own_name: str,
    ) -> None:
        """Tell `receivers` what happens in `store`, and what comes by `policies` and time.

        Args:
            store: has the record and the outbox.
            policies: in force on this replica.
            clock: tells the time.
            receivers: where to.
            own_name: of this replica; no other one has the same.
        """
        self._store = store
        self._policies = policies
        self._clock = clock
        self._receivers = {receiver.name: receiver for receiver in receivers}
        self._own_name = own_name
        self._held_until = 0
        self._pruned_at = 0
        self._failure: LoadFailure | None = None
        self._removed_in = ""
        """The revision of the set whose removals have been reported."""
        self._freezes: tuple[int, tuple[Freeze, ...]] = (-1, ())
        self._openings: tuple[InForce, int, Openings] | None = None
        self._looked_with = ""
        self._quiet_until: dict[str, int] = {}
        self._counted_at = 0
        self._backlog = dict.fromkeys(self._receivers, _NOTHING)

    @property
    def backlog(self) -> "Mapping[str, Backlog]":
        """What waited for each receiver some seconds ago; nothing is looked up."""
        return self._backlog

    @property
    def holds_lease(self) -> bool:
        """Whether this replica is the one that sends."""
        return self._clock.now() < self._held_until

    async def collect(self) -> bool:
        """Put what there is to tell into the outbox, if this replica is the sender or can be.

        Returns:
            Whether there is more to be found at once.

        Raises:
            StoreUnavailableError: the store can't be read or written.
        """
        await self._tell_of_policies()
        now = self._clock.now()
        counting = abs(now - self._counted_at) >= _COUNTED_EVERY
        seen = await self._store.read(
            partial(read, known_version=self._freezes[0], own_name=self._own_name, now=now, counting=counting)
        )
        if seen.backlog is not None:
            self._counted_at = now
            self._backlog = {name: seen.backlog.get(name, _NOTHING) for name in self._receivers}
        if seen.lasting is not None:
            self._freezes = (seen.freezes_version, tuple(seen.lasting))
        mine = seen.lease.holder == self._own_name
        if not mine and seen.lease.held_until > now:
            self._held_until = 0
            return False
        in_force = self._policies.in_force
        found = await asyncio.to_thread(self._find, seen, in_force, now)
        due = seen.lease.held_until - now <= LEASE - RENEWED
        if mine and not due and not found.notifications and found.after.seq == seen.lease.seq:
            self._looked_with = in_force.revision
            return False
        if await self._settle(seen, found, now):
            self._looked_with = in_force.revision
        return self.holds_lease and not seen.caught_up

    async def release(self) -> None:
        """Let another replica send from now on; for the end."""
        if self.holds_lease:
            self._held_until = 0
            # Then the lease runs out by itself.
            with contextlib.suppress(StoreUnavailableError):
                await self._store.write(lambda transaction: transaction.release_lease(self._own_name))

    async def due(self, receiver: str) -> Outstanding | None:
        """What a receiver gets now; None if that is nothing, or another replica sends.

        What is about the same freeze or override goes in the order in which it was put; see `next_message`.

        Raises:
            StoreUnavailableError: the store can't be read.
        """
        now = self._clock.now()
        if not self.holds_lease or self._quiet_until.get(receiver, 0) > now:
            return None
        messages = await self._store.read(lambda view: view.pending_messages(receiver, _LOOKED_THROUGH))
        message = next_message(messages, now)
        if message is None:
            return None
        notification = _read(message)
        if notification is None:
            # It must not stand in the way of what comes after it.
            await self.settle(message, DeliveryResult("refused", "can't be read"), 0)
            return None
        return Outstanding(message, notification)

    async def settle(self, message: OutboxMessage, reply: DeliveryResult, jitter: float) -> None:
        """Note what became of a try.

        Args:
            message: what was tried.
            reply: what the receiver made of it.
            jitter: from 0 to 1, at random: senders that failed together do not come back together.

        Raises:
            StoreUnavailableError: it can't be noted; then it is tried once more.
        """
        now = self._clock.now()
        if reply.outcome == "taken":
            await self._store.write(lambda transaction: transaction.note_sent(message, now))
            return
        fields = {"receiver": message.receiver, "key": message.key, "why": reply.why}
        if reply.outcome == "refused" or now - message.created_at >= GIVEN_UP_AFTER:
            await self._store.write(lambda transaction: transaction.give_up(message, now, reply.why))
            _logger.warning("a notification was given up", extra={"fields": fields})
            return
        asked = min(reply.retry_after, _LONGEST_ASKED)
        if asked:
            self._quiet_until[message.receiver] = now + asked
        then = now + max(pause(message.attempts, jitter), asked)
        await self._store.write(lambda transaction: transaction.note_failed(message, then, reply.why))
        if message.attempts == 0:
            _logger.warning("a notification could not be sent; it is tried again", extra={"fields": fields})

    def _find(self, seen: Snapshot, in_force: InForce, now: int) -> Found:
        """In a thread: to compile a year of policies takes milliseconds."""
        version, freezes = self._freezes
        known = self._openings
        if known is None or known[0] is not in_force or known[1] != version:
            openings = Openings(in_force.engine.with_freezes(freezes))
            known = self._openings = (in_force, version, openings)
        changed = in_force.revision != self._looked_with
        return find(seen, known[2], in_force.home, now, changed=changed)

    async def _settle(self, seen: Snapshot, found: Found, now: int) -> bool:
        """Take or renew the lease, put what was found, and say how far it was: together or not at all."""
        prepared = [(self._wanting(each), each.key, dumps(each.to_data())) for each in found.notifications]
        pruning = now - self._pruned_at >= _PRUNED_EVERY
        microseconds = self._clock.microseconds()

        def settle(transaction: "Transaction") -> tuple[bool, bool]:
            if not transaction.take_lease(self._own_name, now, now + LEASE):
                return False, False
            if not transaction.advance_lease(self._own_name, seen.lease, found.after):
                return True, False
            for names, key, data in prepared:
                transaction.put_notification(names, key, data, microseconds, now)
            if pruning:
                transaction.prune_outbox(now - KEPT_FOR)
            return True, True

        held, moved = await self._store.write(settle)
        self._held_until = now + LEASE if held else 0
        if moved and pruning:
            self._pruned_at = now
        return moved

    async def _tell_of_policies(self) -> None:
        """Every replica loads by itself, and tells of it by itself; the key makes it one notification."""
        await self._tell_of_removed(self._policies.in_force)
        failure, before = self._policies.last_error, self._failure
        if failure == before:
            return
        now = self._clock.now()
        if failure is not None:
            problems = [str(problem) for problem in failure.problems]
            refused = policies_refused(failure.revision, now, problems, "")
            await self._put_once(refused, failure, Occasion.POLICIES_LOADED_AGAIN)
        elif before is not None:
            again = policies_loaded_again(self._policies.in_force.revision, now, "")
            await self._put_once(again, before, Occasion.POLICIES_REFUSED)
        self._failure = failure

    async def _tell_of_removed(self, in_force: InForce) -> None:
        """Report what the load of this set took away; the key makes it one notification of all replicas."""
        revision = in_force.revision
        if self._removed_in == revision:
            return
        at = in_force.loaded_at
        gone = [each for each in in_force.removed_lately(at) if each.at == at]
        if gone:
            names = [f"{each.kind} {each.name}" for each in gone]
            made = policies_removed(revision, at, in_words(gone), names)
            made = made._replace(key=f"{made.event}:{revision}:{at // HOUR}")
            wanting, now, microseconds = self._wanting(made), self._clock.now(), self._clock.microseconds()
            data = dumps(made.to_data())
            await self._store.write(
                lambda transaction: transaction.put_notification(wanting, made.key, data, microseconds, now)
            )
        self._removed_in = revision

    async def _put_once(self, notification: Notification, about: LoadFailure, opposite: Occasion) -> None:
        """Put it for all replicas together; once more after its opposite was told.

        Args:
            notification: without its key.
            about: what was refused.
            opposite: what is told in between, where that is told again.
        """
        names, now, microseconds = self._wanting(notification), self._clock.now(), self._clock.microseconds()

        def put(transaction: "Transaction") -> None:
            # Where nobody is told of the opposite, it is told in another hour.
            after = transaction.latest_message(f"{opposite}:") or ""
            key = f"{notification.event}:{about.revision}:{now // HOUR}:{after}"
            data = dumps(notification._replace(key=key).to_data())
            transaction.put_notification(names, key, data, microseconds, now)

        await self._store.write(put)

    def _wanting(self, notification: Notification) -> list[str]:
        return [name for name, receiver in self._receivers.items() if receiver.wants(notification)]


def pause(attempts: int, jitter: float) -> int:
    """Seconds until the next try: 5, 10, 20, … up to 10 minutes, and up to half of that less.

    Args:
        attempts: how many failed before this one.
        jitter: from 0 to 1.
    """
    longest = min(_FIRST_PAUSE << min(attempts, _MOST_DOUBLED), _LONGEST_PAUSE)
    return round(longest * (1 - jitter / 2))


def next_message(messages: "Sequence[OutboxMessage]", now: int) -> OutboxMessage | None:
    """Which one is tried now.

    The oldest comes first, and what waits behind it is not tried before it was sent or given up. Only
    after some tries do others pass it, but for those of its subject: they stay in order. What has no
    subject is one, for a policy freeze begins before it ends.

    Args:
        messages: what waits for a receiver, the oldest first and none left out in between.
        now: the present instant.
    """
    passed: set[str | None] = set()
    for message in messages:
        subject = _subject(message)
        if subject in passed:
            continue
        if message.due_at <= now:
            return message
        if message.attempts < PASSED_AFTER or len(passed) == MOST_PASSED:
            return None
        passed.add(subject)
    return None


def _subject(message: OutboxMessage) -> str | None:
    notification = _read(message)
    return None if notification is None else notification.subject


def _read(message: OutboxMessage) -> Notification | None:
    """What it says; None if another version wrote it, in words of its own."""
    try:
        return Notification.from_data(loads(message.data))
    except (ValueError, TypeError, KeyError):
        return None
