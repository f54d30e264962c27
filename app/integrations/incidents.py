"""The routes and the sections of systems that report incidents; each has its own signature and payload."""

import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

from fastapi import Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, Field

from app.core.errors import Fault, FaultyValuesError
from app.core.explain_incident import move_sentence
from app.core.incident import Incident, IncidentRule, judge, plain
from app.core.instant import DAY
from app.gate.freezes import to_json
from app.gate.incident_request import link_of, within
from app.gate.incidents import Outcome, Report
from app.identity.caller import Role
from app.integrations.inbound import FAILURES, raw_body, refuse, section_of
from app.integrations.payload import UnreadableError, parse_object
from app.integrations.section import Section
from app.integrations.vendor import Surroundings
from app.server.context import Context, context
from app.server.log import event
from app.server.openapi import returns
from app.server.requests import Strict, read_query
from app.server.responses import json_response
from app.server.routes import Routes

OLDEST: Final = DAY
"""Seconds that a signed report may be old where its id is remembered; vendors give up sooner."""

MOST_RULES: Final = 50

LONGEST_KEY: Final = 200
"""Characters of the key of an incident that are logged and shown."""

Work = Sequence[Coroutine[None, None, None]]

_UNREADABLE: Final = "unreadable"
_IGNORED: Final = "ignored"


def _named_once(rules: list[IncidentRule]) -> list[IncidentRule]:
    names = [rule.name for rule in rules]
    faults = [
        Fault((number, "name"), "another rule has this name")
        for number, name in enumerate(names)
        if name in names[:number]
    ]
    if faults:
        raise FaultyValuesError(faults)
    return rules


class IncidentSection(Section):
    """The section of a system that reports incidents."""

    freezes: Annotated[list[IncidentRule], AfterValidator(_named_once)] = Field(
        min_length=1,
        max_length=MOST_RULES,
        description="which incidents freeze what; the first rule that matches applies",
        examples=[[{"name": "sev1", "match": {"severity": "critical"}, "environments": ["production"]}]],
    )


class Webhook(NamedTuple):
    """A webhook of a vendor, as it came."""

    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes
    now: int


class Source(NamedTuple):
    """A system that reports incidents: how its webhooks are checked and read."""

    vendor: str
    section: type[IncidentSection]
    is_signed: Callable[[Any, Webhook], bool]
    """Whether a webhook has a valid signature, by the section; nothing of it is parsed before."""
    read: Callable[[Mapping[str, Any]], Incident | None]
    """Returns the incident of a payload; None if it is about something else.

    Raises:
        UnreadableError: it can't tell.
    """
    delivery: Callable[[Mapping[str, Any], Webhook], str | None]
    """Returns the id of a webhook, from what is signed; None if equal webhooks are meant as repeats."""
    oldest: int | None = None
    """Seconds after which a report is refused, by its own time; None where the signature has a time."""
    payload: type[BaseModel] | None = None
    """Describes the payload in the OpenAPI document; None where the vendor's documentation does."""


def by_content(_: Mapping[str, Any], webhook: Webhook) -> str:
    """Return the hash of a body as the id of its delivery, where no id is signed."""
    return hashlib.sha256(webhook.body).hexdigest()


