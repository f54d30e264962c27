"""The decision of a check, and lines of its log.

https://learn.microsoft.com/azure/devops/pipelines/process/invoke-checks describes both.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from app.core.errors import MalformedValueError
from app.core.hold import AnswerKind, HoldAnswer, Reporting
from app.gate.outbox import DeliveryResult
from app.integrations.azure_devops.section import AzureDevOps
from app.integrations.callback_url import callback_url
from app.integrations.calls import call, delivery_result

if TYPE_CHECKING:
    import httpx

_MOST: Final = 30
"""Answers of any kind: each line of the log costs two requests, and a freeze rarely moves more often."""

LOG_DEADLINE: Final = 3.0
"""Seconds for the log before a decision: all calls of an answer have 10."""

_FINAL: Final = frozenset({400, 401, 403, 404, 409, 410})
"""The token is void, or the check is over: cancelled, or its time is up."""

_RESULTS: Final = {AnswerKind.APPROVED: "succeeded", AnswerKind.REJECTED: "failed"}

_EVENTS: Final = "events?api-version=2.0-preview.1"
_FEED: Final = "timelines/{timeline_id}/records/{job_id}/feed?api-version=4.1"


def plan_url(target: dict[str, Any]) -> str:
    """Return the address of the plan that a check belongs to."""
    collection, project = str(target["plan_url"]).rstrip("/"), target["project_id"]
    return f"{collection}/{project}/_apis/distributedtask/hubs/{target['hub']}/plans/{target['plan_id']}"


def completed(target: dict[str, Any], result: str) -> dict[str, Any]:
    """Return the event that decides a check."""
    return {
        "name": "TaskCompleted",
        "taskId": target["task_id"],
        "jobId": target["job_id"],
        "result": result,
    }


class Checks:
    """The responder of checks."""

    reporting: Final = Reporting(most=_MOST)

    def __init__(self, section: AzureDevOps) -> None:
        """Answer to the hosts of a section."""
        self._section = section

    async def send(
        self, client: "httpx.AsyncClient", answer: HoldAnswer, secret: str | None
    ) -> DeliveryResult:
        """Write the sentence into the log of the check, and decide it if that is due.

        `secret` is the token of the check.
        """
        target = answer.hold.target
        try:
            plan = callback_url(plan_url(target), self._section.hosts)
        except MalformedValueError as error:
            return DeliveryResult("refused", str(error))
        headers = {"Authorization": f"Bearer {secret or ''}"}
        if answer.kind is AnswerKind.PROGRESS:
            return await self._log(client, plan, answer, headers)
        # The log is for people; the decision must not wait for it.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(LOG_DEADLINE):
                await self._log(client, plan, answer, headers)
        event = completed(target, _RESULTS[answer.kind])
        return delivery_result(await call(client, "POST", f"{plan}/{_EVENTS}", headers, event), _FINAL)

    @staticmethod
    async def _log(
        client: "httpx.AsyncClient", plan: str, answer: HoldAnswer, headers: dict[str, str]
    ) -> DeliveryResult:
        """Write the sentence into the log of a check, if Azure said where that is."""
        target = answer.hold.target
        if not target.get("timeline_id"):
            return DeliveryResult("taken")
        lines = {"value": [answer.sentence], "count": 1}
        url = f"{plan}/{_FEED.format_map(target)}"
        return delivery_result(await call(client, "POST", url, headers, lines), _FINAL)
