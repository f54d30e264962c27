"""What goes on beside requests: looking for changed policies and for other replicas, telling listeners."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Final

from app.gate.in_force import LoadFailure
from app.server.context import Context
from app.server.log import event

RELOAD_INTERVAL: Final = 1.0
"""Seconds between looks at the policy files; a change is in force within two."""

REFRESH_INTERVAL: Final = 0.5
"""Seconds between looks at the store; what another replica did is seen within one."""


@contextlib.asynccontextmanager
async def beside(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Let work go on while this lasts, and end it."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def watchers(context: Context) -> tuple[Coroutine[None, None, None], ...]:
    """All that every gate does beside requests."""
    return (
        _watch_policies(context),
        _watch_store(context),
        _tell_listeners(context),
        context.hub.keep_alive(),
    )


async def _watch_store(context: Context) -> None:
    """Look for freezes and keys of other replicas for as long as the application runs."""
    while True:
        await asyncio.sleep(REFRESH_INTERVAL)
        try:
            await context.replica.refresh()
        except Exception:
            logging.getLogger("freezegate").exception("looking for changes in the store failed")


async def _tell_listeners(context: Context) -> None:
    """Tell listeners what has changed for as long as the application runs."""
    while True:
        await asyncio.sleep(REFRESH_INTERVAL)
        try:
            if news := await context.live.look():
                await context.hub.tell(news)
        except Exception:
            logging.getLogger("freezegate").exception("telling what has changed failed")


async def _watch_policies(context: Context) -> None:
    """Look for changed policies for as long as the application runs."""
    while True:
        await asyncio.sleep(RELOAD_INTERVAL)
        try:
            await asyncio.to_thread(look, context)
        except Exception:
            logging.getLogger("freezegate").exception("looking for changed policies failed")


def look(context: Context) -> None:
    """Load the policy files if they have changed, and see that what is in force is kept."""
    changed = context.policies.reload(context.clock.now())
    if isinstance(changed, LoadFailure):
        problems = [str(problem) for problem in changed.problems]
        event(logging.ERROR, "policies refused; the set before stays in force", problems=problems)
    elif changed is not None:
        event(logging.INFO, "policies loaded", revision=changed.revision)
    if not context.store.keeps(context.policies.in_force.revision):
        remember(context)


def remember(context: Context) -> None:
    """Keep the policies in force, so that what they decide can be evaluated again; tell of their load."""
    context.record.note_policies(context.policies.in_force)
