"""The row that the event of a decision implies, to compare the stored row with."""

import json
import re
from functools import lru_cache
from typing import Any, Final

from app.core.audit import Link
from app.core.decision_json import first_step
from app.core.deploy_key import deploy_key
from app.core.instant import format_instant, parse_instant
from app.store.records import DecisionRow

_BLOCKING: Final = ', "blocking": ['
_WARNINGS: Final = '], "warnings": ['
_OPENS_AT: Final = '], "opens_at": '
_CONTINUES: Final = ', "continues": {'
_DEPLOY_ID: Final = ', "deploy_id": "'
_RULE: Final = re.compile(r'\{"id": "([^"\\]*)", "kind": "')
"""The beginning of each rule in an answer."""

_encode: Final = json.JSONEncoder().encode
"""Faster than `json.dumps` for a text."""


def is_plain_row(link: Link, row: DecisionRow) -> bool:
    """Return whether an event has exactly this row, no token was used, and no deploy continued.

    Compares texts, which takes a third of the time of parsing the event. A caller's text can't pass for a
    member: quotes are escaped within a JSON string. An event that isn't recognised here is parsed.
    """
    data = link.data
    if (row.override_id, row.continues, row.deploy, row.caller) != (None, None, None, link.actor):
        return False
    if _CONTINUES in data or _DEPLOY_ID in data:
        return False
    allowed = "true" if row.blocking is None else "false"
    members = (
        f', "at": "{_written(row.at)}", "message": ',
        f', "policy_revision": "{row.policy_revision}", "decision_id": "{row.id}"}}, "opens_at": ',
        f', "actor": {_json(row.actor)}, "run_url": ',
        f', "idempotency_key": {_json(row.idempotency_key)}, "fingerprint": {_json(row.fingerprint)}, ',
    )
    return (
        data.startswith(
            f'{{"answer": {{"allowed": {allowed}, "outcome": "{row.outcome}", "service": "{row.service}", '
            f'"environment": "{row.environment}", "change": "{row.change}", "duration_s": {row.duration}, '
        )
        and all(member in data for member in members)
        and _rules_of(data) == (row.blocking, row.warnings)
    )


def _rules_of(data: str) -> tuple[str | None, str | None]:
    """Return the ids of the rules that veto, and of those that warn, in the text of an answer."""
    blocking = data.index(_BLOCKING)
    warnings = data.index(_WARNINGS, blocking)
    return (
        ",".join(_RULE.findall(data, blocking, warnings)) or None,
        ",".join(_RULE.findall(data, warnings, data.index(_OPENS_AT, warnings))) or None,
    )


def _json(text: str | None) -> str:
    return "null" if text is None else _encode(text)


def expected_row(link: Link, data: dict[str, Any], row: DecisionRow) -> DecisionRow:
    """Return the row that the event of a decision implies; take from `row` what older events lack."""
    answer = data["answer"]
    spent = answer["override"]["id"] if answer["outcome"] == "override" else None
    known = "idempotency_key" in data
    return DecisionRow(
        id=answer["decision_id"],
        at=_instant(answer["at"]),
        service=answer["service"],
        environment=answer["environment"],
        outcome=answer["outcome"],
        caller=link.actor,
        actor=data["actor"],
        override_id=spent,
        idempotency_key=data["idempotency_key"] if known else row.idempotency_key,
        fingerprint=data["fingerprint"] if known else row.fingerprint,
        policy_revision=answer["policy_revision"],
        blocking=",".join([each["id"] for each in answer["blocking"]]) or None,
        change=answer["change"],
        duration=answer["duration_s"],
        continues=first_step(answer),
        warnings=",".join([each["id"] for each in answer["warnings"]]) or None,
        deploy=deploy_key(
            data.get("deploy_id"), link.actor, _services(answer), answer["environment"], answer["change"]
        ),
        repeats=data.get("repeats"),
    )


@lru_cache(maxsize=1_024)
def _written(instant: int) -> str:
    return format_instant(instant)


@lru_cache(maxsize=1_024)
def _instant(text: str) -> int:
    return parse_instant(text)


def _services(answer: dict[str, Any]) -> list[str]:
    services: list[str] = answer.get("services") or [answer["service"]]
    return services


def expected_services(data: dict[str, Any]) -> tuple[str, ...]:
    """Return the services that the event of a decision implies beside its row, sorted."""
    services = data["answer"].get("services", ())
    return tuple(sorted(services)) if len(services) > 1 else ()
