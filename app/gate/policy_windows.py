"""The windows of each policy: the present one and the next ones."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from app.core.decision import Stretch
from app.core.decision_json import entry
from app.core.instant import DAY, LATEST
from app.core.policy import Effect, Policy, Selector
from app.core.timeline import PolicyTimeline
from app.gate.in_force import InForce

AHEAD: Final = 13 * 366 * DAY
"""Seconds that the search for occurrences covers: three of 29 February, which comes every four years."""


def occurrences(timeline: PolicyTimeline, at: int) -> Iterator[tuple[int | None, int | None]]:
    """Yield the windows of a policy, the present one first; of `allow-only`, the periods that it allows.

    A bound is None where it is more than two years away from the rest of its window.
    """
    until = min(at + AHEAD, LATEST)
    held = timeline.stretches(at, until)
    if timeline.rule.effect is Effect.ALLOW_ONLY:
        yield from _gaps(held, timeline.last_end(at), at, until)
    else:
        yield from ((stretch.start, stretch.end) for stretch in held)


def _gaps(
    held: Iterable[Stretch], opens: int | None, at: int, until: int
) -> Iterator[tuple[int | None, int | None]]:
    """Yield the periods between stretches; `opens` is the end of the stretch before `at`."""
    for stretch in held:
        if stretch.start is not None and stretch.start > at:
            yield opens, stretch.start
        opens = stretch.end
        if opens is None:
            return
    if opens is None or opens < until:
        yield opens, None


def policy_freezes(in_force: InForce, at: int, until: int) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Yield the active stretch of each policy that freezes, and the next one that begins before `until`.

    The flag says whether the stretch is active at the instant. A policy in the zone of the service is
    repeated for each zone of the services that it applies to.
    """
    for policy in in_force.policy_set.policies:
        if policy.effect is Effect.WARN:
            continue
        for timeline in in_force.engine.timelines(policy.id):
            for stretch in timeline.stretches(at, until):
                lasts = stretch.start is None or stretch.start <= at
                yield lasts, _freeze(stretch, policy, at)
                if not lasts:
                    break


def selectors_json(selectors: list[Selector] | None) -> list[dict[str, Any]] | None:
    """Return selectors in the form of the policy file."""
    if selectors is None:
        return None
    return [selector.model_dump(exclude_none=True) for selector in selectors]


def _freeze(stretch: Stretch, policy: Policy, at: int) -> dict[str, Any]:
    return {
        **entry(stretch, at),
        "applies_to": selectors_json(policy.applies_to),
        "timezone": stretch.zone.name,
    }
