"""Runs that have ended while their job waited: their holds end too, before they are released."""

from typing import TYPE_CHECKING, Final

from app.core.hold import Hold, HoldState
from app.core.instant import MINUTE
from app.gate.errors import StateConflictError, UnknownRecordError
from app.gate.holds import HoldFilter
from app.integrations.github.client import App
from app.integrations.github.deployments import CALLER, Run, has_ended
from app.integrations.vendor import Surroundings

if TYPE_CHECKING:
    import httpx

LEASE: Final = "github-runs"

_AGAIN_AFTER: Final = 15 * MINUTE
"""Seconds between two looks at a run."""

_MOST_LOOKS: Final = 7
"""Runs looked at in one pass, every 10 seconds: half of the 5,000 calls that an installation has an hour, so
that 600 waiting runs are looked at every 15 minutes."""

_PAGE: Final = 500
_MOST_PAGES: Final = 20
_ENDED: Final = "the run on GitHub has ended"
_AGAIN: Final = "the job was run again on GitHub"


class EndedRuns:
    """The unfinished holds of an App, looked at in turn."""

    def __init__(self, app: App, surroundings: Surroundings) -> None:
        """Look as the App."""
        self._app = app
        self._gate = surroundings.gate
        self._clock = surroundings.clock
        self._lease = surroundings.gate.lease(LEASE, surroundings.own_name)
        self._looked: dict[str, int] = {}

    async def look(self, http: "httpx.AsyncClient") -> None:
        """Cancel the holds of runs that have ended or were run again, if this replica holds the lease.

        Raises:
            httpx.HTTPError: GitHub didn't answer.
            FreezegateError: the gate can't record now.
        """
        if not await self._lease.take():
            return
        waiting, repeated = newest_of_each(await self._waiting())
        for hold in repeated:
            await self._cancel(hold, _AGAIN)
        now = self._clock.now()
        self._looked = {hold.id: self._looked.get(hold.id, hold.created_at) for hold in waiting}
        due = [hold for hold in waiting if self._looked[hold.id] <= now - _AGAIN_AFTER]
        due.sort(key=lambda hold: self._looked[hold.id])
        for hold in due[:_MOST_LOOKS]:
            if not await self._lease.take():
                return
            self._looked[hold.id] = now
            if await has_ended(self._app, http, Run(**hold.target)):
                await self._cancel(hold, _ENDED)

    async def release(self) -> None:
        """Let another replica look."""
        await self._lease.release()

    async def _waiting(self) -> list[Hold]:
        """Return the holds that wait, newest first."""
        wanted = HoldFilter(responder="github", state=HoldState.WAITING.value)
        found: list[Hold] = []
        for _ in range(_MOST_PAGES):
            page = await self._gate.holds.listed(wanted, found[-1].id if found else None, _PAGE)
            found += page
            if len(page) < _PAGE:
                break
        return found

    async def _cancel(self, hold: Hold, reason: str) -> None:
        try:
            await self._gate.holds.cancel(CALLER, hold.id, reason)
        except (StateConflictError, UnknownRecordError):
            return  # it was answered in the meantime


def newest_of_each(waiting: list[Hold]) -> tuple[list[Hold], list[Hold]]:
    """Return the newest hold of each run and environment, and the others: answers don't tell them apart.

    Args:
        waiting: the holds, newest first.
    """
    newest: dict[tuple[object, ...], Hold] = {}
    others = [hold for hold in waiting if newest.setdefault(tuple(hold.target.values()), hold) is not hold]
    return list(newest.values()), others
