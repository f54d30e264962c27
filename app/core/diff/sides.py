"""One of the two policy sets: which policies may veto which requests, and when."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from app.core.candidates import Candidates
from app.core.compiled import CompiledPolicies
from app.core.diff.scopes import Cells, Mask, PolicyScope
from app.core.policy import Effect


class Line(NamedTuple):
    """A policy, read in one zone. One that both sets have alike has the same line in both."""

    is_new: bool
    """Whether it is of the new set alone."""
    number: int
    """Its number in the new set; in the old one, if that has it."""
    zone: str


class Applying(NamedTuple):
    """A policy that may veto a service, and the cells in which it does."""

    number: int
    """Its number in its own set: the order in which answers name it."""
    line: Line
    cells: Mask


class Side:
    """A policy set, with its policies looked up by service."""

    def __init__(
        self, compiled: CompiledPolicies, cells: Cells, shared: dict[int, int], *, is_new: bool
    ) -> None:
        """Take a set; `shared` gives the number in the old set for each policy that both have alike."""
        self.policy_set = compiled.policy_set
        self._compiled = compiled
        self._cells = cells
        self._shared = shared
        self._is_new = is_new
        self._scopes: dict[int, PolicyScope] = {}
        policies = compiled.policy_set.policies
        self._vetoing = [policy.effect is not Effect.WARN for policy in policies]
        self.own = [number for number, vetoes in enumerate(self._vetoing) if vetoes and number not in shared]
        """The policies that may veto and that the other set doesn't have alike."""
        self._own_candidates = Candidates([policies[number] for number in self.own])

    def refuses(self, service: str) -> bool:
        """Return whether the set denies a service at all times, because its catalogue doesn't list it."""
        return self.policy_set.refuses_unknown and service not in (self.policy_set.services or {})

    def own_cells(self, service: str) -> Mask:
        """Return the cells of a service in which a policy applies that the other set doesn't have alike."""
        tags, found = self.policy_set.tags_of(service), 0
        for index in self._own_candidates.of(service, tags):
            found |= self.scope(self.own[index]).of(service, tags)
        return found

    def applying(self, service: str) -> tuple[Applying, ...]:
        """Return the policies that may veto a service, in the order of the file."""
        tags, zone = self.policy_set.tags_of(service), self.policy_set.service_zone(service)
        return tuple(
            Applying(number, self.line(number, zone), cells)
            for number in self._compiled.candidates.of(service, tags)
            if self._vetoing[number] and (cells := self.scope(number).of(service, tags))
        )

    def line(self, number: int, service_zone: str) -> Line:
        """Return the line of a policy, for services in a zone."""
        zone = self.policy_set.zone_of(self.policy_set.policies[number], service_zone).name
        old = self._shared.get(number)
        return Line(self._is_new, number, zone) if old is None else Line(False, old, zone)

    def scope(self, number: int) -> PolicyScope:
        """Return where a policy applies."""
        scope = self._scopes.get(number)
        if scope is None:
            scope = self._scopes[number] = PolicyScope(self.policy_set.policies[number], self._cells)
        return scope

    def names_written(self) -> Collection[str]:
        """Return the services of the catalogue, and those that policies name without a star."""
        return {*(self.policy_set.services or ()), *(name for name in self._written() if "*" not in name)}

    def globs(self) -> Collection[str]:
        """Return the patterns of service names with a star."""
        return {name for name in self._written() if "*" in name}

    def _written(self) -> Sequence[str]:
        return [
            name
            for policy, vetoes in zip(self.policy_set.policies, self._vetoing, strict=True)
            if vetoes
            for selector in (*(policy.applies_to or ()), *(policy.exempt or ()))
            for name in selector.services or ()
        ]
