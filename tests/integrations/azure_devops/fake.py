"""Azure DevOps, as far as checks go: after the page "Invoke Azure Function / REST API checks" of its docs.

A check in callback mode is delivered once, and repeated if it isn't acknowledged. Then it waits for an event,
which needs the token of the check: that is void after 48 hours. A check that isn't decided in its time-out is
skipped. Other calls about a check that is over are 404.
"""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import jsonschema

from tests.integrations.platform import Answer, Call, Platform

SECRET: Final = "the-secret-of-the-checks"  # noqa: S105 - of this test
TOKEN_LIFE: Final = 48 * 3_600

EVENT_SCHEMA: Final = {
    "type": "object",
    "required": ["name", "taskId", "jobId", "result"],
    "additionalProperties": False,
    "properties": {
        "name": {"const": "TaskCompleted"},
        "taskId": {"type": "string", "format": "uuid"},
        "jobId": {"type": "string", "format": "uuid"},
        "result": {"enum": ["succeeded", "failed"]},
    },
}
FEED_SCHEMA: Final = {
    "type": "object",
    "required": ["value", "count"],
    "additionalProperties": False,
    "properties": {
        "value": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "count": {"type": "integer"},
    },
}


def uuid(number: int) -> str:
    return str(UUID(int=number))


@dataclass
class Check:
    """A check of one stage of one run."""

    number: int
    url: str
    created_at: int
    body: dict[str, Any]
    has_timeline: bool = True
    log: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        return f"eyJ0eXAiOiJKV1Qi.{self.number}"

    @property
    def plan_path(self) -> str:
        plan = uuid(1000 + self.number)
        return f"/acme/{uuid(1)}/_apis/distributedtask/hubs/Gates/plans/{plan}"

    def headers(self) -> dict[str, str]:
        """Return the headers as the check of the how-to page has them."""
        timeline = {"TimelineId": uuid(4000 + self.number)} if self.has_timeline else {}
        return {
            "Authorization": f"Bearer {SECRET}",
            "Content-Type": "application/json",
            "PlanUrl": f"{self.url}/acme/",
            "ProjectId": uuid(1),
            "HubName": "Gates",
            "PlanId": uuid(1000 + self.number),
            "JobId": uuid(2000 + self.number),
            "TaskInstanceId": uuid(3000 + self.number),
            "AuthToken": self.token,
            **timeline,
        }


class FakeAzure(Platform):
    """The API that takes decisions and lines of logs."""

    def __init__(self) -> None:
        super().__init__()
        self.checks: list[Check] = []

    def check(self, service: str = "checkout", **options: Any) -> Check:
        body = {"service": service, "ref": "4f9c2d", "actor": "ada"} | options.pop("body", {})
        check = Check(len(self.checks) + 1, self.url, self.now, body, **options)
        self.checks.append(check)
        return check

    def answer(self, call: Call) -> Answer:
        path, _, query = call.path.partition("?")
        check = next((each for each in self.checks if path.startswith(f"{each.plan_path}/")), None)
        if check is None or check.results or call.method != "POST":
            return Answer(404, {"message": "The plan is completed or does not exist."})
        expired = self.now - check.created_at > TOKEN_LIFE
        if expired or call.headers.get("authorization") != f"Bearer {check.token}":
            return Answer(401)
        rest = path.removeprefix(f"{check.plan_path}/")
        headers = check.headers()
        if (rest, query) == ("events", "api-version=2.0-preview.1"):
            jsonschema.validate(call.json, EVENT_SCHEMA)
            same = (call.json["jobId"], call.json["taskId"]) == (headers["JobId"], headers["TaskInstanceId"])
            if same:
                check.results.append(call.json["result"])
            return Answer(204 if same else 400)
        feed = f"timelines/{headers.get('TimelineId')}/records/{headers['JobId']}/feed"
        if (rest, query) != (feed, "api-version=4.1"):
            return Answer(404)
        jsonschema.validate(call.json, FEED_SCHEMA)
        check.log += call.json["value"]
        return Answer(200)
