"""Jobs of requests: work that takes seconds of a core, a few at a time of each address."""

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request

from app.gate.job_queue import JOB_DEADLINE, IsUnwanted
from app.server.context import context
from app.server.disconnect import cancel_on_disconnect

Result = TypeVar("Result")


async def run_job(
    request: Request, work: Callable[[IsUnwanted], Result], within: float = JOB_DEADLINE
) -> Result:
    """Return the result of `work`, a job of the gate; it is told to stop when the client disconnects.

    One address can't take all places of the queue.

    Raises:
        BusyError: see `JobQueue.run`.
        RefusedError: too many jobs of this address are unfinished, or the client has disconnected.
    """
    here = context(request)
    with here.running_jobs.held(request.scope):
        return await cancel_on_disconnect(request, here.jobs.run(work, within))
