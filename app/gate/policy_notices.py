"""Notices ahead of the freezes of each policy: those that `notify_before` asks for, when they are due.

A notice is about the start of an uninterrupted stretch in which the policy vetoes or warns. If several are
due for one start at once, after an outage or for a changed policy, only the latest is sent.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from app.core.engine import Engine
from app.core.freeze_notice import Ahead
from app.core.instant import DAY, HOUR, LATEST
from app.core.policy import Policy, Selector
from app.core.timeline import PolicyTimeline

_QUIET: Final = HOUR
"""Seconds that a scan looks beyond the present, so that the next ones need not look at all."""

_LATE: Final = 7 * DAY
"""Seconds by which a notice may be late, unless it is about the next freeze of its policy."""


class _Announced(NamedTuple):
    """A policy with notices."""

    policy: Policy
    leads: Sequence[int]
    """The longest first."""
    timelines: Sequence[PolicyTimeline]
    environments: tuple[str, ...]


class PolicyNotices:
    """The notices of one engine's policies."""

    def __init__(self, engine: Engine) -> None:
        """Find the policies that ask for notices; nothing is compiled before `due`."""
        self._announced = [
            _Announced(
                policy, policy.notify_before, engine.timelines(policy.id), _environments(policy, engine)
            )
            for policy in engine.policy_set.policies
            if policy.notify_before
        ]
        self._quiet = range(0)
        """Instants at which no notice is due."""

    def due(self, since: int, until: int, now: int, *, changed: bool) -> list[Ahead]:
        """Return the notices due after `since` and up to `until`, of freezes that begin after `now`.

        Args:
            since: the instant of the last scan.
            until: the instant of this one.
            now: the present instant.
            changed: whether the policies may have changed. Then, the next freeze of each policy is announced
                even if its notice was due before; the key of a notice keeps it from being sent twice.
        """
        if not changed and since + 1 in self._quiet and until in self._quiet:
            return []
        found = [
            ahead for each in self._announced for ahead in _due(each, since, until, now, changed=changed)
        ]
        # A scan that finds nothing may be repeated from the same instant.
        self._quiet = range(0) if found else range(since + 1, self._next_due(until))
        return found

    def _next_due(self, after: int) -> int:
        """Return the next instant at which a notice is due; an earlier bound if there is none soon."""
        until = after + _QUIET
        for each in self._announced:
            for lead in each.leads:
                starts = _starts(each, after + lead, until + lead)
                until = min((start - lead for start in starts), default=until)
        return until


def _due(each: _Announced, since: int, until: int, now: int, *, changed: bool) -> Iterator[Ahead]:
    """Yield the due notices of one policy, at most one for each start."""
    leads = {
        start: lead
        for lead in each.leads
        for start in (
            *_starts(each, max(since + lead, now), until + lead),
            *(_next_start(each, now, until + lead) if changed else ()),
        )
    }
    following = _next_start(each, now, until + each.leads[0]) if leads else []
    for start, lead in sorted(leads.items()):
        if start in following or start - lead > now - _LATE:
            yield _ahead(each, start, lead)


def _ahead(each: _Announced, start: int, lead: int) -> Ahead:
    begun = [
        stretch for line in each.timelines if (stretch := line.stretch(start)) and stretch.start == start
    ]
    zones = tuple(stretch.zone for stretch in begun)
    return Ahead(each.policy, start, begun[0].end, lead, zones, each.environments)


def _next_start(each: _Announced, after: int, until: int) -> list[int]:
    """Return the first start in an interval; empty if there is none."""
    firsts = (next(_starts_of(line, after, until), None) for line in each.timelines)
    return sorted(filter(None, firsts))[:1]


def _starts(each: _Announced, after: int, until: int) -> Iterator[int]:
    """Yield the instants at which a policy begins to hold, after one instant and up to another."""
    return (start for line in each.timelines for start in _starts_of(line, after, until))


def _starts_of(line: PolicyTimeline, after: int, until: int) -> Iterator[int]:
    last = min(until + 1, LATEST)
    for stretch in line.stretches(after, last) if after < last else ():
        if stretch.start is not None and stretch.start > after:
            yield stretch.start


def _environments(policy: Policy, engine: Engine) -> tuple[str, ...]:
    """Return the environments that a policy covers; none if it covers all."""
    selectors = policy.applies_to or ()
    if not all(selector.environments for selector in selectors):
        return ()
    return tuple(name for name in engine.policy_set.environments if _is_named(name, selectors))


def _is_named(environment: str, selectors: Sequence[Selector]) -> bool:
    return any(environment in (selector.environments or ()) for selector in selectors)
