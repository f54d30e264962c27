"""The state of an environment at an instant, and of the catalogued services that differ from it.

Services with the same decision are one group, decided once: so the state of hundreds of services in a
dozen environments takes about a millisecond, once the rules of each group are known.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from app.core.decision import Decision, Question, Stretch
from app.core.engine import Engine
from app.core.explain import message
from app.core.instant import in_range
from app.core.wallclock import Zone
from app.gate.in_force import InForce


class ServiceGroup(NamedTuple):
    """Catalogued services with the same decision in an environment."""

    decision: Decision
    """The decision on the first of them; the others differ in the name only."""
    services: Sequence[str]
    """In the order of the catalogue."""

    def message(self, service: str, home: Zone) -> str:
        """Return the decision on one of the services in a sentence; local times are those of `home`."""
        question = self.decision.question._replace(service=service)
        return message(self.decision._replace(question=question), home)


class EnvironmentState(NamedTuple):
    """The state of an environment, for services that no rule singles out, and what differs from it."""

    environment: str
    decision: Decision
    """For usual changes of a service without tags or rules that name it."""
    differing: Sequence[ServiceGroup]
    """The groups whose rules, opening or closing differ, the first service of the catalogue first."""

    @property
    def differing_services(self) -> int:
        """The number of the services that differ."""
        return sum(len(group.services) for group in self.differing)


MOST_PREPARED: Final = 2_000
"""Groups of services, in all environments together, that are compiled ahead of the first page."""


def prepare_states(in_force: InForce, at: int) -> None:
    """Find and compile the rules of all groups of services, unless there are too many; may take a while."""
    engine = in_force.engine.standing(at)
    if len(engine.alike) * len(in_force.policy_set.environments) <= MOST_PREPARED:
        environment_states(in_force, at)


def environment_states(in_force: InForce, at: int) -> list[EnvironmentState]:
    """Return the state of every environment at an instant, in the order of the file.

    Raises:
        OutOfRangeError: the instant lies outside the years 2000 to 2100.
    """
    return [environment_state(in_force, name, at) for name in in_force.policy_set.environments]


def environment_state(in_force: InForce, environment: str, at: int) -> EnvironmentState:
    """Return the state of one environment at an instant.

    Raises:
        UnknownNameError: the policies list no such environment.
        OutOfRangeError: the instant lies outside the years 2000 to 2100.
    """
    engine = in_force.engine.standing(in_range(at))
    decision = engine.decide_environment(environment, at)
    general = _state(decision)
    groups = [group for group in _groups(engine, environment, at) if _state(group.decision) != general]
    places = engine.compiled.catalogue.services
    return EnvironmentState(
        environment, decision, sorted(groups, key=lambda group: places[group.services[0]])
    )


def _groups(engine: Engine, environment: str, at: int) -> Iterator[ServiceGroup]:
    """Yield the catalogued services by decision: rules that are not active tell nothing apart."""
    question = Question("", environment, engine.policy_set.usual_change)
    found: dict[object, tuple[Decision, list[str]]] = {}
    for scope, services in engine.service_groups(environment):
        decision = engine.decide_in(scope, question, at)
        key = (_state(decision), _zones(decision), _bounds(decision.following, at))
        found.setdefault(key, (decision, []))[1].extend(services)
    in_order = engine.compiled.catalogue.in_order
    for decision, services in found.values():
        ordered = in_order(services)
        yield ServiceGroup(decision._replace(question=question._replace(service=ordered[0])), ordered)


def _state(decision: Decision) -> tuple[object, ...]:
    """Return everything that is published about a decision beside its sentence, to compare it."""
    at = decision.at
    return (
        _bounds(decision.blocking, at),
        _bounds(decision.warnings, at),
        decision.flips_at,
        _bounds(decision.closing, at),
    )


def _bounds(stretches: Sequence[Stretch], at: int) -> tuple[object, ...]:
    return tuple((id(each.rule), *each.bounds(at)) for each in stretches)


def _zones(decision: Decision) -> tuple[str, ...]:
    """Return the zones that a sentence about a decision is written in."""
    return tuple(each.zone.name for each in (*decision.blocking, *decision.closing))
