"""Find idle policies: another of the same effect matches as much, holds as long and is as strict."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from app.core.compiled import CompiledPolicies
from app.core.instant import DAY, LATEST, LOOK_AHEAD
from app.core.policy import SERVICE_ZONE, Effect, Policy
from app.core.timeline import PolicyTimeline
from app.policies.lint.pattern import Pattern, PatternIndex, bits, numbers_of
from app.policies.lint.reach import Reach, literal_services

MOST_COMPARED: Final = 300_000
"""Pairs of policies that are compared before the search stops."""

MOST_BOUNDARIES: Final = 2_000_000
"""Boundaries of windows that are compiled for the search."""

_MOST_WINDOWS: Final = 100
"""Pairs of windows of two policies that are compared."""

_DENSE: Final = 48
"""Openings a day above which policies are only compared as written."""


class _Exhausted(Exception):  # noqa: N818 - it never leaves this module
    """The limit of comparisons is reached."""


class Shadows:
    """Find idle policies from an instant to the end of the look-ahead."""

    def __init__(self, compiled: CompiledPolicies, reach: Reach, now: int) -> None:
        """Prepare the comparison; nothing is compiled before `found`."""
        self._compiled = compiled
        self._set = policy_set = compiled.policy_set
        self._reach = reach
        self._now = now
        self._until = min(now + LOOK_AHEAD, LATEST)
        self._compared = 0
        self._boundaries = 0
        self._used: set[PolicyTimeline] = set()
        self._within: dict[tuple[tuple[str, str], tuple[str, str]], bool] = {}
        self._scopes = [(repr(policy.applies_to), repr(policy.exempt)) for policy in policy_set.policies]
        self._patterns = [Pattern.of(policy) for policy in policy_set.policies]
        self._by_pattern = PatternIndex(self._patterns)
        self._per_day = [_per_day(policy) for policy in policy_set.policies]
        self._naming = _by_name(policy_set.policies)

    def found(self) -> Iterator[tuple[int, int]]:
        """Yield the number of each idle policy, and of the first that makes it idle.

        Of two that make each other idle, the later one is reported. In a very large set not all are found.
        """
        with suppress(_Exhausted):
            for number, policy in enumerate(self._set.policies):
                if not self._reach.matches_nothing(policy):
                    by = next(self._shadowing(number, policy), None)
                    if by is not None:
                        yield number, by

    def _shadowing(self, number: int, policy: Policy) -> Iterator[int]:
        at = self._first_instant(number)
        if at is None:
            return
        # Cheapest first: most pairs differ in effect, in their hours, or at the first instant of one.
        candidates = self._candidates(policy) & self._by_pattern.may_hold_through(self._patterns[number])
        for other_number in numbers_of(candidates & ~(1 << number)):
            other = self._set.policies[other_number]
            self._count_pair()
            if (
                _at_least_as_strict(other, policy)
                and self._may_hold_at(at, other_number, number)
                and self._covers(other_number, number)
                and (other_number < number or not self._covers(number, other_number))
            ):
                yield other_number

    def _first_instant(self, number: int) -> int | None:
        """Return an instant at which a policy holds; None if it never does, or if that is unknown."""
        pattern = self._patterns[number]
        if pattern is not None:
            return self._now if pattern.holds else None
        if self._is_dense(number):
            return self._now
        timeline = self._timeline(number, self._set.timezone)
        first = next(timeline.stretches(self._now, self._until), None)
        return None if first is None else max(first.start or self._now, self._now)

    def _may_hold_at(self, at: int, outer: int, inner: int) -> bool:
        """Return whether one policy may hold at the first instant of another."""
        if self._patterns[inner] is not None or self._is_dense(outer) or self._is_dense(inner):
            return True
        return self._timeline(outer, self._set.timezone).stretch(at) is not None

    def _candidates(self, policy: Policy) -> int:
        """Return the policies that may match every request of this one."""
        service = self._reach.some_service(policy)
        named = 0 if service is None else self._naming.get(service, 0)
        return self._naming.get(None, 0) | named

    def _covers(self, outer: int, inner: int) -> bool:
        """Return whether the outer policy matches, holds and vetoes at least as much as the inner one."""
        policies = self._set.policies
        return (
            _at_least_as_strict(policies[outer], policies[inner])
            and self._reaches(outer, inner)
            and self._holds_whenever(outer, inner)
        )

    def _reaches(self, outer: int, inner: int) -> bool:
        """Return whether the outer policy matches all that the inner one does; cached by selectors."""
        key = self._scopes[outer], self._scopes[inner]
        known = self._within.get(key)
        if known is None:
            policies = self._set.policies
            known = self._within[key] = self._reach.within(policies[inner], policies[outer])
        return known

    def _holds_whenever(self, outer: int, inner: int) -> bool:
        known = self._holds_whenever_as_written(outer, inner)
        if known is not None:
            return known
        if self._is_dense(outer) or self._is_dense(inner):
            return False
        return all(self._holds_through(outer, inner, name) for name in self._zones_of(outer, inner))

    def _holds_whenever_as_written(self, outer: int, inner: int) -> bool | None:
        """Compare the windows as written; None if that doesn't decide."""
        one, other = self._set.policies[outer], self._set.policies[inner]
        pattern, inner_pattern = self._patterns[outer], self._patterns[inner]
        if pattern is not None and pattern.always_holds:
            return True
        if one.timezone != other.timezone:
            return None
        if pattern is not None and inner_pattern is not None:
            known = pattern.holds_through(inner_pattern)
            if known is not None:
                return known
        return True if one.except_when == other.except_when and _is_written_wider(one, other) else None

    def _zones_of(self, *numbers: int) -> tuple[str, ...]:
        """Return the service zones that matter to any of these policies."""
        if all(self._set.policies[number].timezone != SERVICE_ZONE for number in numbers):
            return (self._set.timezone,)
        return self._set.service_zones

    def _holds_through(self, outer: int, inner: int, service_zone: str) -> bool:
        """Return whether each stretch of the inner policy lies within one of the outer one."""
        covering = self._timeline(outer, service_zone)
        covered = self._timeline(inner, service_zone)
        for stretch in covered.stretches(self._now, self._until):
            around = covering.stretch(max(stretch.start or self._now, self._now))
            end = self._until if stretch.end is None else min(stretch.end, self._until)
            if around is None or (around.end is not None and around.end < end):
                return False
        return True

    def _timeline(self, number: int, service_zone: str) -> PolicyTimeline:
        timeline = self._compiled.timeline(number, service_zone)
        if timeline not in self._used:
            self._used.add(timeline)
            self._boundaries += 2 * self._per_day[number] * (self._until - self._now) // DAY
            if self._boundaries > MOST_BOUNDARIES:
                raise _Exhausted
        return timeline

    def _is_dense(self, number: int) -> bool:
        return self._per_day[number] >= _DENSE

    def _count_pair(self) -> None:
        self._compared += 1
        if self._compared > MOST_COMPARED:
            raise _Exhausted


