"""Plan the freezes of one scope: what recurs as such where the target can say it, all else with its dates."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from app.core.compiled import CompiledPolicies
from app.core.decision import Rule
from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.instant import DAY, LATEST
from app.core.interval import Interval, clip
from app.policies.exporters.export import ExportOptions
from app.policies.exporters.plan import Planned, PlannedPolicies, Target, on_changes, outwards, plan
from app.policies.projections.bounded import Bounded, bounded
from app.policies.projections.projection import ProjectionOptions, ProjectionScope
from app.policies.projections.single_services import on_services, rules_of

_ANY_NUMBER: Final = 1 << 62
"""Windows of one policy: `bounded` bounds those of all together."""


class _Known(NamedTuple):
    span: Interval
    planned: PlannedPolicies


_known: Final["WeakKeyDictionary[CompiledPolicies, dict[str, _Known]]"] = WeakKeyDictionary()
"""The planned policies of each set, by the name of the target.

To find out that a policy recurs takes ten years of clock changes: milliseconds of each policy, which all
services share, and all ad-hoc freezes beside it.
"""


def planned_scope(
    engine: Engine,
    options: ProjectionOptions,
    scope: ProjectionScope,
    target: Target,
    since: int | None = None,
) -> Bounded:
    """Return the freezes of a scope, those of policies and the ad-hoc ones.

    Args:
        engine: has both.
        options: name the time and the horizon.
        scope: one of the options.
        target: what it can say.
        since: where windows with a date are cut that began before, a midnight in UTC; the start of the
            options if not given.

    Raises:
        UnknownNameError: the policies list no such environment or service.
    """
    first = options.start if since is None else since
    span = first, options.until
    exported = ExportOptions(first, (options.until - first) // DAY, scope.environment, scope.service)
    chosen = target._replace(advice=None, most_once=_ANY_NUMBER)
    found = plan(engine, exported, chosen, _planned_before(engine, span, target))
    ad_hoc = list(_ad_hoc(engine, span, scope, target.grain))
    kept = bounded([*found.policies, *ad_hoc], options, dated=found.until is not None or bool(ad_hoc))
    changes = [
        remark
        for rule in rules_of(engine, options)
        if isinstance(rule, Freeze)
        for remark in on_changes(rule, engine.policy_set, exported, target)
    ]
    services = on_services(engine, options, scope, lambda rule: _stopped(rule, engine, scope))
    return kept._replace(remarks=[*found.remarks, *changes, *services, *kept.remarks])


def _stopped(rule: Rule, engine: Engine, scope: ProjectionScope) -> Sequence[str]:
    """Return all kinds of change, or none; a rule about some kinds only has a remark of its own."""
    policy_set = engine.policy_set
    has_windows = any(rule.matches("", frozenset(), scope.environment, each) for each in policy_set.changes)
    return policy_set.changes if has_windows else ()


def _planned_before(engine: Engine, span: Interval, target: Target) -> PlannedPolicies:
    """Return what was planned of the same policies, for the same days."""
    of_set = _known.setdefault(engine.compiled, {})
    known = of_set.get(target.name)
    if known is None or known.span != span:
        known = of_set[target.name] = _Known(span, {})
    return known.planned


def _ad_hoc(engine: Engine, span: Interval, scope: ProjectionScope, grain: int) -> Iterator[Planned]:
    """Yield the ad-hoc freezes that apply to ordinary changes of a scope within the horizon."""
    policy_set, service = engine.policy_set, scope.service or ""
    request = service, policy_set.tags_of(service), scope.environment, policy_set.usual_change
    for freeze in engine.freezes:
        held = clip([(freeze.starts_at, LATEST if freeze.until is None else freeze.until)], span)
        if held and freeze.matches(*request):
            yield Planned(freeze, (), (), [outwards(held[0], grain)])
