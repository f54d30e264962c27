"""The API of a Kubernetes cluster with ConfigMaps, written from its public documentation.

A merge patch removes members that are null, and conflicts if the object was changed since the version in it.
An object that exists can't be created. ConfigMaps hold at most 1 MiB.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.integrations.faulty import Faulty

PATH = "/api/v1/namespaces/freezegate/configmaps"
MOST = 1024 * 1024


@dataclass
class FakeCluster(Faulty):
    """A cluster with ConfigMaps."""

    maps: dict[str, dict[str, Any]] = field(default_factory=dict)
    meddling: int = 0
    """The number of reads after each of which another writer changes the object."""
    forgetful: bool = False
    """Whether a webhook of the cluster drops what is written."""

    def change(self, name: str, data: Mapping[str, str | None]) -> None:
        found = self.maps[name]
        found["data"] = {
            key: value for key, value in {**found.get("data", {}), **data}.items() if value is not None
        }
        found["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)

    def is_allowed(self, headers: Mapping[str, str]) -> bool:
        return headers.get("Authorization") == f"Bearer {self.token}"

    def handle(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith(PATH)
        name = request.url.path.removeprefix(PATH).removeprefix("/")
        if request.method == "POST" and not name:
            return self._create(json.loads(request.content))
        if name not in self.maps:
            return httpx.Response(404, json={"kind": "Status", "reason": "NotFound"})
        if request.method == "PATCH":
            return self._patch(name, request)
        assert request.method == "GET"
        answer = httpx.Response(200, json=deepcopy(self.maps[name]))
        if self.meddling:
            self.meddling -= 1
            self.change(name, {})
        return answer

    def _create(self, made: dict[str, Any]) -> httpx.Response:
        name = made["metadata"]["name"]
        assert (made["apiVersion"], made["kind"]) == ("v1", "ConfigMap")
        if name in self.maps:
            return httpx.Response(409, json={"kind": "Status", "reason": "AlreadyExists"})
        more = {"resourceVersion": "1", "uid": name, "namespace": "freezegate"}
        return self._taken(name, {**made, "metadata": made["metadata"] | more}, 201)

    def _patch(self, name: str, request: httpx.Request) -> httpx.Response:
        if request.headers["Content-Type"] != "application/merge-patch+json":
            return httpx.Response(415, json={"kind": "Status", "reason": "UnsupportedMediaType"})
        patch, found = json.loads(request.content), deepcopy(self.maps[name])
        if patch["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            return httpx.Response(409, json={"kind": "Status", "reason": "Conflict"})
        self.change(name, patch["data"])
        return self._taken(name, self.maps[name], 200)

    def _taken(self, name: str, found: dict[str, Any], status: int) -> httpx.Response:
        assert sum(len(value.encode()) for value in found["data"].values()) <= MOST
        if self.forgetful:
            found = {key: value for key, value in found.items() if key != "data"}
        self.maps[name] = found
        return httpx.Response(status, json=deepcopy(found))
