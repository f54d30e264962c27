"""One of the two policy sets: which policies may veto which requests, and when."""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from itertools import chain, compress
from typing import NamedTuple

from app.core.candidates import Candidates
from app.core.compiled import CompiledPolicies
from app.core.diff.hours import Vetoer
from app.core.diff.scopes import Cells, Mask, PolicyScope
from app.core.diff.unlisted import has_star
from app.core.diff.veto_times import VetoTimes, VetoTimesCache
from app.core.policy import Effect, Policy, Selector


class Applying(NamedTuple):
    """A policy that may veto a service, and the cells in which it does."""

    vetoer: Vetoer
    cells: Mask


class Side:
    """A policy set, with its policies looked up by service."""

    def __init__(
        self,
        compiled: CompiledPolicies,
        cells: Cells,
        times: VetoTimesCache,
        shared: dict[int, int],
        *,
        is_new: bool,
    ) -> None:
        """Take a set; `shared` gives the number in the old set for each policy that both have alike."""
        self.policy_set = compiled.policy_set
        self._compiled = compiled
        self._cells = cells
        self._shared = shared
        self._is_new = is_new
        self._scopes: dict[int, PolicyScope] = {}
        self._times = times
        self._vetoers: dict[tuple[int, str], Vetoer] = {}
        policies = compiled.policy_set.policies
        self._vetoing = [policy.effect is not Effect.WARN for policy in policies]
        vetoing = set(compress(range(len(policies)), self._vetoing))
        self.common = sorted(vetoing & shared.keys())
        """The policies that may veto and that the other set has alike."""
        self.own = sorted(vetoing - shared.keys())
        """Those that it doesn't have alike."""
        self._own_candidates = Candidates([policies[number] for number in self.own])

    def refuses(self, service: str) -> bool:
        """Return whether the set denies a service at all times, because its catalogue doesn't list it."""
        return self.policy_set.refuses_unknown and service not in (self.policy_set.services or {})

    def applying(self, service: str) -> tuple[Applying, ...]:
        """Return the policies that may veto a service, in the order of the file."""
        tags = self.policy_set.tags_of(service)
        numbers = self._compiled.candidates.of(service, tags)
        return tuple(self._applying(service, tags, [each for each in numbers if self._vetoing[each]]))

    def own_applying(self, service: str) -> tuple[Applying, ...]:
        """Return those of them that the other set doesn't have alike."""
        tags = self.policy_set.tags_of(service)
        numbers = [self.own[index] for index in self._own_candidates.of(service, tags)]
        return tuple(self._applying(service, tags, numbers))

    def common_applying(self, service: str) -> Iterator[Applying]:
        """Yield those of them that the other set has alike."""
        tags, shared, vetoing = self.policy_set.tags_of(service), self._shared, self._vetoing
        candidates = self._compiled.candidates.of(service, tags)
        return self._applying(
            service, tags, [each for each in candidates if vetoing[each] and each in shared]
        )

    def _applying(self, service: str, tags: frozenset[str], numbers: Sequence[int]) -> Iterator[Applying]:
        zone = self.policy_set.service_zone(service)
        for number in numbers:
            if cells := self.scope(number).of(service, tags):
                yield Applying(self.vetoer(number, zone), cells)

    def vetoer(self, number: int, service_zone: str) -> Vetoer:
        """Return a policy as it is read for services in a zone."""
        found = self._vetoers.get((number, service_zone))
        if found is None:
            policy = self.policy_set.policies[number]
            zone = self.policy_set.zone_of(policy, service_zone).name
            is_new = self._is_new and number not in self._shared
            times = self._times.of(self._shared.get(number, number), zone, is_new=is_new)
            found = self._vetoers[number, service_zone] = Vetoer(policy.id, times)
        return found

    def unlisted_times(self, number: int) -> VetoTimes:
        """Return a policy as it is read for unlisted services."""
        return self.vetoer(number, self.policy_set.timezone).times

    def scope(self, number: int) -> PolicyScope:
        """Return where a policy applies."""
        scope = self._scopes.get(number)
        if scope is None:
            scope = self._scopes[number] = PolicyScope(self.policy_set.policies[number], self._cells)
        return scope

    @cached_property
    def names_written(self) -> Collection[str]:
        """The services of the catalogue, and those that policies name without a star."""
        numbers = [*self.own, *self.common]
        written = (name for number in numbers for name in self._names_in(number) if not has_star(name))
        return {*(self.policy_set.services or ()), *written}

    def globs_of(self, number: int) -> Iterator[str]:
        """Yield the patterns of service names with a star in a policy, as far as they match unlisted ones."""
        return filter(has_star, self._names_in(number))

    def needed_globs(self) -> Collection[str] | None:
        """Return the patterns of which one must match for an own policy to apply to an unlisted name.

        None if there is one that applies without any.
        """
        policies = map(self.policy_set.policies.__getitem__, self.own)
        selectors = chain.from_iterable(policy.applies_to or [_ANYTHING] for policy in policies)
        services = [selector.services for selector in selectors if selector.tags is None]
        return None if None in services else set(filter(has_star, chain(*filter(None, services))))

    def _names_in(self, number: int) -> Iterator[str]:
        for selector in _selectors(self.policy_set.policies[number]):
            if selector.tags is None:
                yield from selector.services or ()


_ANYTHING = Selector.model_validate({})


def _selectors(policy: Policy) -> Sequence[Selector]:
    return (*(policy.applies_to or ()), *(policy.exempt or ()))
