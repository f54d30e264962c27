"""The JSON representation of a backtest, shared by the API, the command line and the dashboard."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from app.core.backtest import OTHERS, Backtest, Example, Fate, Group, PolicyEffect, UnknownName
from app.core.comparison import Tally
from app.core.decision_json import instant_or_none
from app.core.explain_backtest import backtest_in_words, effect_in_words, pruned_in_words, total_in_words
from app.core.instant import format_instant
from app.core.notation import WEEKDAYS
from app.core.policy import PolicySet
from app.core.proportion import Share, wilson
from app.gate.backtest import Backtested, BacktestRequest
from app.gate.insights import DIGITS, comparison_to_json, method_of, range_to_json

MOST_LISTED: Final = 200
"""Services, and unknown names, that are listed; those with the most changes come first."""

_EXAMPLES: Final[Mapping[Fate, str]] = {
    Fate.STOPPED: "stopped",
    Fate.REFUSED: "refused",
    Fate.NEVER: "never",
    Fate.ALLOWED: "allowed",
    Fate.STEP_STOPPED: "steps",
    Fate.UNKNOWN: "unknown",
}
"""The member for the examples of each fate."""


def to_json(
    tested: Backtested, policy_set: PolicySet, revision: str | None, wanted: BacktestRequest
) -> dict[str, Any]:
    """Return the JSON representation of a backtest.

    Args:
        tested: the backtest.
        policy_set: the candidate.
        revision: of the candidate; None for one that no files stand for.
        wanted: the filter of the decisions.
    """
    found, progress = tested.found, tested.progress
    return {
        "from": format_instant(wanted.start),
        "to": format_instant(wanted.end),
        "timezone": policy_set.home.name,
        "service": wanted.service,
        "environment": wanted.environment,
        "change": wanted.change,
        "new_revision": revision,
        "complete": tested.complete,
        "since": instant_or_none(tested.since),
        "decisions": progress.decisions,
        "decisions_in_period": progress.total,
        "until": None if progress.until is None else format_instant(progress.until),
        "in_words": [*backtest_in_words(found), *pruned_in_words(tested.since)],
        **_parts(found),
        "policies": [_policy(each) for each in found.policies],
        "no_longer_denied_by": [{"id": name, "claims": count} for name, count in found.former.most_common()],
        "services": _groups("service", found.services),
        "environments": _groups("environment", found.environments),
        "hours": [
            {"weekday": WEEKDAYS[hour // 24], "hour": hour % 24, **group._asdict()}
            for hour, group in found.hours.items()
        ],
        "examples": {name: _examples(found.examples[fate]) for fate, name in _EXAMPLES.items()},
        "method": method_of(found.compared),
    }


def _parts(found: Backtest) -> dict[str, Any]:
    deploys, stopped, fates = found.deploys, found.stopped, found.fates
    return {
        "deploys": {
            "total": deploys.deploys,
            "stopped": stopped.deploys,
            "stopped_for_good": found.stopped_for_good,
            "refused": fates[Fate.REFUSED],
            "failed": _part(stopped.failed, deploys.failed),
            "good": _part(stopped.reported - stopped.failed, deploys.reported - deploys.failed),
            "unreported": _part(_unreported(stopped), _unreported(deploys)),
            "comparison": comparison_to_json(found.comparison, total_in_words(found)),
        },
        "denied": {
            "total": fates[Fate.DENIED] + fates[Fate.ALLOWED],
            "allowed": fates[Fate.ALLOWED],
            "by_freezes_alone": found.denied_by_freezes,
        },
        "overridden": {
            "total": found.overridden.deploys,
            "without_token": fates[Fate.FREE],
            "with_token": fates[Fate.TOKEN],
            "never": fates[Fate.NEVER],
        },
        "steps": {
            "total": fates[Fate.STEP_KEPT] + fates[Fate.STEP_STOPPED],
            "stopped": fates[Fate.STEP_STOPPED],
        },
        "refused": _unlisted(found.refused),
        "unknown": _unlisted(found.unknown),
    }


def _unlisted(names: Sequence[UnknownName]) -> dict[str, Any]:
    listed = [each._asdict() for each in names if each.name != OTHERS]
    return {"decisions": sum(each.decisions for each in names), "names": listed[:MOST_LISTED]}


def _part(stopped: int, total: int) -> dict[str, Any]:
    share = Share(stopped, total)
    return {
        "stopped": stopped,
        "total": total,
        "share": None if share.rate is None else round(share.rate, DIGITS),
        "interval": range_to_json(wilson(share) if total else None),
    }


def _unreported(tally: Tally) -> int:
    return tally.deploys - tally.reported


def _policy(each: PolicyEffect) -> dict[str, Any]:
    return {
        "id": each.policy.id,
        "title": each.policy.title,
        "effect": each.policy.effect.value,
        "stopped": each.stopped,
        "stopped_alone": each.alone,
        "overridden": each.overridden,
        "denied": each.denied,
        "comparison": comparison_to_json(each.comparison, effect_in_words(each) if each.stopped else None),
    }


def _groups(field: str, groups: Mapping[str, Group]) -> list[dict[str, Any]]:
    """Return the groups with the most changes first; null stands for all names beyond the limit."""
    ordered = sorted(groups.items(), key=lambda each: (-_changes(each[1]), -each[1].deploys, each[0]))
    return [{field: name or None, **group._asdict()} for name, group in ordered[:MOST_LISTED]]


def _changes(group: Group) -> int:
    return group.stopped + group.allowed


def _examples(examples: Iterable[Example]) -> list[dict[str, Any]]:
    return [
        {
            "decision_id": recorded.id,
            "at": format_instant(recorded.at),
            "service": recorded.service,
            "environment": recorded.environment,
            "change": recorded.change,
            "duration_s": recorded.duration,
            "outcome": recorded.outcome,
            "result": recorded.result,
            "policies": list(policies),
        }
        for recorded, policies in examples
    ]
