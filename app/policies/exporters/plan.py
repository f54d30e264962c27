"""The plan of an export: what freezes one service or environment, in parts that cron expressions can say.

Windows that recur are said exactly. All others become explicit windows up to the end of the export, at most
a year ahead: a cron expression has no year.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from app.core.decision import Rule
from app.core.engine import Engine
from app.core.instant import MINUTE, format_instant
from app.core.interval import Interval, clip, normalise
from app.core.policy import Effect, Policy, PolicySet
from app.core.timeline import BlockBudget, PolicyTimeline
from app.core.wallclock import Zone
from app.policies.exporters.export import ExportOptions, Remark
from app.policies.exporters.recurring import Parts, WeeklySpan, YearlySpan, parts_of

MOST_DAYS: Final = 364
"""The longest export: a window without a year must not be taken for that of last year."""

MOST_ONCE: Final = 1_000
"""Explicit windows of one policy."""


class Target(NamedTuple):
    """The other program, as far as a plan depends on it."""

    name: str
    endless: bool
    """Whether it can say that something is frozen all week long."""
    advice: str | None = "export each of them with --service"
    """The way to have the freezes of single services, too; None if the caller remarks on services itself."""
    most_once: int = MOST_ONCE
    """Explicit windows of one policy, above which it is refused."""
    recurs: bool = True
    """Whether it can say what recurs on the wall clock of a zone."""
    grain: int = MINUTE
    """Seconds, to multiples of which it says instants."""


class Planned(NamedTuple):
    """The freezes of one rule."""

    rule: Rule
    weekly: Sequence[WeeklySpan]
    yearly: Sequence[YearlySpan]
    once: Sequence[Interval]
    """In whole minutes of UTC, or in the seconds of the target."""


class Plan(NamedTuple):
    """The freezes of all policies that apply, and remarks on what the other program can't follow."""

    policies: Sequence[Planned]
    remarks: Sequence[Remark]
    until: int | None
    """The end of the explicit windows; None if there are none."""


PlannedPolicies = dict[tuple[str, str], tuple[Planned, bool]]
"""The plan of a policy in a zone, by its id and the zone's name: it is the same for each service."""


def plan(
    engine: Engine, options: ExportOptions, target: Target, known: PlannedPolicies | None = None
) -> Plan:
    """Return the freezes of a service, or of an environment itself.

    Args:
        engine: has the policies.
        options: name the service or environment, and the days.
        target: what it can say.
        known: what was planned with the same policies, days and target; it is added to.

    Raises:
        UnknownNameError: the policies list no such environment or service.
    """
    policy_set, service = engine.policy_set, options.service or ""
    if options.service is None:
        engine.environment(options.environment)
    else:
        engine.scope(service, options.environment, policy_set.usual_change)
    known = {} if known is None else known
    remarks: list[Remark] = []
    planned: list[Planned] = []
    is_dated = False
    for policy in policy_set.policies:
        if not _applies(policy, policy_set, options, policy_set.usual_change):
            remarks += _on_left_out(policy, policy_set, options, target)
        elif policy.effect is Effect.WARN:
            remarks.append(Remark(policy.id, f"left out: it only warns, and {target.name} can't warn"))
        else:
            read_in = policy_set.zone_of(policy, policy_set.service_zone(service))
            key = policy.id, read_in.name
            if key not in known:
                known[key] = _planned(policy, read_in, options, target)
            found, dated = known[key]
            is_dated = is_dated or dated
            remarks += [
                *on_changes(policy, policy_set, options, target),
                *_on_zones(policy, policy_set, options, target),
                *_on_many(found, target),
            ]
            planned.append(found)
    return Plan(planned, remarks, options.until if is_dated else None)


