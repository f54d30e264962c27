"""The catalogued services that differ from their environment, as JSON objects in pages of a bounded size."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from app.core.decision import Decision
from app.core.decision_json import entry, instant_or_none
from app.gate.errors import InvalidFieldError
from app.gate.in_force import InForce
from app.gate.service_state import EnvironmentState, ServiceGroup

MOST_APART: Final = 100
"""Differing services of an answer that have an entry each; of more, those with one state share an entry."""

MOST_ENTRIES: Final = 96
"""Shared entries in an answer, divided evenly among its environments; each takes some 600 bytes."""

MOST_NAMES: Final = 4_000
"""Names of services in shared entries, likewise."""


class ServicesPage:
    """The page that one answer has of the differing services of each of its environments."""

    def __init__(self, in_force: InForce, states: Sequence[EnvironmentState], cursor: str | None) -> None:
        """Divide a page among environments.

        Args:
            in_force: the policies and freezes in force.
            states: the environments of the answer.
            cursor: the service that the page before ended with; None for the first page.

        Raises:
            InvalidFieldError: the catalogue has no such service.
        """
        self._places = in_force.engine.compiled.catalogue.services
        if cursor is not None and cursor not in self._places:
            raise InvalidFieldError("cursor", "is not the `next` of a page of this catalogue")
        self._home = in_force.home
        self._after = -1 if cursor is None else self._places[cursor]
        self._share = max(1, len(states))
        self._apart = sum(each.differing_services for each in states) <= MOST_APART

    def of(self, environment: EnvironmentState) -> dict[str, Any]:
        """Return the entries for an environment, the number of all that differ, and the next cursor."""
        left = sorted(
            (self._places[service], service, group)
            for group in environment.differing
            for service in group.services
            if self._places[service] > self._after
        )
        pairs = [(service, group) for _, service, group in left]
        taken = pairs if self._apart else self._taken(pairs)
        return {
            "services": self._entries(taken),
            "services_differ": environment.differing_services,
            "next": taken[-1][0] if len(taken) < len(left) else None,
        }

    def _taken(self, pairs: Sequence[tuple[str, ServiceGroup]]) -> Sequence[tuple[str, ServiceGroup]]:
        """Return the first of the services, as many as there is room for."""
        most_names, most_groups = max(1, MOST_NAMES // self._share), max(1, MOST_ENTRIES // self._share)
        groups: set[int] = set()
        for number, (_, group) in enumerate(pairs):
            groups.add(id(group))
            if number >= most_names or len(groups) > most_groups:
                return pairs[:number]
        return pairs

    def _entries(self, taken: Iterable[tuple[str, ServiceGroup]]) -> list[dict[str, Any]]:
        """Return an entry for each service; of many services, for each group of them."""
        together: dict[object, tuple[ServiceGroup, list[str]]] = {}
        for service, group in taken:
            key = service if self._apart else id(group)
            together.setdefault(key, (group, []))[1].append(service)
        return [
            {
                "service": first,
                "message": group.message(first, self._home),
                **state_json(group.decision),
                "also": also,
            }
            for group, (first, *also) in together.values()
        ]


def state_json(decision: Decision) -> dict[str, Any]:
    """Return the state of an environment or service, without a sentence."""
    return {
        "allowed": decision.allowed,
        "outcome": decision.outcome.value,
        "blocking": [entry(stretch, decision.at) for stretch in decision.blocking],
        "warnings": [entry(stretch, decision.at) for stretch in decision.warnings],
        "opens_at": instant_or_none(decision.opens_at),
        "closes_at": instant_or_none(decision.closes_at),
        "closing": [entry(stretch, decision.at) for stretch in decision.closing],
    }
