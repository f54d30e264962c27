"""The freeze periods of a GitLab, written from its public documentation of the API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx

from tests.integrations.faulty import Faulty, error

Period = dict[str, Any]


@dataclass
class FakeGitLab(Faulty):
    """A GitLab with projects."""

    projects: dict[str, list[Period]] = field(default_factory=dict)
    last_id: int = 0

    def add(self, project: str, freeze_start: str, freeze_end: str, zone: str = "UTC") -> int:
        self.last_id += 1
        created = "2026-11-01T10:00:00.000Z"
        self.projects[project].append(
            {
                "id": self.last_id,
                "freeze_start": freeze_start,
                "freeze_end": freeze_end,
                "cron_timezone": zone,
                "created_at": created,
                "updated_at": created,
            }
        )
        return self.last_id

    def said(self, project: str) -> list[tuple[str, str, str]]:
        """What the periods of a project say, without their ids."""
        return sorted(
            (each["freeze_start"], each["freeze_end"], each["cron_timezone"])
            for each in self.projects[project]
        )

    def is_allowed(self, headers: Mapping[str, str]) -> bool:
        return headers.get("PRIVATE-TOKEN") == self.token

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/api/v4/projects/")
        name, _, rest = path.partition("/")
        project = unquote(name)
        if project not in self.projects:
            return error(404, "404 Project Not Found")
        number = rest.removeprefix("freeze_periods").strip("/")
        if request.method == "GET":
            return self._page(project, request.url.params)
        if request.method == "POST":
            return self._create(project, json.loads(request.content))
        return self._delete(project, int(number))

    def _page(self, project: str, params: httpx.QueryParams) -> httpx.Response:
        size, page = min(int(params.get("per_page", 20)), 100), int(params.get("page", 1))
        return httpx.Response(200, json=self.projects[project][(page - 1) * size : page * size])

    def _create(self, project: str, period: Period) -> httpx.Response:
        if not period.get("freeze_start") or not period.get("freeze_end"):
            return error(400, "freeze_start is missing")
        self.add(project, period["freeze_start"], period["freeze_end"], period.get("cron_timezone", "UTC"))
        return httpx.Response(201, json=self.projects[project][-1])

    def _delete(self, project: str, number: int) -> httpx.Response:
        left = [each for each in self.projects[project] if each["id"] != number]
        if len(left) == len(self.projects[project]):
            return error(404, "404 Freeze Period Not Found")
        self.projects[project] = left
        return httpx.Response(204)
