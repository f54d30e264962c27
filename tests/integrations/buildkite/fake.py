"""Buildkite, as far as block steps go: after the pages "Webhooks" and "Jobs API" of its documentation.

A build that waits at a block step is told of as finished and blocked, without its jobs. The API lists the
jobs of a build, and unblocks a step that is blocked; any other is a 400.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from tests.integrations.platform import Answer, Call, Platform

SECRET: Final = "the-token-of-the-webhook"  # noqa: S105 - of this test
TOKEN: Final = "bkua_of_the_api"  # noqa: S105 - of this test


@dataclass
class Build:
    """A build with two block steps."""

    number: int
    pipeline: str = "checkout"
    branch: str = "main"
    state: str = "blocked"
    """Of the step `freezegate`."""

    @property
    def job_id(self) -> str:
        return f"ded35de2-7de0-4da8-8daa-{self.number:012}"

    def jobs(self) -> list[dict[str, Any]]:
        return [
            {
                "id": "b63254c0-3271-4a98-8270-7cfbd6c2f14e",
                "type": "script",
                "step_key": "build",
                "state": "passed",
            },
            {
                "id": "0a0a0a0a-3271-4a98-8270-7cfbd6c2f14e",
                "type": "manual",
                "step_key": "approve",
                "state": "blocked",
            },
            {"id": self.job_id, "type": "manual", "step_key": "freezegate", "state": self.state},
        ]

    def event(self, kind: str = "build.finished", *, blocked: bool = True, **more: Any) -> dict[str, Any]:
        return {
            "event": kind,
            "build": {
                "id": "01908131-7d9f-495e-a17b-80ed31276810",
                "number": self.number,
                "state": "passed",
                "blocked": blocked,
                "branch": self.branch,
                "commit": "a65572555600c07c7ee79a2bd909220e1ca5485b",
                "web_url": f"https://buildkite.com/acme/{self.pipeline}/builds/{self.number}",
                "creator": {"id": "x", "name": "Ada", "email": "ada@example.com"},
            },
            "pipeline": {"id": "849411f9", "slug": self.pipeline, "name": "Checkout"},
            "sender": {"id": "8a7693f8", "name": "Ada"},
            **more,
        }


def signed(told: dict[str, Any] | bytes, now: int, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of an event."""
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    digest = hmac.digest(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hex()
    return body, {"X-Buildkite-Signature": f"timestamp={now},signature={digest}"}


class FakeBuildkite(Platform):
    """The API that lists and unblocks jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.builds: list[Build] = []
        self.unblocked: list[int] = []

    def build(self, **options: Any) -> Build:
        build = Build(len(self.builds) + 1, **options)
        self.builds.append(build)
        return build

    def answer(self, call: Call) -> Answer:
        path, _, query = call.path.partition("?")
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"message": "Authentication required"})
        for build in self.builds:
            jobs = f"/v2/organizations/acme/pipelines/{build.pipeline}/builds/{build.number}/jobs"
            if (call.method, path) == ("GET", jobs):
                states = parse_qs(query).get("state[]", [])
                return Answer(
                    200, {"items": [each for each in build.jobs() if each["state"] in states], "links": {}}
                )
            if (call.method, path) == ("PUT", f"{jobs}/{build.job_id}/unblock"):
                return self._unblock(build)
        return Answer(404, {"message": "No build found"})

    def _unblock(self, build: Build) -> Answer:
        if build.state == "canceled":
            return Answer(422, {"message": "Jobs from canceled builds cannot be unblocked"})
        if build.state != "blocked":
            return Answer(400, {"message": "This job type cannot be unblocked"})
        build.state = "unblocked"
        self.unblocked.append(build.number)
        return Answer(200, {"id": build.job_id, "type": "manual", "state": "unblocked"})
