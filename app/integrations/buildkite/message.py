"""The calls of Buildkite's API: https://buildkite.com/docs/apis/rest-api/jobs."""

import re
from typing import TYPE_CHECKING, Any, Final

from app.core.hold import AnswerKind, HoldAnswer, Reporting
from app.gate.outbox import DeliveryResult
from app.integrations.buildkite.section import Buildkite
from app.integrations.calls import Reply, call, delivery_result

if TYPE_CHECKING:
    import httpx

_MOST: Final = 1
"""A block step has no place for a report."""

_FINAL: Final = frozenset({404, 410, 422})
"""The build is gone, or was cancelled. A refused token is no reason to give up: somebody may renew it."""

_NOT_BLOCKED: Final = 400
_BLOCKED: Final = frozenset({"blocked", "blocked_failed"})
_UNBLOCKED: Final = frozenset({"unblocked", "unblocked_failed"})
_LISTED: Final = "&".join(f"state[]={state}" for state in sorted(_BLOCKED | _UNBLOCKED))
"""Only block steps are ever in these states, so one page has all that a build may have."""

_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")


class BlockSteps:
    """The responder of block steps."""

    reporting: Final = Reporting(most=_MOST)

    def __init__(self, section: Buildkite) -> None:
        """Unblock the steps of a section."""
        self._section = section

    async def send(
        self, client: "httpx.AsyncClient", answer: HoldAnswer, secret: str | None
    ) -> DeliveryResult:
        """Unblock the step of an approved build; there is nothing to send otherwise."""
        del secret  # the token is in the section, so that it can be renewed while a build waits
        if answer.kind is not AnswerKind.APPROVED:
            return DeliveryResult("taken")
        target, section = answer.hold.target, self._section
        headers = {"Authorization": f"Bearer {section.secrets('token')[0].get_secret_value()}"}
        jobs = (
            f"{section.api}/v2/organizations/{section.organization}"
            f"/pipelines/{target['pipeline']}/builds/{target['number']}/jobs"
        )
        listed = await call(client, "GET", f"{jobs}?{_LISTED}&per_page=100", headers)
        if not listed.is_success:
            return delivery_result(listed, _FINAL)
        job = _step(listed, section.step)
        if job is None:
            return DeliveryResult("later", f"the build has no blocked step with the key {section.step}")
        if job["state"] in _UNBLOCKED:
            return DeliveryResult("taken")  # by an attempt whose reply was lost, or by hand
        reply = await call(client, "PUT", f"{jobs}/{job['id']}/unblock", headers, {})
        if reply.status == _NOT_BLOCKED:
            return DeliveryResult("later", "the step was not blocked any more")  # the next look tells
        return delivery_result(reply, _FINAL)


def _step(listed: Reply, key: str) -> dict[str, Any] | None:
    """Return the job of a block step; None if there is none."""
    data = listed.data()
    items = data.get("items") if isinstance(data, dict) else None
    for job in items if isinstance(items, list) else []:
        if isinstance(job, dict) and job.get("step_key") == key and _is_block_step(job):
            return job
    return None


def _is_block_step(job: dict[str, Any]) -> bool:
    return job.get("state") in _BLOCKED | _UNBLOCKED and _ID.fullmatch(str(job.get("id"))) is not None
