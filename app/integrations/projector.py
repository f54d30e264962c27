"""The projector: keeps the windows at places of another system as the policies and freezes want them.

One replica does it at a time, under a lease. A place that fails is tried again after a growing pause, and
keeps the windows that it has.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.clock import Clock
from app.core.errors import FreezegateError, UnknownNameError
from app.gate.errors import StoreUnavailableError
from app.gate.projection_state import ProjectionNews, ProjectionPlace, ProjectionState, Written
from app.gate.projections import Projections
from app.integrations.calls import DEADLINE, Reply
from app.integrations.vendor import Surroundings
from app.outbound import Outbound
from app.policies.projections.projection import Projected
from app.server.log import event
from app.yaml.problem import quoted

if TYPE_CHECKING:
    import httpx

TICK: Final = 5.0
"""Seconds between two looks for places that are due; the lease is renewed as often."""

_TOGETHER: Final = 4
"""Places that are looked at together; a target that is slow must not hold up all others."""

_LONGEST_LOOK: Final = 60.0
"""Seconds for one place: a new project may take hundreds of requests. What is left is done next time."""

_logger: Final = logging.getLogger("freezegate.projections")

_SENTENCES: Final = {
    ProjectionNews.CHANGED: (logging.INFO, "windows written"),
    ProjectionNews.DRIFTED: (logging.WARNING, "windows were changed by others; mended"),
    ProjectionNews.REVERTED: (
        logging.ERROR,
        "windows are reverted again and again, by something that keeps the place as it knows it",
    ),
}


class ProjectionError(FreezegateError):
    """A target did not do what was asked; the text says why."""

    def __init__(self, why: str, retry_after: int = 0) -> None:
        """Give the reason, and the seconds that the target asks to wait."""
        super().__init__(why)
        self.retry_after = retry_after


class Place(Protocol):
    """A place, and the calls that read and write its windows."""

    @property
    def place(self) -> ProjectionPlace:
        """The place that it writes to."""
        ...

    async def sync(self, http: "httpx.AsyncClient", wanted: Projected) -> Written:
        """Make the windows of ours at the place the wanted ones; leave those of people alone.

        Raises:
            ProjectionError: the target refuses; another error of the client or the store counts the same.
        """
        ...


class Projector:
    """The projector of one target."""

    def __init__(
        self, target: str, places: Sequence[Place], projections: Projections, clock: Clock, own_name: str
    ) -> None:
        """Keep `places` in step, by what `projections` wants; `own_name` is unique to this replica."""
        self._target = target
        self._places = places
        self._projections = projections
        self._clock = clock
        self._lease = projections.lease(target, own_name)
        self._remarks: dict[str, Sequence[Any]] = {}

    async def run(self, outbound: Outbound) -> None:
        """Keep the places in step until cancelled; then release the lease to other replicas."""
        failing = False
        try:
            async with outbound.client(DEADLINE) as http:
                while True:
                    try:
                        await self.look(http)
                        failing = False
                    except StoreUnavailableError as error:
                        if not failing:
                            _logger.warning("projections wait: %s", error)
                        failing = True
                    await asyncio.sleep(TICK)
        finally:
            await self._lease.release()

    async def look(self, http: "httpx.AsyncClient") -> None:
        """Look at the places that are due, if this replica has the lease.

        Raises:
            StoreUnavailableError: the lease can't be taken.
        """
        if not await self._lease.take():
            self._projections.leave(self._target)
            return
        slots = asyncio.Semaphore(_TOGETHER)
        states = [(place, self._projections.begin(place.place)) for place in self._places]
        await asyncio.gather(
            *(self._keep(http, place, state, slots) for place, state in states if self._is_due(state))
        )

    def _is_due(self, state: ProjectionState) -> bool:
        """Return whether to look at a place: a freeze that begins does not wait for the next look."""
        if state.is_due(self._clock.now()):
            return True
        return not state.error and self._projections.is_outdated(state.place)

    async def _keep(
        self, http: "httpx.AsyncClient", place: Place, state: ProjectionState, slots: asyncio.Semaphore
    ) -> None:
        async with slots:
            # Another place may have taken longer than the lease lasts.
            if not await self._lease.take():
                return
            try:
                await self._sync(http, place, state)
            except UnknownNameError as error:
                self._fail(state, f"the policies list no {error.field} {quoted(error.name)}")
            except FreezegateError as error:
                self._fail(state, str(error), getattr(error, "retry_after", 0))
            except Exception as error:  # noqa: BLE001 - any failure is tried again; its text may hold the URL
                self._fail(state, f"the call failed: {type(error).__name__}")

    async def _sync(self, http: "httpx.AsyncClient", place: Place, state: ProjectionState) -> None:
        wanted = await asyncio.to_thread(self._projections.wanted, place.place)
        async with asyncio.timeout(_LONGEST_LOOK):
            written = await place.sync(http, wanted)
        self._tell(state, wanted, written)

    def _fail(self, state: ProjectionState, why: str, retry_after: int = 0) -> None:
        if state.fail(why, retry_after, self._clock.now()):
            event(logging.WARNING, "projection failed", **_names(state), why=why)

    def _tell(self, state: ProjectionState, wanted: Projected, written: Written) -> None:
        """Note and log what a look brought to light."""
        was_failing = state.error
        news = state.succeed(wanted, written, self._clock.now())
        if was_failing:
            event(logging.INFO, "projection works again", **_names(state))
        if news is not None:
            level, sentence = _SENTENCES[news]
            event(level, sentence, **_names(state), **written._asdict())
        if self._remarks.get(state.place.name) != wanted.remarks:
            self._remarks[state.place.name] = wanted.remarks
            for remark in wanted.remarks:
                level, word = (logging.WARNING, "refused") if remark.refused else (logging.INFO, "differs")
                event(level, f"projection {word}: {remark.sentence}", policy=remark.policy, **_names(state))


def _names(state: ProjectionState) -> dict[str, str]:
    return {"target": state.place.target, "place": state.place.name}


def refuse(reply: Reply, what: str) -> ProjectionError:
    """Return the error for a reply that is no success; `what` says what was asked."""
    return ProjectionError(f"{what}: the API answered {reply.status}", reply.retry_after)


def work_on(target: str, places: Sequence[Place], surroundings: Surroundings) -> Any:
    """Return the background work of a target, for its vendor's table entry."""
    surroundings.gate.projections.add(each.place for each in places)
    projector = Projector(
        target, places, surroundings.gate.projections, surroundings.clock, surroundings.own_name
    )
    return projector.run(surroundings.outbound)
