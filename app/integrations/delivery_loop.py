"""A loop that delivers what is due until it is cancelled, with a growing pause after failures."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from app.core.errors import FreezegateError
from app.server.log import event

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
"""Seconds between two attempts at most, unless the destination asks to wait longer."""

_LONGEST_ASKED: Final = 900.0


async def deliver(
    name: str,
    attempt: Callable[[], Awaitable[bool]],
    idle: float,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> None:
    """Deliver until cancelled; a failure is logged once while it lasts.

    Args:
        name: what is delivered, for the log.
        attempt: delivers what is due; returns whether there may be more at once.
        idle: seconds to wait when nothing is due.
        sleep: waits.
        jitter: returns a random number from 0 to 1.
    """
    failures, why = 0, ""
    while True:
        try:
            more = await attempt()
        except FreezegateError as error:
            if str(error) != why:
                event(logging.WARNING, f"{name} not delivered", why=str(error))
            why = str(error)
            pause = min(FIRST_PAUSE * 2 ** min(failures, 20), LONGEST_PAUSE) * (1 - jitter() / 2)
            failures += 1
            await sleep(max(pause, min(getattr(error, "retry_after", 0), _LONGEST_ASKED)))
            continue
        if why:
            event(logging.INFO, f"{name} delivered again")
        failures, why = 0, ""
        if not more:
            await sleep(idle)
