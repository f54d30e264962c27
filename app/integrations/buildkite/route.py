"""``POST /integrations/buildkite``: the webhook of builds and jobs.

A build whose block step waits is reported as finished and blocked. The event doesn't say which step it is, so
the build is held, and the step with the key of the section is looked for when it is unblocked.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.core.decision_text import one_line
from app.core.errors import UnknownNameError
from app.core.hold import HoldState
from app.gate.errors import StateConflictError
from app.gate.holds import HoldRequest
from app.identity.caller import Caller, Role
from app.integrations.buildkite.section import SLUG, Buildkite
from app.integrations.deploy_rule import UnmatchedDeployError, find_rule
from app.integrations.inbound import FAILURES, raw_body, refuse, section_of
from app.integrations.note import link, note
from app.integrations.signatures import hmac_matches, is_recent
from app.server.context import Context, context
from app.server.log import event
from app.server.openapi import returns_text
from app.server.requests import parse_json
from app.server.routes import Routes

router = Routes(tags=["integrations"])

CALLER: Final = Caller("buildkite", Role.CI)

_SIGNATURE: Final = re.compile(r"timestamp=(\d{1,12}),\s*signature=([0-9a-f]{64})")
_LARGEST_NUMBER: Final = 2**53
_NO_STORE: Final = {"Cache-Control": "no-store"}


@router.operation(
    "POST",
    "/integrations/buildkite",
    role=None,
    also=FAILURES,
    response_class=PlainTextResponse,
    summary="Unblock this build when deploys open. Called by Buildkite as a webhook",
    responses=returns_text("text/plain", "taken; says if the build can't be held, and why"),
)
async def build_event(request: Request) -> Response:
    """Take an event of a build or a job.

    `X-Buildkite-Signature` must be made with the token of the webhook, and be at most five minutes old.
    """
    section = section_of(request, "buildkite", Buildkite)
    raw = await raw_body(request)
    if not _is_signed(request, section, raw):
        raise refuse(request, "X-Buildkite-Signature is missing, too old, or not made with the secret")
    told = parse_json(raw)
    build, pipeline = _part(told, "build"), str(_part(told, "pipeline").get("slug"))
    number = build.get("number")
    if re.fullmatch(SLUG, pipeline) is None or not _is_number(number):
        return PlainTextResponse("", headers=_NO_STORE)  # a ping, or an event of something else
    here, key = context(request), f"{pipeline}/{number}"
    if told.get("event") == "build.finished" and build.get("blocked") is True:
        return PlainTextResponse(await _hold(here, section, build, pipeline), headers=_NO_STORE)
    if _is_over(told, build, section):
        await _cancel(here, key)
    return PlainTextResponse("", headers=_NO_STORE)


def _is_signed(request: Request, section: Buildkite, raw: bytes) -> bool:
    given = request.headers.getlist("x-buildkite-signature")
    found = _SIGNATURE.fullmatch(given[0]) if len(given) == 1 else None
    if found is None or not is_recent(found[1], context(request).clock.now()):
        return False
    return hmac_matches(section.secrets("secret"), f"{found[1]}.".encode() + raw, [found[2]])


def _is_over(told: Mapping[str, Any], build: Mapping[str, Any], section: Buildkite) -> bool:
    """Return whether an event says that nothing is left to unblock."""
    if told.get("event") == "job.activated":
        return _part(told, "job").get("step_key") == section.step
    return told.get("event") == "build.finished" and not build.get("blocked")


async def _hold(here: Context, section: Buildkite, build: Mapping[str, Any], pipeline: str) -> str:
    """Hold a blocked build; return a sentence if it can't be held."""
    names = {"pipeline": pipeline, "branch": _text(build.get("branch"))}
    rule = find_rule(section.deployments, names)
    if rule is None:
        return ""
    try:
        await here.holds.hold(
            CALLER,
            HoldRequest(
                question=rule.question(names),
                responder="buildkite",
                key=f"{pipeline}/{build['number']}",
                target={"pipeline": pipeline, "number": build["number"]},
                expires_at=here.clock.now() + section.longest_wait,
                ref=note(_text(build.get("commit"))),
                actor=note(_text(_part(build, "creator").get("name"))),
                run_url=link(_text(build.get("web_url"))),
            ),
            here.policies.in_force,
        )
    except (UnmatchedDeployError, UnknownNameError) as error:
        event(logging.WARNING, "a build of Buildkite can't be held", pipeline=pipeline, why=str(error))
        return f"not held: {one_line(error)}\n"
    return ""


async def _cancel(here: Context, key: str) -> None:
    """Let nothing be unblocked that somebody else has unblocked or stopped."""
    hold = await here.holds.find("buildkite", key)
    if hold is None or hold.state is not HoldState.WAITING:
        return
    try:
        await here.holds.cancel(CALLER, hold.id, "the step was unblocked, or the build is over")
    except StateConflictError:
        return  # released at this very moment


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str:
    return value[:2_000] if isinstance(value, str) else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST_NUMBER
