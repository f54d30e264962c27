"""The JSON representation of a decision, shared by the API, the CLI and the dashboard."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from app.core.continuation import Continuation, ContinuationResult
from app.core.decision import Decision, DecisionPart, Outcome, Question, Stretch
from app.core.explain import message
from app.core.freeze import Freeze
from app.core.instant import format_instant
from app.core.override import Use
from app.core.wallclock import Zone

AD_HOC: Final = "ad-hoc"
"""The name under which statistics and metrics group all ad-hoc freezes."""

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode
"""Made once: `json.dumps` makes an encoder for each text."""

_SERVICE: Final = '"service": "'
_MESSAGE: Final = '"message": "'


class DecisionTemplate(NamedTuple):
    """The JSON text of a decision that is the same for many services, cut where their names stand."""

    before: str
    between: str
    after: str

    def of(self, service: str) -> str:
        """Return the text for a service; a name holds nothing that JSON would escape."""
        return f"{self.before}{service}{self.between}{service}{self.after}"


def decision_template(body: Mapping[str, Any]) -> DecisionTemplate:
    """Return the template of the answer to a question whose service is empty.

    A name stands in two places: in `service`, and at the beginning of `message`. The members before them hold
    no text of users, so the first place that looks like one of the two is the one.
    """
    text = _encode(body)
    before, service, rest = text.partition(_SERVICE)
    between, message_, after = rest.partition(_MESSAGE)
    return DecisionTemplate(before + service, between + message_, after)


def decision_to_json(
    decision: Decision,
    home: Zone,
    revision: str,
    decision_id: str | None = None,
    use: Use | None = None,
    continuation: Continuation | None = None,
) -> dict[str, Any]:
    """Return the JSON representation of a decision.

    Args:
        decision: the decision, before any override.
        home: the zone of the policy set, for local times in the message.
        revision: the revision of the policies.
        decision_id: the id of the recorded decision; None if it isn't recorded.
        use: the result for the override token, as published, if one was presented.
        continuation: whether it continues an earlier claim, if it names one.
    """
    question = decision.question
    lifted = use is not None and use.spends
    return {
        "allowed": lifted or decision.allowed,
        "outcome": (Outcome.OVERRIDE if lifted else decision.outcome).value,
        "service": question.service,
        **({"services": list(question.services)} if question.services else {}),
        "environment": question.environment,
        "change": question.change,
        "duration_s": question.duration,
        "at": format_instant(decision.at),
        "message": message(decision, home, use, continuation),
        **({"parts": [_part(part, lifted=lifted) for part in decision.parts]} if decision.parts else {}),
        "blocking": [entry(stretch, decision.at) for stretch in decision.blocking],
        "warnings": [entry(stretch, decision.at) for stretch in decision.warnings],
        "opens_at": instant_or_none(decision.opens_at),
        "closes_at": instant_or_none(decision.closes_at),
        "closing": [entry(stretch, decision.at) for stretch in decision.closing],
        "override": use and _use(use),
        "continues": _continuation(continuation, decision.at),
        "policy_revision": revision,
        "decision_id": decision_id,
    }


def _part(part: DecisionPart, *, lifted: bool) -> dict[str, Any]:
    """Return what a deploy of several services says about one of them; its rules are listed beside it.

    Args:
        part: the decision on the service alone.
        lifted: whether a token lifted every veto.
    """
    allowed = lifted or part.allowed
    return {
        "service": part.question.service,
        "allowed": allowed,
        "outcome": (Outcome.OVERRIDE if allowed and part.blocking else part.outcome).value,
        "blocking": [stretch.rule.id for stretch in part.blocking],
        "warnings": [stretch.rule.id for stretch in part.warnings],
    }


def entry(stretch: Stretch, at: int) -> dict[str, Any]:
    """Return one entry of `blocking`, `warnings` or `closing`."""
    rule = stretch.rule
    start, end = stretch.bounds(at)
    body = {
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
    return {**body, "started_by": rule.started_by} if isinstance(rule, Freeze) else body


def determined_by(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the rules that vetoed (also if overridden), else warned; freezes share `AD_HOC`."""
    entries = body["blocking"] or body["warnings"]
    return tuple(AD_HOC if each["kind"] == "freeze" else each["id"] for each in entries)


def recorded_question(body: Mapping[str, Any]) -> Question:
    """Return the question of an answer."""
    services = tuple(body.get("services", ()))
    return Question(body["service"], body["environment"], body["change"], body["duration_s"], services)


def first_step(body: Mapping[str, Any]) -> str | None:
    """Return the first step of the running deploy that an answer continues; None if it continues none."""
    continues = body.get("continues")
    if continues is None or continues["result"] != ContinuationResult.RUNNING:
        return None
    return str(continues["first"])


def _use(use: Use) -> dict[str, Any]:
    override = use.override
    spent = 1 if use.spends else 0
    return {
        "id": override and override.id,
        "result": use.result.value,
        "uncovered": [{"part": gap.part.value, "id": gap.id, "why": gap.why} for gap in use.uncovered],
        "uses_left": override and override.uses_left - spent,
    }


def _continuation(continuation: Continuation | None, at: int) -> dict[str, Any] | None:
    return continuation and {
        "id": continuation.id,
        "result": continuation.result.value,
        "first": continuation.first,
        "until": instant_or_none(continuation.until),
        "lifted": [entry(stretch, at) for stretch in continuation.lifted],
    }


def instant_or_none(instant: int | None) -> str | None:
    """Return an instant as RFC 3339, or null."""
    return None if instant is None else format_instant(instant)
