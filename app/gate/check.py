"""Answer whether a service may be deployed; nothing is recorded."""

import asyncio

from app.core.decision import Decision, Question
from app.gate.in_force import InForce


def check(in_force: InForce, question: Question, at: int) -> Decision:
    """Decide whether a deploy may start; see `app.core.engine.Engine.decide`.

    Raises:
        UnknownNameError: the policies list no such environment, kind of change or service.
        OutOfRangeError: `at` lies outside the years 2000 to 2100.
    """
    return in_force.engine.decide(question, at)


async def check_async(in_force: InForce, question: Question, at: int) -> Decision:
    """Like `check`, but in a thread if it may take long: the first of its kind, or one far ahead."""
    known = in_force.engine.remembered(question, at)
    if known is not None:
        return known
    if in_force.engine.is_prepared(question, at):
        return check(in_force, question, at)
    return await asyncio.to_thread(check, in_force, question, at)
