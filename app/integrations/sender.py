"""The sender of notifications: collects new ones once a second, and sends those that are due.

Each receiver has a separate loop, so that a receiver that is down delays no other. No request waits for the
sender, and no error leaves it.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from app.clock import Clock
from app.gate.errors import StoreUnavailableError
from app.gate.notifications import Notifications
from app.gate.outbox import DeliveryResult
from app.integrations.calls import delivery_result, reply_of
from app.integrations.receivers import Receiver
from app.integrations.vendor import Message
from app.outbound import Outbound

if TYPE_CHECKING:
    import httpx

INTERVAL: Final = 1.0
"""Seconds between two passes."""

DEADLINE: Final = 10.0
"""Seconds in which a receiver must answer."""

_REJECTED: Final = frozenset({400, 413, 422})
"""Statuses that reject the message itself; a retry would not help."""

_logger: Final = logging.getLogger("freezegate.notifications")


class Sender:
    """The sender of one replica's notifications."""

    def __init__(
        self,
        notifications: Notifications,
        receivers: Sequence[Receiver],
        clock: Clock,
        outbound: Outbound,
        *,
        deadline: float = DEADLINE,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Send the notifications of `notifications` to `receivers`.

        Args:
            notifications: the collector and the outbox.
            receivers: the destinations.
            clock: the clock for signatures.
            outbound: the factory of the HTTP client.
            deadline: the seconds in which a receiver must answer.
            jitter: returns a random number from 0 to 1.
        """
        self._notifications = notifications
        self._receivers = receivers
        self._clock = clock
        self._outbound = outbound
        self._deadline = deadline
        self._jitter = jitter

    async def run(self) -> None:
        """Collect and send until cancelled; then release the outbox to other replicas."""
        try:
            async with self._outbound.client(self._deadline) as client, asyncio.TaskGroup() as loops:
                loops.create_task(_repeat(self.collect))
                for receiver in self._receivers:
                    loops.create_task(_repeat(self._delivering(client, receiver)))
        finally:
            await self._notifications.release()

    async def collect(self) -> None:
        """Put all new notifications into the outbox."""
        while await self._notifications.collect():
            pass

    async def deliver(self, client: "httpx.AsyncClient", receiver: Receiver) -> None:
        """Send a receiver its due notifications, one after the other."""
        while (outstanding := await self._notifications.due(receiver.name)) is not None:
            outbox_message, notification = outstanding
            message = receiver.notifier.request(notification, receiver.secret, self._clock.microseconds())
            reply = await self._post(client, receiver, message)
            await self._notifications.settle(outbox_message, reply, self._jitter())

    def _delivering(self, client: "httpx.AsyncClient", receiver: Receiver) -> Callable[[], Awaitable[None]]:
        return lambda: self.deliver(client, receiver)

    async def _post(
        self, client: "httpx.AsyncClient", receiver: Receiver, message: Message
    ) -> DeliveryResult:
        url = receiver.url.get_secret_value()
        try:
            async with (
                asyncio.timeout(self._deadline),
                # The body of the answer is not read: it may be of any length.
                client.stream("POST", url, headers=message.headers, content=message.body) as answer,
            ):
                return delivery_result(reply_of(answer), _REJECTED)
        except Exception as error:  # noqa: BLE001 - any failure is retried; its text may hold the URL
            return DeliveryResult("later", type(error).__name__)


async def _repeat(work: Callable[[], Awaitable[None]]) -> None:
    failing = False
    while True:
        try:
            await work()
            failing = False
        except StoreUnavailableError as error:
            if not failing:
                _logger.warning("notifications wait: %s", error)
            failing = True
        except Exception:
            _logger.exception("notifications failed")
        await asyncio.sleep(INTERVAL)
