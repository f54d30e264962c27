"""Periodic tasks beside requests: poll the policy files and the store, and publish changes to listeners."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import Final

from app.core.errors import FreezegateError
from app.core.instant import DAY
from app.gate.calendars import News
from app.gate.in_force import InForce, LoadFailure
from app.gate.pruning import Pruning
from app.gate.retention import WAITS_FOR_SIEM
from app.gate.service_state import prepare_states
from app.policies.removal import in_words
from app.policies.source import POLL
from app.server.context import Context
from app.server.log import event

REFRESH_INTERVAL: Final = 0.5
"""Seconds between polls of the store; changes of another replica are seen within one second."""

CALENDAR_INTERVAL: Final = 2.0
"""Seconds between two looks for calendars that are due."""


PRUNING_INTERVAL: Final = 300.0
"""Seconds between two looks for decisions that are old enough to be pruned; most find nothing."""


@contextlib.asynccontextmanager
async def beside(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run tasks for the length of the context, then cancel them."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def all_made(*parts: Iterable[Coroutine[None, None, None]]) -> list[Coroutine[None, None, None]]:
    """Return the work of all parts; if one of them fails while it is made, what is made already is closed."""
    made: list[Coroutine[None, None, None]] = []
    try:
        for part in parts:
            for each in part:
                made.append(each)  # noqa: PERF402 - what came before a failure is to be closed
    except BaseException:
        for each in made:
            each.close()
        raise
    return made


def watchers(context: Context) -> tuple[Coroutine[None, None, None], ...]:
    """Return the periodic tasks of every gate."""
    return (
        _every(POLL, lambda: asyncio.to_thread(poll_policies, context), "looking for changed policies"),
        _every(CALENDAR_INTERVAL, lambda: refresh_calendars(context), "fetching calendars"),
        _every(REFRESH_INTERVAL, context.cache.refresh, "looking for changes in the store"),
        _every(REFRESH_INTERVAL, lambda: _publish_changes(context), "telling what has changed"),
        _every(REFRESH_INTERVAL, context.gate.refusals.write, "recording refused requests"),
        context.hub.keep_alive(),
    )


def prune(pruning: Pruning) -> Coroutine[None, None, None]:
    """Return the periodic pruning of the record."""
    return _every(PRUNING_INTERVAL, lambda: _prune(pruning), "pruning the record")


async def _prune(pruning: Pruning) -> None:
    """Prune what is old, and log it; say once if it waits."""
    waited = pruning.state.waiting
    found = await pruning.look()
    if pruning.state.waiting and not waited:
        waiting, days = pruning.state.waiting, WAITS_FOR_SIEM // DAY
        event(logging.WARNING, "pruning waits for the SIEM", events=waiting, at_most_days=days)
    if found is not None:
        event(logging.INFO, "record pruned", **found.to_json())


async def _every(seconds: float, work: Callable[[], Awaitable[None]], doing: str) -> None:
    """Call `work` every `seconds`, until cancelled; a failed call is repeated at the next interval.

    A failure is logged once while it lasts: an expected one, such as an unreachable store, as a sentence,
    any other with its traceback.
    """
    logger, failing = logging.getLogger("freezegate"), ""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception as error:
            if failing != type(error).__name__:
                foreseen = isinstance(error, FreezegateError)
                sentence = f": {error}" if foreseen else ""
                logger.log(logging.ERROR, "%s failed%s", doing, sentence, exc_info=not foreseen)
            failing = type(error).__name__
        else:
            if failing:
                logger.info("%s works again", doing)
            failing = ""


async def _publish_changes(context: Context) -> None:
    """Publish changes to the listeners of the event stream."""
    if news := await context.live.look():
        await context.hub.publish(news)


def poll_policies(context: Context) -> None:
    """Poll the policy files; load a settled change, and store the policies in force."""
    changed = context.policies.poll(context.clock.now())
    if isinstance(changed, LoadFailure):
        event(logging.ERROR, "policies refused; the set before stays in force", problems=changed.sentences)
    elif changed is not None:
        event(logging.INFO, "policies loaded", revision=changed.revision)
        _log_removed(changed)
        prepare_states(changed, context.clock.now())
    if not context.record.has_noted(context.policies.in_force):
        remember(context)


async def refresh_calendars(context: Context) -> None:
    """Fetch the calendars that are due."""
    log_calendars(await context.calendars.refresh())


def log_calendars(news: Iterable[News]) -> None:
    """Log what is news of calendars."""
    for each in news:
        event(logging.WARNING if each.is_warning else logging.INFO, each.sentence)


def begin(context: Context) -> None:
    """Store the policies at startup; report those removed since the last run."""
    in_force = context.policies.in_force
    context.policies.report_removed(context.record.removed_before(in_force))
    _log_removed(context.policies.in_force)
    remember(context)


def _log_removed(in_force: InForce) -> None:
    for sentence in in_words(in_force.removed_lately(in_force.loaded_at)):
        event(logging.WARNING, sentence, revision=in_force.revision)


def remember(context: Context) -> None:
    """Store the policies in force, so that their decisions can be replayed, and record their load."""
    context.record.note_policies(context.policies.in_force)
