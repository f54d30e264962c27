"""HCP Terraform, as far as run tasks go: after the page "Run tasks integration API" of its documentation.

It repeats a request that is not answered with 200, takes results for the token of the task only, and no more
after the last one. A task fails after 10 minutes without a result, and after 60 minutes in all.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any, Final

import jsonschema

from tests.integrations.platform import Answer, Call, Platform

KEY: Final = "the-hmac-key-of-the-run-task"
REPORTED_EVERY: Final = 600
LONGEST: Final = 3_600

RESULT_SCHEMA: Final = {
    "type": "object",
    "required": ["data"],
    "additionalProperties": False,
    "properties": {
        "data": {
            "type": "object",
            "required": ["type", "attributes"],
            "properties": {
                "type": {"const": "task-results"},
                "attributes": {
                    "type": "object",
                    "required": ["status"],
                    "additionalProperties": False,
                    "properties": {
                        "status": {"enum": ["running", "passed", "failed"]},
                        "message": {"type": "string"},
                        "url": {"type": "string", "format": "uri"},
                    },
                },
                "relationships": {"type": "object"},
            },
        }
    },
}


@dataclass
class Task:
    """A run task of one run."""

    number: int
    host: str
    stage: str = "pre_apply"
    is_speculative: bool = False
    workspace: str = "checkout"
    created_at: int = 0
    heard_at: int = 0
    results: list[tuple[str, str]] = field(default_factory=list)

    @property
    def token(self) -> str:
        return f"atlas.token.of.{self.number}"

    @property
    def status(self) -> str:
        return self.results[-1][0] if self.results else "pending"

    def payload(self) -> dict[str, Any]:
        run = f"run-{self.number}"
        return {
            "payload_version": 1,
            "stage": self.stage,
            "access_token": self.token,
            "capabilities": {"outcomes": True},
            "configuration_version_id": "cv-ntv3HbhJqvFzamy7",
            "is_speculative": self.is_speculative,
            "organization_name": "acme",
            "run_app_url": f"https://app.terraform.io/app/acme/{self.workspace}/runs/{run}",
            "run_created_at": "2026-11-27T13:00:00.036Z",
            "run_created_by": "ada",
            "run_id": run,
            "run_message": "Triggered via UI",
            "task_result_callback_url": f"http://{self.host}/api/v2/task-results/{self.number}/callback",
            "task_result_enforcement_level": "mandatory",
            "task_result_id": f"taskrs-{self.number}",
            "vcs_branch": None,
            "workspace_id": "ws-ck4G5bb1Yei5szRh",
            "workspace_name": self.workspace,
        }


def signed(payload: dict[str, Any] | bytes, key: str = KEY) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a request."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    digest = hmac.digest(key.encode(), body, hashlib.sha512).hex()
    return body, {"Content-Type": "application/json", "X-TFC-Task-Signature": digest}


VERIFICATION: Final = {
    "payload_version": 1,
    "stage": "test",
    "access_token": "test-token",
    "task_result_callback_url": "https://app.terraform.io/api/v2/task-results/test/callback",
}
"""Sent when a run task is created."""


class FakeTerraform(Platform):
    """The API that takes results."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: dict[int, Task] = {}

    def task(self, **options: Any) -> Task:
        task = Task(len(self.tasks) + 1, self.host, **options)
        task.created_at = task.heard_at = self.now
        self.tasks[task.number] = task
        return task

    def answer(self, call: Call) -> Answer:
        number = int(call.path.split("/")[4])
        task = self.tasks[number]
        if call.headers.get("authorization") != f"Bearer {task.token}":
            return Answer(401, {"errors": [{"status": "401", "title": "unauthorized"}]})
        if call.method != "PATCH" or call.headers["content-type"] != "application/vnd.api+json":
            return Answer(404)
        if task.status in ("passed", "failed"):
            return Answer(422, {"errors": [{"status": "422", "title": "already complete"}]})
        if self.now - task.heard_at > REPORTED_EVERY or self.now - task.created_at > LONGEST:
            task.results.append(("failed", "errored: no progress"))
            return Answer(422, {"errors": [{"status": "422", "title": "already complete"}]})
        jsonschema.validate(call.json, RESULT_SCHEMA)
        attributes = call.json["data"]["attributes"]
        task.heard_at = self.now
        task.results.append((attributes["status"], attributes["message"]))
        return Answer(200)
