"""The API of a Kubernetes cluster with the AppProjects of Argo CD, written from their public documentation.

A merge patch with a `resourceVersion` conflicts if the object was changed meanwhile. With
`fieldValidation=Strict`, a field that the definition of AppProjects lacks is refused; else it is dropped.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.integrations.faulty import Faulty

PATH = "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects/"
FIELDS = {
    "kind", "schedule", "duration", "applications", "namespaces", "clusters", "manualSync", "timeZone",
    "andOperator", "description", "syncOverrun",
}  # fmt: skip


@dataclass
class FakeCluster(Faulty):
    """A cluster with projects, whose windows are in Git, or aren't."""

    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: set[str] = field(default_factory=lambda: set(FIELDS))
    """The fields of a window that this version of Argo CD knows."""
    meddling: int = 0
    """The number of reads after each of which another writer changes the project."""
    forgetful: bool = False
    """Whether a webhook of the cluster drops half of the windows that are written."""

    def add(self, name: str, windows: list[dict[str, Any]] | None = None) -> None:
        spec: dict[str, Any] = {"destinations": [{"server": "*", "namespace": "*"}]}
        if windows is not None:
            spec["syncWindows"] = windows
        self.projects[name] = {
            "kind": "AppProject",
            "metadata": {"name": name, "resourceVersion": "1"},
            "spec": spec,
        }

    def windows(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.projects[name]["spec"].get("syncWindows", [])
        return found

    def heal(self, name: str, windows: list[dict[str, Any]]) -> None:
        """Apply the manifest in Git, as a self-healing application does."""
        self._change(name, {"spec": {"syncWindows": windows}})

    def is_allowed(self, headers: Mapping[str, str]) -> bool:
        return headers.get("Authorization") == f"Bearer {self.token}"

    def handle(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.removeprefix(PATH)
        if name not in self.projects:
            return httpx.Response(404, json={"kind": "Status", "reason": "NotFound"})
        if request.method == "GET":
            answer = httpx.Response(200, json=deepcopy(self.projects[name]))
            if self.meddling:
                self.meddling -= 1
                self._change(name, {})
            return answer
        return self._patch(name, request)

    def _patch(self, name: str, request: httpx.Request) -> httpx.Response:
        assert request.method == "PATCH"
        if request.headers["Content-Type"] != "application/merge-patch+json":
            return httpx.Response(415, json={"kind": "Status", "reason": "UnsupportedMediaType"})
        patch = json.loads(request.content)
        if patch["metadata"]["resourceVersion"] != self.projects[name]["metadata"]["resourceVersion"]:
            return httpx.Response(409, json={"kind": "Status", "reason": "Conflict"})
        windows = patch["spec"]["syncWindows"]
        unknown = sorted({key for each in windows for key in each} - self.fields)
        if unknown and request.url.params.get("fieldValidation") == "Strict":
            message = f'strict decoding error: unknown field "spec.syncWindows[0].{unknown[0]}"'
            return httpx.Response(400, json={"kind": "Status", "message": message})
        kept = [{key: value for key, value in each.items() if key in self.fields} for each in windows]
        self._change(name, {"spec": {"syncWindows": kept[::2] if self.forgetful else kept}})
        return httpx.Response(200, json=deepcopy(self.projects[name]))

    def _change(self, name: str, patch: dict[str, Any]) -> None:
        project = self.projects[name]
        project["spec"] |= patch.get("spec", {})
        project["metadata"]["resourceVersion"] = str(int(project["metadata"]["resourceVersion"]) + 1)
