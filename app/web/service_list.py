"""The list of services by their state: those in the same state are told together."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.core.decision import Decision
from app.core.wallclock import Zone
from app.gate.service_state import EnvironmentState


class State(NamedTuple):
    """The state of services over all environments."""

    frozen: tuple[str, ...]
    """The environments in which they are frozen."""
    changes_at: int | None
    """When the first of those in the policy file opens, or the first environment closes; None if not within
    two years."""
    where: str
    """The environment that does so; empty if all do so at the same time."""
    zone: Zone
    """The zone of the rule by which that changes."""
    is_incident: bool
    """Whether ad-hoc freezes are part of it wherever they are frozen."""

    @property
    def key(self) -> str:
        """Return what identifies the state among the others of a page."""
        told = (*self.frozen, self.changes_at, self.where, self.zone.name, self.is_incident)
        return " ".join(map(str, told))


class Alike(NamedTuple):
    """Services in one state, in alphabetical order."""

    state: State
    services: list[str]


def services_by_state(states: Sequence[EnvironmentState], services: Sequence[str], home: Zone) -> list[Alike]:
    """Return services by their state: first those that are frozen in most environments, and by incidents."""
    found: dict[State, list[str]] = {}
    known: dict[tuple[tuple[int, int], ...], State] = {}
    for name, own in _differing(states, services).items():
        # Few combinations of decisions recur among hundreds of services.
        key = tuple((place, id(each)) for place, each in own.items())
        if key not in known:
            known[key] = _state(states, own, home)
        found.setdefault(known[key], []).append(name)
    alike = [Alike(state, names) for state, names in found.items()]
    return sorted(alike, key=lambda each: (-len(each.state.frozen), not each.state.is_incident))


def _differing(
    states: Sequence[EnvironmentState], services: Sequence[str]
) -> Mapping[str, dict[int, Decision]]:
    """Return the decisions on each service that are not those on its environments, by number of these."""
    found: dict[str, dict[int, Decision]] = {name: {} for name in sorted(services)}
    for place, state in enumerate(states):
        for group in state.differing:
            for name in found.keys() & group.services:
                found[name][place] = group.decision
    return found


def _state(states: Sequence[EnvironmentState], own: Mapping[int, Decision], home: Zone) -> State:
    decisions = {state.environment: own.get(place, state.decision) for place, state in enumerate(states)}
    frozen = {name: each for name, each in decisions.items() if not each.allowed}
    # Where something is frozen, people ask about the environment that they name first.
    where = next(iter(frozen), None) or min(decisions, key=lambda name: _order(decisions[name]))
    shown = decisions[where]
    varies = len({each.flips_at for each in (frozen or decisions).values()}) > 1
    rules = shown.blocking or shown.closing
    return State(
        tuple(frozen),
        shown.flips_at,
        where if varies else "",
        rules[0].zone if rules else home,
        bool(frozen) and all(map(_is_incident, frozen.values())),
    )


def _order(decision: Decision) -> tuple[bool, int]:
    return decision.flips_at is None, decision.flips_at or 0


def _is_incident(decision: Decision) -> bool:
    return any(stretch.rule.kind == "freeze" for stretch in decision.blocking)
