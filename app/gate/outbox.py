"""The outbox of notifications: choose the message that is due, and record the result of each attempt."""

import logging
from json import loads
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from app.clock import Clock
from app.core.instant import DAY, HOUR, MINUTE
from app.core.notification import Notification
from app.gate.lease import HeldLease
from app.store.records import OutboxMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.store.store import Store

GIVEN_UP_AFTER: Final = DAY
"""Seconds after which a message is no longer retried."""

PASSED_AFTER: Final = 5
"""Attempts after which a message that fails blocks only later ones of the same subject."""

MOST_PASSED: Final = 3
"""Subjects that may be passed; if a fourth fails as well, the receiver is considered down."""

_FIRST_PAUSE: Final = 5
_LONGEST_PAUSE: Final = 10 * MINUTE
_MOST_DOUBLED: Final = 10
_LONGEST_ASKED: Final = HOUR
_SEARCHED: Final = 100
"""Messages that are searched for one that is due."""

_logger: Final = logging.getLogger("freezegate.notifications")


class DeliveryResult(NamedTuple):
    """The result of one attempt to deliver."""

    outcome: Literal["taken", "later", "refused"]
    """``refused``: the receiver will never take this message."""
    why: str = ""
    """For the log and the outbox; contains nothing secret."""
    retry_after: int = 0
    """Seconds that the receiver asks to wait."""


class Outstanding(NamedTuple):
    """A message that is due, and its notification."""

    message: OutboxMessage
    notification: Notification


class Outbox:
    """The messages of all receivers, while this replica holds the lease."""

    def __init__(self, store: "Store", clock: Clock, lease: HeldLease) -> None:
        """Read and write the outbox of `store`."""
        self._store = store
        self._clock = clock
        self._lease = lease
        self._quiet_until: dict[str, int] = {}
        """Receivers that asked to wait, and until when."""

    async def due(self, receiver: str) -> Outstanding | None:
        """Return the message that a receiver gets now; None if there is none, or another replica sends.

        Messages about the same freeze or override keep their order; see `next_message`.

        Raises:
            StoreUnavailableError: the store can't be read.
        """
        now = self._clock.now()
        if not self._lease.held or self._quiet_until.get(receiver, 0) > now:
            return None
        messages = await self._store.read(lambda view: view.pending_messages(receiver, _SEARCHED))
        message = next_message(messages, now)
        if message is None:
            return None
        notification = _read(message)
        if notification is None:
            # It must not block the messages after it.
            await self.settle(message, DeliveryResult("refused", "can't be read"), 0)
            return None
        return Outstanding(message, notification)

    async def settle(self, message: OutboxMessage, reply: DeliveryResult, jitter: float) -> None:
        """Record the result of an attempt.

        Args:
            message: the message that was sent.
            reply: the answer of the receiver.
            jitter: from 0 to 1, at random, so that senders that failed together do not retry together.

        Raises:
            StoreUnavailableError: it can't be recorded; the message is sent once more then.
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


def pause(attempts: int, jitter: float) -> int:
    """Return the seconds until the next attempt: 5, 10, 20, … up to 10 minutes, and up to half of that less.

    Args:
        attempts: the failed ones before this one.
        jitter: from 0 to 1.
    """
    longest = min(_FIRST_PAUSE << min(attempts, _MOST_DOUBLED), _LONGEST_PAUSE)
    return round(longest * (1 - jitter / 2))


def next_message(messages: "Sequence[OutboxMessage]", now: int) -> OutboxMessage | None:
    """Return the message to try now.

    The oldest comes first, and blocks those behind it until it is sent or given up. After some attempts,
    messages of other subjects pass it; those of its own subject stay in order. Messages without a subject
    count as one subject: a policy freeze begins before it ends.

    Args:
        messages: the waiting messages of a receiver, oldest first, without gaps.
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
    """Parse a message; None if another version wrote it in a form that is not known here."""
    try:
        return Notification.from_data(loads(message.data))
    except (ValueError, TypeError, KeyError):
        return None