def _by_name(policies: Sequence[Policy]) -> dict[str | None, int]:
    """Return the policies that name a service, by its name; under None, those that may match any."""
    naming: dict[str | None, list[int]] = {}
    for number, policy in enumerate(policies):
        names = literal_services(policy)
        for name in [None] if names is None else names:
            naming.setdefault(name, []).append(number)
    return {name: bits(numbers, len(policies)) for name, numbers in naming.items()}


def _is_written_wider(outer: Policy, inner: Policy) -> bool:
    """Return whether each window of the inner policy is covered by one of the outer policy."""
    wide, narrow = outer.when, inner.when
    if outer.effect is Effect.ALLOW_ONLY:  # the other must allow all that it allows
        wide, narrow = narrow, wide
    if len(wide) * len(narrow) > _MOST_WINDOWS:
        return wide == narrow
    return all(any(one.window.covers(other.window) for one in wide) for other in narrow)


def _per_day(policy: Policy) -> int:
    return sum(entry.window.per_day() for entry in (*policy.when, *policy.except_when))


def _at_least_as_strict(outer: Policy, inner: Policy) -> bool:
    """Return whether every override of the outer policy covers the inner one, too."""
    if outer.effect is not inner.effect:
        return False
    warns = inner.effect is Effect.WARN
    return warns or inner.override == "token" or outer.override in ("never", inner.override)
