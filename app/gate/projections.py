"""Projections: the windows that places of other systems should have, and what is remembered of them."""

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.clock import Clock
from app.core.instant import HOUR
from app.gate.in_force import InForce, Policies
from app.gate.leases import Lease
from app.gate.projection_state import ProjectionPlace, ProjectionState
from app.policies.projections.projection import Projected, ProjectionOptions
from app.policies.projections.targets import TARGETS

if TYPE_CHECKING:
    from app.store.store import Store

_COMPUTED_EVERY: Final = HOUR
"""Seconds after which windows are computed anew without a change: the days ahead move on."""


class _Computed(NamedTuple):
    in_force: InForce
    hour: int
    projected: Projected


class Projections:
    """The projections of a gate."""

    def __init__(self, store: "Store", policies: Policies, clock: Clock) -> None:
        """Project the policies and freezes in force of `policies`."""
        self._store = store
        self._policies = policies
        self._clock = clock
        self._computed: dict[tuple[str, str], _Computed] = {}
        self.states: dict[tuple[str, str], ProjectionState] = {}
        """The states of the places that this replica keeps in step now, by target and name."""

    def lease(self, target: str, own_name: str) -> Lease:
        """Return the lease of the replica that writes to a target."""
        return Lease(self._store, self._clock, f"project-{target}", own_name)

    def begin(self, place: ProjectionPlace) -> ProjectionState:
        """Return the state of a place; a new one if another replica kept it in step until now."""
        key = place.target, place.name
        if key not in self.states:
            self.states[key] = ProjectionState(place, self._clock.now())
        return self.states[key]

    def leave(self, target: str) -> None:
        """Forget the states of a target, which another replica keeps in step."""
        for key in [each for each in self.states if each[0] == target]:
            del self.states[key]

    def wanted(self, place: ProjectionPlace) -> Projected:
        """Return the windows that a place should have; may take a while, so call it in a thread.

        Raises:
            NotLoadedError: no policies were ever loaded.
            UnknownNameError: the policies list no such environment or service.
        """
        in_force, now = self._policies.in_force, self._clock.now()
        key, hour = (place.target, place.name), now // _COMPUTED_EVERY
        known = self._computed.get(key)
        if known is not None and known.in_force is in_force and known.hour == hour:
            return known.projected
        options = ProjectionOptions(now, place.days, place.scopes, place.owner, place.overrun)
        projected = TARGETS[place.target].project(in_force.engine, options)
        self._computed[key] = _Computed(in_force, hour, projected)
        return projected

    async def remembered(self, place: ProjectionPlace) -> Any:
        """Return what is remembered of a place; None if nothing is.

        Raises:
            StoreUnavailableError: the store can't be read.
        """
        text = await self._store.read(lambda view: view.projection(place.target, place.name))
        return None if text is None else json.loads(text)

    async def remember(self, place: ProjectionPlace, content: Any) -> None:
        """Remember JSON-compatible data of a place.

        Raises:
            StoreUnavailableError: the store can't be written.
        """
        text = json.dumps(content)
        await self._store.write(
            lambda transaction: transaction.keep_projection(place.target, place.name, text)
        )