def incident_routes(source: Source, system: str) -> Routes:
    """Return the routes of a system: the one that it calls, and the simulation for people.

    Args:
        source: how its webhooks are checked and read.
        system: its name for people.
    """
    router = Routes(tags=["integrations"])

    @router.operation(
        "POST",
        f"/integrations/{source.vendor}",
        role=None,
        body=source.payload,
        also=FAILURES,
        summary=f"An incident of {system}",
        operation_id=f"{source.vendor}_incident",
        responses=returns(
            "IncidentAnswer", "what the report led to; the freeze is in force on every replica"
        ),
    )
    async def receive(request: Request) -> Response:
        """Start, extend or end the freeze of an incident. It needs a signature instead of a key."""
        here, section = context(request), section_of(request, source.vendor, source.section)
        webhook = Webhook(request.headers, await raw_body(request), here.clock.now())
        if not source.is_signed(section, webhook):
            raise refuse(request, "the webhook has no valid signature or token")
        try:
            payload = parse_object(webhook.body)
            incident = source.read(payload)
            delivery = None if incident is None else source.delivery(payload, webhook)
        except UnreadableError as error:
            here.metrics.incident_reported(source.vendor, _UNREADABLE)
            event(logging.WARNING, "an incident can't be read", source=source.vendor, why=str(error))
            raise
        if incident is None:
            here.metrics.incident_reported(source.vendor, _IGNORED)
            return json_response({"result": _IGNORED, "freezes": []})
        if _is_old(source, incident, webhook.now):
            raise refuse(request, "the webhook is too old, or has no time")
        report = Report(source.vendor, incident, delivery)
        outcome = await here.gate.incidents.take(report, section.freezes, here.policies.in_force)
        _count(here, report, outcome)
        freezes = [move.freeze.id for move in outcome.moves if move.freeze is not None]
        return json_response({"result": outcome.result.value, "freezes": freezes})

    @router.operation(
        "POST",
        f"/integrations/{source.vendor}/simulate",
        role=Role.OPS,
        body=source.payload,
        also=(400, 404, 408, 413),
        summary=f"Try an incident of {system}",
        operation_id=f"{source.vendor}_simulation",
        responses=returns("IncidentSimulation", "what the report would lead to"),
    )
    async def simulate(request: Request) -> Response:
        """Say what an incident would do now, and why rules don't match it. Nothing is changed."""
        read_query(request, Strict)
        here, section = context(request), section_of(request, source.vendor, source.section)
        incident = source.read(parse_object(await raw_body(request)))
        if incident is None:
            return json_response(_simulation(_IGNORED))
        outcome = await here.gate.incidents.preview(
            Report(source.vendor, incident), section.freezes, here.policies.in_force
        )
        return json_response(_previewed(incident, outcome, section.freezes, here.clock.now()))

    return router


def warn_of_unknown_names(vendor: str, section: IncidentSection, surroundings: Surroundings) -> Work:
    """Log the names in the rules of a vendor that the policies don't list; there is nothing to do besides."""
    policy_set = surroundings.gate.policies.in_force.policy_set
    for rule in section.freezes:
        for sentence in within(rule, policy_set)[2]:
            event(
                logging.WARNING,
                "a rule of the integrations file freezes more than it says: it names what the policies don't",
                source=vendor,
                rule=rule.name,
                name=sentence,
            )
    return ()


def _is_old(source: Source, incident: Incident, now: int) -> bool:
    return source.oldest is not None and (incident.at is None or now - incident.at > source.oldest)


def _count(here: Context, report: Report, outcome: Outcome) -> None:
    here.metrics.incident_reported(report.source, outcome.result.value)
    event(
        logging.INFO,
        "an incident was reported",
        source=report.source,
        incident=plain(report.incident.key, LONGEST_KEY),
        result=outcome.result.value,
        incomplete=report.incident.incomplete,
    )


def _previewed(
    incident: Incident, outcome: Outcome, rules: list[IncidentRule], now: int
) -> Mapping[str, Any]:
    verdicts = [judge(rule, incident) for rule in rules]
    return _simulation(
        outcome.result.value,
        incident={
            "key": plain(incident.key, LONGEST_KEY),
            "title": incident.title,
            "link": link_of(incident),
            "firing": len(incident.firing),
            "incomplete": incident.incomplete,
        },
        rules=[
            {"rule": each.rule.name, "matches": each.signal is not None, "why_not": list(each.why_not)}
            for each in verdicts
        ],
        moves=[
            {
                "rule": move.rule,
                "step": move.step.value,
                "sentence": move_sentence(move.step, move.freeze),
                "freeze": None if move.freeze is None else to_json(move.freeze, now),
            }
            for move in outcome.moves
        ],
        unknown=list(outcome.unknown),
    )


def _simulation(result: str, **members: object) -> Mapping[str, Any]:
    return {"result": result, "incident": None, "rules": [], "moves": [], "unknown": [], **members}
