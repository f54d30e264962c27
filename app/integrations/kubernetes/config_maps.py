"""The ConfigMap of a scope, through the API of Kubernetes.

It holds what the policies want and nothing else: a key that another writer adds would be read as a kind of
change that is open. So the keys that are there are read first, and those that are not ours are removed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from app.gate.projection_state import ProjectionPlace, Written
from app.integrations.calls import Reply, call
from app.integrations.kubernetes.section import Project
from app.integrations.projector import ProjectionError, refuse
from app.policies.projections.kubernetes import live, manifest
from app.policies.projections.projection import Projected, Window

if TYPE_CHECKING:
    import httpx

_MISSING: Final = 404
_CONFLICT: Final = 409
_ATTEMPTS: Final = 3
"""Writes at one look; others rarely write to a ConfigMap of ours."""


class ConfigMap:
    """A ConfigMap."""

    def __init__(self, section: Project, place: ProjectionPlace) -> None:
        """Call the API that `section` names."""
        self.place = place
        self._section = section
        self._url = f"{section.url}/api/v1/namespaces/{section.namespace}/configmaps"

    async def sync(self, http: "httpx.AsyncClient", wanted: Projected) -> Written:
        """Make the ConfigMap the wanted one; see `app.integrations.projector.Place`."""
        (window,) = wanted.windows
        for _ in range(_ATTEMPTS):
            resource = await self._read(http)
            if resource is None:
                reply = await self._create(http, window)
                written = Written(created=1)
            elif live(resource, self.place.owner) == [window]:
                return Written()
            else:
                reply = await self._change(http, resource, window)
                written = Written(created=1, removed=1)
            if reply.status != _CONFLICT:
                self._check(reply, window)
                return written
        raise ProjectionError("the ConfigMap was changed by others at each attempt")

    async def _read(self, http: "httpx.AsyncClient") -> Any:
        reply = await call(http, "GET", f"{self._url}/{self.place.name}", self._headers())
        if reply.status == _MISSING:
            return None
        if not reply.is_success:
            raise refuse(reply, "reading the ConfigMap")
        return reply.data()

    async def _create(self, http: "httpx.AsyncClient", window: Window) -> Reply:
        url = f"{self._url}?fieldManager={self.place.owner}"
        return await call(http, "POST", url, self._headers(), manifest(window))

    async def _change(self, http: "httpx.AsyncClient", resource: Mapping[str, Any], window: Window) -> Reply:
        surplus = dict.fromkeys((resource.get("data") or {}).keys() - window["data"].keys())
        patch = {
            "metadata": {"resourceVersion": resource["metadata"].get("resourceVersion")},
            "data": {**surplus, **window["data"]},
        }
        headers = {**self._headers(), "Content-Type": "application/merge-patch+json"}
        url = f"{self._url}/{self.place.name}?fieldManager={self.place.owner}"
        return await call(http, "PATCH", url, headers, patch)

    def _check(self, reply: Reply, window: Window) -> None:
        """Raise if the ConfigMap was not taken as it is."""
        if not reply.is_success:
            raise refuse(reply, "writing the ConfigMap")
        if live(reply.data(), self.place.owner) != [window]:
            raise ProjectionError("the ConfigMap was written, but does not hold what was sent")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._section.newest('token').get_secret_value()}"}
