"""A decision as it leaves the house: the JSON object of the contract, the same from every door."""

from typing import Any

from app.core.decision import Decision, Stretch
from app.core.explain import message
from app.core.instant import format_instant
from app.core.wallclock import Zone


def answer(decision: Decision, home: Zone, revision: str, decision_id: str | None = None) -> dict[str, Any]:
    """The JSON object of a decision.

    Args:
        decision: what was decided.
        home: the file's zone, for the sentence.
        revision: of the policies it was decided by.
        decision_id: of its record; None for a question that is not recorded.
    """
    question = decision.question
    return {
        "allowed": decision.allowed,
        "outcome": decision.outcome.value,
        "service": question.service,
        "environment": question.environment,
        "change": question.change,
        "duration_s": question.duration,
        "at": format_instant(decision.at),
        "message": message(decision, home),
        "blocking": [entry(stretch, decision.at) for stretch in decision.blocking],
        "warnings": [entry(stretch, decision.at) for stretch in decision.warnings],
        "opens_at": instant_or_none(decision.opens_at),
        "closes_at": instant_or_none(decision.closes_at),
        "override": None,
        "policy_revision": revision,
        "decision_id": decision_id,
    }


def entry(stretch: Stretch, at: int) -> dict[str, Any]:
    """One entry of `blocking` or `warnings`."""
    rule = stretch.rule
    start, end = stretch.bounds(at)
    return {
        "id": rule.id,
        "kind": rule.kind,
        "title": rule.title,
        "reason": rule.reason,
        "from": instant_or_none(start),
        "until": instant_or_none(end),
        "override": rule.overridable,
        "contact": rule.contact,
        "link": rule.link,
    }


def instant_or_none(instant: int | None) -> str | None:
    """An instant as RFC 3339, or null."""
    return None if instant is None else format_instant(instant)
