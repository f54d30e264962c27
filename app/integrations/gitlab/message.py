"""The calls of GitLab's API: https://docs.gitlab.com/api/jobs/."""

from typing import TYPE_CHECKING, Final

from app.core.hold import AnswerKind, HoldAnswer, Reporting
from app.gate.outbox import DeliveryResult
from app.integrations.calls import Reply, call, delivery_result
from app.integrations.deploy_rule import find_rule
from app.integrations.gitlab.section import GitLab

if TYPE_CHECKING:
    import httpx

_MOST: Final = 1
"""GitLab has no place for a report: a manual job shows only that it waits."""

_UNPLAYABLE: Final = 400
_FINAL: Final = frozenset({404, 405, 410})
"""The job or the project is gone. A refused token is no reason to give up: somebody may renew it."""

_WAITING: Final = frozenset({"created", "manual", "waiting_for_resource", "preparing", "scheduled"})
_STARTED: Final = frozenset({"pending", "running", "success", "failed", "canceling"})


class ManualJobs:
    """The responder of manual jobs."""

    reporting: Final = Reporting(most=_MOST)

    def __init__(self, section: GitLab) -> None:
        """Play the jobs of a section."""
        self._section = section

    async def send(
        self, client: "httpx.AsyncClient", answer: HoldAnswer, secret: str | None
    ) -> DeliveryResult:
        """Play a job that is approved; there is nothing to send otherwise."""
        del secret  # the token is in the section, so that it can be renewed while a job waits
        if answer.kind is not AnswerKind.APPROVED:
            return DeliveryResult("taken")
        target = answer.hold.target
        rule = find_rule(self._section.deployments, target["names"])
        if rule is None:
            return DeliveryResult("refused", "no entry of the integrations file has a token for this job")
        headers = {"PRIVATE-TOKEN": rule.secrets("token")[0].get_secret_value()}
        job = f"{self._section.url}/api/v4/projects/{target['project_id']}/jobs/{target['job_id']}"
        reply = await call(client, "POST", f"{job}/play", headers)
        if reply.status != _UNPLAYABLE:
            return delivery_result(reply, _FINAL)
        # Played already, by an attempt whose reply was lost, or by hand; or not playable yet.
        return _of_job(await call(client, "GET", job, headers))


def _of_job(reply: Reply) -> DeliveryResult:
    """Return what the state of a job that can't be played means."""
    data = reply.data()
    status = data.get("status") if reply.is_success and isinstance(data, dict) else None
    if status in _STARTED:
        return DeliveryResult("taken")
    if status is None or status in _WAITING:
        return DeliveryResult("later", "the job can't be played yet")
    return DeliveryResult("refused", "the job can't be played any more")
