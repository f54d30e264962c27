"""Projections: the windows that places of other systems should have, and what is remembered of them."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.clock import Clock
from app.core.instant import HOUR, format_instant
from app.gate.in_force import InForce, Policies
from app.gate.leases import Lease
from app.gate.projection_state import ProjectionPlace, ProjectionState
from app.policies.projections.projection import Projected, ProjectionOptions, ProjectionScope
from app.policies.projections.targets import TARGETS

if TYPE_CHECKING:
    from app.store.store import Store

_COMPUTED_EVERY: Final = HOUR
"""Seconds after which windows are computed anew without a change: the days ahead move on."""


class _Computed(NamedTuple):
    in_force: InForce
    hour: int
    projected: Projected

    def holds(self, in_force: InForce, now: int) -> bool:
        """Return whether it is what would be computed now."""
        changes_at = self.projected.changes_at
        is_of_now = changes_at is None or now < changes_at
        return self.in_force is in_force and self.hour == now // _COMPUTED_EVERY and is_of_now


class Projections:
    """The projections of a gate."""

    def __init__(self, store: "Store", policies: Policies, clock: Clock) -> None:
        """Project the policies and freezes in force of `policies`."""
        self._store = store
        self._policies = policies
        self._clock = clock
        self._computed: dict[tuple[str, str], _Computed] = {}
        self.places: dict[tuple[str, str], ProjectionPlace] = {}
        """The places of the integrations file."""
        self.states: dict[tuple[str, str], ProjectionState] = {}
        """The states of the places that this replica keeps in step now, by target and name."""

    def add(self, places: Iterable[ProjectionPlace]) -> None:
        """Add places of the integrations file."""
        self.places.update({(place.target, place.name): place for place in places})

    def find(self, target: str, name: str) -> ProjectionPlace | None:
        """Return a place of the integrations file; None if it has no such place."""
        return self.places.get((target, name))

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
        key = place.target, place.name
        known = self._computed.get(key)
        if known is not None and known.holds(in_force, now):
            return known.projected
        places = [each for each in self.places.values() if each.target == place.target]
        elsewhere = [scope for each in places for scope in each.scopes]
        options = ProjectionOptions(now, place.days, place.scopes, place.owner, place.overrun, elsewhere)
        projected = TARGETS[place.target].project(in_force.engine, options)
        self._computed[key] = _Computed(in_force, now // _COMPUTED_EVERY, projected)
        return projected

    def is_outdated(self, place: ProjectionPlace) -> bool:
        """Return whether a place should have other windows than those that were computed last."""
        known = self._computed.get((place.target, place.name))
        return known is not None and not known.holds(self._policies.in_force, self._clock.now())

    def listed(self) -> list[dict[str, Any]]:
        """Return the places as JSON, with the states of those that this replica keeps in step."""
        return [
            {
                "target": place.target,
                "place": place.name,
                "days": place.days,
                "scopes": [_scope_to_json(scope) for scope in place.scopes],
                "state": self._state_to_json(key),
            }
            for key, place in self.places.items()
        ]

    def windows(self, place: ProjectionPlace) -> dict[str, Any]:
        """Return the windows that a place should have, as JSON; see `wanted`."""
        wanted = self.wanted(place)
        return {
            "target": place.target,
            "place": place.name,
            "owner": place.owner,
            "until": None if wanted.until is None else format_instant(wanted.until),
            "windows": list(wanted.windows),
            "remarks": [remark._asdict() for remark in wanted.remarks],
        }

    def _state_to_json(self, key: tuple[str, str]) -> dict[str, Any] | None:
        state = self.states.get(key)
        if state is None:
            return None
        return {
            "in_step_at": format_instant(state.in_step_at),
            "error": state.error or None,
            "drifts": state.drifts,
            "reverted": state.is_reverted(self._clock.now()),
            "refused_policies": state.refused,
        }

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


def _scope_to_json(scope: ProjectionScope) -> dict[str, Any]:
    return {
        "environment": scope.environment,
        "service": scope.service,
        "names": {word: list(names) for word, names in scope.names.items() if names},
    }
