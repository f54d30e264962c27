"""The background work of the App: missed deliveries, notices, runs that have ended, and checks of merges."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Final

from app.core.errors import FreezegateError
from app.integrations.github import message
from app.integrations.github.checks import MergeChecks
from app.integrations.github.client import DEADLINE, App
from app.integrations.github.deployments import Run, result
from app.integrations.github.missed import MissedDeliveries, UnansweredError
from app.integrations.github.runs import EndedRuns
from app.integrations.github.section import GitHub
from app.integrations.vendor import Surroundings

if TYPE_CHECKING:
    import httpx

LOOKED_EVERY: Final = 10.0
"""Seconds between two looks for missed deliveries and ended runs: less than a lease lasts, and 360 of the
App's 5,000 calls an hour."""

NOTICES_EVERY: Final = 1.0
MERGES_EVERY: Final = 1.0

_logger: Final = logging.getLogger("freezegate.github")


def work(section: GitHub, surroundings: Surroundings) -> Sequence[Coroutine[None, None, None]]:
    """Return the background work; see `Vendor.work`."""
    app = section.app(lambda: App(section, surroundings.clock))
    return [_run(section, app, surroundings)]


async def _run(section: GitHub, app: App, surroundings: Surroundings) -> None:
    deliveries = MissedDeliveries(section, app, surroundings)
    runs = EndedRuns(app, surroundings)
    merges = None if section.merges is None else MergeChecks(section, section.merges, surroundings, app)
    try:
        async with surroundings.outbound.client(DEADLINE) as http, asyncio.TaskGroup() as loops:
            loops.create_task(repeat(LOOKED_EVERY, lambda: deliveries.look(http), "missed deliveries"))
            loops.create_task(repeat(NOTICES_EVERY, lambda: send_notices(section, app, http), "notices"))
            loops.create_task(repeat(LOOKED_EVERY, lambda: runs.look(http), "runs that have ended"))
            if merges is not None:
                loops.create_task(repeat(MERGES_EVERY, lambda: merges.look(http), "merges"))
                loops.create_task(repeat(MERGES_EVERY, lambda: merges.sweep(http), "all merges"))
    finally:
        if merges is not None:
            await merges.release()
        await deliveries.release()
        await runs.release()


async def repeat(seconds: float, look: Callable[[], Awaitable[None]], about: str) -> None:
    """Call `look` every `seconds` until cancelled; a failure is logged once while it lasts, without URLs."""
    failing = ""
    while True:
        try:
            await look()
        except Exception as error:  # noqa: BLE001 - any failure is tried again; texts of httpx hold URLs
            known = isinstance(error, FreezegateError | UnansweredError)
            why = f"{error}" if known else type(error).__name__
            if failing != why:
                _logger.warning("GitHub: looking after %s failed: %s", about, why)
            failing = why
        else:
            if failing:
                _logger.info("GitHub: looking after %s works again", about)
            failing = ""
        await asyncio.sleep(seconds)


async def send_notices(section: GitHub, app: App, http: "httpx.AsyncClient") -> None:
    """Send the reports to runs that no hold is kept for; one that can't be sent is dropped after a while."""
    while section.notices:
        notice = section.notices[0]
        run = Run(notice.installation, notice.repository, notice.run_id, notice.environment)
        body = message.report(notice.environment, notice.text, section.gate_url)
        sent = result(await app.call(http, run.review(body)))
        if sent.retry_after:
            return  # a rate limit; the queue is bounded
        section.notices.popleft()
        if sent.outcome != "taken":
            _logger.warning("a run couldn't be told why nothing is approved: %s", sent.why)
