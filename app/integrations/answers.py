"""The loops of those who wait: release holds once a second, and send the answers that are due.

Several answers are sent at a time, so that a vendor that is down delays no other. No request waits for the
loops, and no error leaves them.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from app.gate.answering import Answering
from app.gate.answers import Due, Ready
from app.gate.errors import StoreUnavailableError
from app.gate.outbox import DeliveryResult
from app.integrations.responder import Responder
from app.outbound import Outbound

if TYPE_CHECKING:
    import httpx

INTERVAL: Final = 1.0
"""Seconds between two passes over the holds, and at most between two looks for due answers."""

DEADLINE: Final = 10.0
"""Seconds in which a vendor must take an answer, with all the calls that this needs."""

_logger: Final = logging.getLogger("freezegate.holds")


class Answerer:
    """The loops of one replica."""

    def __init__(
        self,
        answering: Answering,
        responders: Mapping[str, Responder],
        outbound: Outbound,
        *,
        deadline: float = DEADLINE,
        interval: float = INTERVAL,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Release the holds of `answering`, and answer them by `responders`.

        Args:
            answering: the use cases.
            responders: of each vendor, by its name.
            outbound: the factory of the HTTP client.
            deadline: the seconds in which a vendor must take an answer.
            interval: the seconds between two passes.
            jitter: returns a random number from 0 to 1.
        """
        self._answering = answering
        self._responders = responders
        self._outbound = outbound
        self._deadline = deadline
        self._interval = interval
        self._jitter = jitter
        self._client: httpx.AsyncClient | None = None
        self._more = asyncio.Event()
        """Set when an answer has been sent or queued: another one may be due."""

    async def run(self) -> None:
        """Release and answer until cancelled; then leave it to other replicas."""
        try:
            async with contextlib.AsyncExitStack() as opened, asyncio.TaskGroup() as loops:
                loops.create_task(self._repeat(self._release))
                loops.create_task(self._repeat(lambda: self._send_due(opened, loops)))
        finally:
            await self._answering.lease.release()

    async def answer(self, client: "httpx.AsyncClient", due: Due) -> None:
        """Send an answer, unless it is outdated, and record what became of it."""
        try:
            ready = await self._answering.answers.prepare(due)
            if ready is not None:
                result = await self._sent(client, ready)
                await self._answering.answers.settle(ready, result, self._jitter())
        except StoreUnavailableError as error:
            _logger.warning("the result of an answer can't be recorded: %s", error)
            await asyncio.sleep(self._interval)
        except Exception:
            _logger.exception("an answer failed")
            await asyncio.sleep(self._interval)
        finally:
            self._answering.answers.finish(due)
            self._more.set()

    async def _release(self) -> None:
        await self._answering.releases.look()
        self._more.set()
        await asyncio.sleep(self._interval)

    async def _send_due(self, opened: contextlib.AsyncExitStack, loops: asyncio.TaskGroup) -> None:
        self._more.clear()
        for each in await self._answering.answers.due():
            if self._client is None:
                # Not before: it reads certificates, and most gates have no deploys that wait.
                self._client = await opened.enter_async_context(self._outbound.client(self._deadline))
            loops.create_task(self.answer(self._client, each))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval):
                await self._more.wait()

    async def _sent(self, client: "httpx.AsyncClient", ready: Ready) -> DeliveryResult:
        responder = self._responders.get(ready.answer.hold.responder)
        if responder is None:
            return DeliveryResult("later", "the integrations file has no section of this vendor")
        try:
            async with asyncio.timeout(self._deadline):
                return await responder.send(client, ready.answer, ready.secret)
        except Exception as error:  # noqa: BLE001 - any failure is retried; its text may hold a secret
            return DeliveryResult("later", type(error).__name__)

    async def _repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        failing = False
        while True:
            try:
                await work()
                failing = False
            except StoreUnavailableError as error:
                if not failing and self._answering.lease.held:
                    _logger.warning("deploys that wait are not released: %s", error)
                failing = True
                await asyncio.sleep(self._interval)
            except Exception:
                _logger.exception("releasing deploys that wait failed")
                await asyncio.sleep(self._interval)
