"""The deployment freezes of an Octopus server, written from its public clients and documentation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.integrations.faulty import Faulty

PATH = "/api/deploymentfreezes"


@dataclass
class FakeOctopus(Faulty):
    """An Octopus server."""

    freezes: list[dict[str, Any]] = field(default_factory=list)
    last_id: int = 0
    may_administer: bool = True
    is_enterprise: bool = True
    """Whether the licence takes freezes of several projects."""
    unlisted: bool = False
    """Whether freezes of projects are left out of the list."""

    def add(self, name: str, start: str, end: str, **keys: Any) -> str:
        self.last_id += 1
        freeze_id = f"DeploymentFreezes-{self.last_id}"
        self.freezes.append(
            {
                "Id": freeze_id,
                "Name": name,
                "Start": start.replace("Z", ".000+00:00"),
                "End": end.replace("Z", ".000+00:00"),
                "ProjectEnvironmentScope": {},
                "TenantProjectEnvironmentScope": [],
                "RecurringSchedule": None,
                "OwnerId": None,
                **keys,
            }
        )
        return freeze_id

    def is_allowed(self, headers: Mapping[str, str]) -> bool:
        return headers.get("X-Octopus-ApiKey") == self.token

    def handle(self, request: httpx.Request) -> httpx.Response:
        freeze_id = request.url.path.removeprefix(PATH).strip("/")
        if request.method == "GET" and freeze_id:
            found = [each for each in self.freezes if each["Id"] == freeze_id]
            return httpx.Response(200, json=found[0]) if found else httpx.Response(404, json={})
        if request.method == "GET":
            listed = [each for each in self.freezes if not (self.unlisted and each["OwnerId"])]
            skip, take = (int(request.url.params.get(name, 30)) for name in ("skip", "take"))
            page = listed[skip : skip + take]
            return httpx.Response(200, json={"DeploymentFreezes": page, "Count": len(self.freezes)})
        if not self.may_administer:
            return httpx.Response(403, json={"ErrorMessage": "You do not have permission"})
        if request.method == "POST":
            return self._create(json.loads(request.content))
        left = [each for each in self.freezes if each["Id"] != freeze_id]
        if len(left) == len(self.freezes):
            return httpx.Response(404, json={"ErrorMessage": "The resource was not found"})
        self.freezes = left
        return httpx.Response(200, json={})

    def _create(self, freeze: dict[str, Any]) -> httpx.Response:
        missing = {"Name", "Start", "End", "ProjectEnvironmentScope"} - set(freeze)
        if missing:
            errors = [f"The {each} field is required." for each in sorted(missing)]
            return httpx.Response(400, json={"ErrorMessage": "There was a problem.", "Errors": errors})
        if len(freeze["ProjectEnvironmentScope"]) > 1 and not self.is_enterprise:
            return httpx.Response(400, json={"ErrorMessage": "Your license does not permit this."})
        scope = {key: sorted(values) for key, values in freeze["ProjectEnvironmentScope"].items()}
        freeze_id = self.add(freeze["Name"], freeze["Start"], freeze["End"], ProjectEnvironmentScope=scope,
            OwnerId=freeze.get("OwnerId"),
        )  # fmt: skip
        return httpx.Response(201, json={"Id": freeze_id})
