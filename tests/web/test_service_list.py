"""The list of services: each with its state, told once for all that are in the same state."""

from typing import Any, Final

from app.gate.service_state import environment_states
from app.web.service_list import Alike, services_by_state
from tests.gate.test_service_state import NOW, freeze, in_force, policy

ALWAYS: Final = [{"always": True}]
SERVICES: Final = {"pay": {"tags": ["money"]}, "shop": {}, "till": {"tags": ["money"]}}


def listed(policies: list[dict[str, Any]], *freezes: Any) -> list[Alike]:
    gate = in_force({"environments": ["a", "b"], "services": SERVICES, "policies": policies}, list(freezes))
    return services_by_state(environment_states(gate, NOW), list(SERVICES), gate.home)


def told(policies: list[dict[str, Any]], *freezes: Any) -> list[tuple[tuple[str, ...], list[str], bool]]:
    return [(each.state.frozen, each.services, each.state.is_incident) for each in listed(policies, *freezes)]


def test_services_in_the_same_state_are_told_together_those_frozen_in_most_environments_first() -> None:
    payday = policy("payday", when=ALWAYS, applies_to={"tags": ["money"]})
    assert told([]) == [((), ["pay", "shop", "till"], False)]
    assert told([payday]) == [(("a", "b"), ["pay", "till"], False), ((), ["shop"], False)]
    incident = freeze("f", NOW - 1, NOW + 60, environments=["b"])
    assert told([], incident) == [(("b",), ["pay", "shop", "till"], True)]
    # One environment with an incident does not make the others red.
    assert told([payday], incident) == [
        (("a", "b"), ["pay", "till"], False),
        (("b",), ["shop"], True),
    ]


def test_the_time_is_that_of_the_first_environment_where_they_differ() -> None:
    (alike,) = listed(
        [],
        freeze("f", NOW - 1, NOW + 60, environments=["a"]),
        freeze("g", NOW - 1, NOW + 30, environments=["b"]),
    )
    assert (alike.state.changes_at, alike.state.where) == (NOW + 60, "a")
    (alike,) = listed([], freeze("f", NOW - 1, NOW + 60))
    assert (alike.state.changes_at, alike.state.where) == (NOW + 60, "")
    (alike,) = listed([], freeze("f", NOW + 9, NOW + 60, environments=["b"]))
    assert (alike.state.changes_at, alike.state.where, alike.state.frozen) == (NOW + 9, "b", ())
