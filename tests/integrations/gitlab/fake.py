"""GitLab, as far as manual jobs go: after the pages "Webhook events" and "Jobs API" of its documentation.

It sends events of jobs and of pipelines, at least once and in any order, and sends none again that were lost.
Its API plays a job that is `manual`; any other is an "Unplayable Job". Tokens are good for one project.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, Final

from tests.integrations.platform import Answer, Call, Platform

SECRET: Final = "the-secret-token-of-the-webhook"  # noqa: S105 - of this test
SIGNING_TOKEN: Final = "whsec_" + base64.b64encode(b"k" * 32).decode()
TOKENS: Final = {"acme/checkout": "glpat-of-checkout", "acme/search": "glpat-of-search"}


@dataclass
class Job:
    """A job of a pipeline."""

    job_id: int
    url: str
    name: str = "deploy"
    project: str = "acme/checkout"
    ref: str = "main"
    status: str = "manual"

    @property
    def project_id(self) -> int:
        return 380 + list(TOKENS).index(self.project) if self.project in TOKENS else 999

    def job_event(self) -> dict[str, Any]:
        return {
            "object_kind": "build",
            "ref": self.ref,
            "tag": False,
            "sha": "95790bf891e76fee5e1747ab589903a6a1f80f22",
            "build_id": self.job_id,
            "build_name": self.name,
            "build_stage": "deploy",
            "build_status": self.status,
            "build_created_at": "2026-11-27 13:05:00 UTC",
            "build_started_at": None,
            "pipeline_id": 2366,
            "project_id": self.project_id,
            "project_name": self.project.title(),
            "user": {"id": 3, "name": "Ada", "username": "ada", "email": "ada@example.com"},
            "repository": {"name": "checkout", "homepage": f"{self.url}/{self.project}"},
            "project": {
                "id": self.project_id,
                "web_url": f"{self.url}/{self.project}",
                "path_with_namespace": self.project,
            },
            "environment": None,
        }

    def pipeline_event(self) -> dict[str, Any]:
        build = {
            "id": self.job_id,
            "stage": "deploy",
            "name": self.name,
            "status": self.status,
            "manual": True,
        }
        other = {"id": 1, "stage": "test", "name": "test", "status": "success", "manual": False}
        return {
            "object_kind": "pipeline",
            "object_attributes": {
                "id": 2366,
                "ref": self.ref,
                "sha": "95790bf891e76fee5e1747ab589903a6a1f80f22",
                "status": "manual",
            },
            "user": {"name": "Ada", "username": "ada"},
            "project": {
                "id": self.project_id,
                "web_url": f"{self.url}/{self.project}",
                "path_with_namespace": self.project,
            },
            "builds": [other, build],
        }


def with_token(event: dict[str, Any], secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of an event, with the secret token."""
    kind = "Job Hook" if event["object_kind"] == "build" else "Pipeline Hook"
    return json.dumps(event).encode(), {"X-Gitlab-Event": kind, "X-Gitlab-Token": secret}


def signed(event: dict[str, Any], now: int, token: str = SIGNING_TOKEN) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of an event, with a signature."""
    body, headers = with_token(event)
    del headers["X-Gitlab-Token"]
    message_id = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"
    key = base64.b64decode(token.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message_id}.{now}.".encode() + body, hashlib.sha256)
    headers["webhook-id"], headers["webhook-timestamp"] = message_id, str(now)
    headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return body, headers


class FakeGitLab(Platform):
    """The API that plays jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []
        self.played: list[int] = []

    def job(self, **options: Any) -> Job:
        job = Job(1977 + len(self.jobs), self.url, **options)
        self.jobs.append(job)
        return job

    def answer(self, call: Call) -> Answer:
        api, _, rest = call.path.partition("/projects/")
        project_id, _, path = rest.partition("/")
        number, _, action = path.removeprefix("jobs/").partition("/")
        found = [each for each in self.jobs if f"{each.project_id}/{each.job_id}" == f"{project_id}/{number}"]
        if api != "/api/v4" or not found:
            return Answer(404, {"message": "404 Not found"})
        (job,) = found
        if call.headers.get("private-token") != TOKENS[job.project]:
            return Answer(401, {"message": "401 Unauthorized"})
        if (call.method, action) == ("GET", ""):
            return Answer(200, {"id": job.job_id, "status": job.status})
        if (call.method, action) != ("POST", "play"):
            return Answer(405)
        if job.status != "manual":
            return Answer(400, {"message": "400 Bad request - Unplayable Job"})
        job.status = "pending"
        self.played.append(job.job_id)
        return Answer(200, {"id": job.job_id, "status": "pending"})