def heading(plan: Plan, revision: str, options: ExportOptions, target: Target) -> list[str]:
    """Return the lines of the comment above an export."""
    whose = f"{options.service} in {options.environment}" if options.service else options.environment
    lines = [
        f"Freezes of {whose}, by the policies {revision[:19]}; exported {format_instant(options.now)}.",
        f"{target.name} doesn't know freezegate's override tokens, ad-hoc freezes and kinds of change.",
    ]
    if plan.until is not None:
        lines += [
            f"Windows with a date are complete until {format_instant(plan.until)}: export again before that.",
            "They have no year, so they would come back a year later: replace all windows each time.",
        ]
    return lines + [f"{each.policy}: {each.sentence}" for each in plan.remarks]


def _planned(policy: Policy, zone: Zone, options: ExportOptions, target: Target) -> tuple[Planned, bool]:
    """Return the freezes of a policy, and whether some of them are explicit, even if none comes soon."""
    parts = parts_of(policy, zone, options.now) if target.recurs else Parts((), (), policy)
    if not target.endless and any(span.is_endless for span in parts.weekly):
        parts = parts._replace(weekly=(), yearly=(), rest=policy)
    once: list[Interval] = []
    if parts.rest is not None:
        span = options.now, options.until
        held = PolicyTimeline(parts.rest, zone, BlockBudget()).intervals(span)
        once = normalise(outwards(each, target.grain) for each in clip(normalise(held), span))
    return Planned(policy, parts.weekly, parts.yearly, once), parts.rest is not None


def outwards(interval: Interval, grain: int) -> Interval:
    """Round an interval to multiples of `grain` seconds: a freeze may get longer by that, never shorter."""
    start, end = interval
    return start - start % grain, end + -end % grain


def _applies(rule: Rule, policy_set: PolicySet, options: ExportOptions, change: str) -> bool:
    service = options.service or ""
    return rule.matches(service, policy_set.tags_of(service), options.environment, change)


def _on_left_out(
    policy: Policy, policy_set: PolicySet, options: ExportOptions, target: Target
) -> Iterator[Remark]:
    """Remark on a policy that doesn't apply to ordinary changes of the service or environment."""
    found = [] if policy.effect is Effect.WARN else list(on_changes(policy, policy_set, options, target))
    yield from found
    is_of_all = options.service is None and not found
    if is_of_all and target.advice and _selects_services(policy, options.environment):
        yield Remark(policy.id, f"left out: it is about some services; {target.advice}")


def on_changes(rule: Rule, policy_set: PolicySet, options: ExportOptions, target: Target) -> Iterator[Remark]:
    """Remark on a rule that tells kinds of change apart."""
    changes = [each for each in policy_set.changes if _applies(rule, policy_set, options, each)]
    if changes and policy_set.usual_change not in changes:
        sentence = f"it freezes only {', '.join(changes)}, and {target.name} knows no kinds of change"
        yield Remark(rule.id, sentence, refused=True)
    elif 0 < len(changes) < len(policy_set.changes):
        free = [each for each in policy_set.changes if each not in changes]
        yield Remark(
            rule.id, f"{target.name} also stops {', '.join(free)}, which the {rule.kind} leaves alone"
        )


def _selects_services(policy: Policy, environment: str) -> bool:
    return any(
        (selector.services or selector.tags) and environment in (selector.environments or [environment])
        for selector in policy.applies_to or ()
    )


def _on_zones(
    policy: Policy, policy_set: PolicySet, options: ExportOptions, target: Target
) -> Iterator[Remark]:
    """Remark on a policy that some services read in another zone than the export."""
    if options.service is None and target.advice and len(policy_set.zones_of(policy)) > 1:
        sentence = (
            f"read in {policy_set.timezone}; services with a time zone of their own follow that one: "
            f"{target.advice}"
        )
        yield Remark(policy.id, sentence)


def _on_many(found: Planned, target: Target) -> Iterator[Remark]:
    if len(found.once) > target.most_once:
        sentence = (
            f"it takes {len(found.once):,} windows; {target.most_once:,} is the limit. Export fewer days"
        )
        yield Remark(found.rule.id, sentence, refused=True)
