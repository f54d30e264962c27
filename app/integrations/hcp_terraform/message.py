"""The results of a run task: https://developer.hashicorp.com/terraform/cloud-docs/api-docs/run-tasks."""

from typing import TYPE_CHECKING, Any, Final

from app.core.errors import MalformedValueError
from app.core.hold import AnswerKind, HoldAnswer, Reporting
from app.core.instant import MINUTE
from app.gate.outbox import DeliveryResult
from app.integrations.callback_url import callback_url
from app.integrations.calls import Reply, call, delivery_result
from app.integrations.hcp_terraform.section import HcpTerraform

if TYPE_CHECKING:
    import httpx

LONGEST_WAIT: Final = 55 * MINUTE
"""Seconds that a run task may wait: a run gives up after 60 minutes, and the last result must reach it."""

_EVERY: Final = 8 * MINUTE
"""A task that isn't heard of for 10 minutes has failed."""

_MOST: Final = 30
"""Results of one run task: there is no limit, but a run of an hour needs no more."""

_STATUS: Final = {
    AnswerKind.PROGRESS: "running",
    AnswerKind.APPROVED: "passed",
    AnswerKind.REJECTED: "failed",
}

_FINAL: Final = frozenset({400, 401, 403, 404, 409, 410, 422})
"""The token is void, the task is unknown, or it has its last result."""


def result(status: str, message: str) -> dict[str, Any]:
    """Return the body of a result."""
    return {"data": {"type": "task-results", "attributes": {"status": status, "message": message}}}


async def send_result(client: "httpx.AsyncClient", url: str, token: str, status: str, message: str) -> Reply:
    """Send a result to an address that was checked, and return the reply."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/vnd.api+json"}
    return await call(client, "PATCH", url, headers, result(status, message))


class RunTasks:
    """The responder of run tasks."""

    reporting: Final = Reporting(most=_MOST, every=_EVERY)

    def __init__(self, section: HcpTerraform) -> None:
        """Answer to the hosts of a section."""
        self._section = section

    async def send(
        self, client: "httpx.AsyncClient", answer: HoldAnswer, secret: str | None
    ) -> DeliveryResult:
        """Send a result with the sentence of the answer; `secret` is the access token of the task."""
        try:
            url = callback_url(str(answer.hold.target["callback_url"]), self._section.hosts)
        except MalformedValueError as error:
            return DeliveryResult("refused", str(error))
        reply = await send_result(client, url, secret or "", _STATUS[answer.kind], answer.sentence)
        return delivery_result(reply, _FINAL)
