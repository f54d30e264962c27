"""The sync windows of an AppProject, through the API of Kubernetes.

The list of windows is one value to Kubernetes: server-side apply would take all of it, including those of
people. So it is read and written as a whole, with the version that was read, and anew after a conflict.
Fields that Argo CD doesn't know are refused, not dropped: without its description, a window of ours would be
taken for one of a person, and written again each time.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from app.core.errors import MalformedValueError
from app.gate.projection_state import ProjectionPlace, Written
from app.integrations.argocd.section import ArgoCD
from app.integrations.calls import Reply, call
from app.integrations.projector import ProjectionError, refuse
from app.policies.projections.argocd import is_ours, live, windows_of
from app.policies.projections.projection import Projected, differences

if TYPE_CHECKING:
    import httpx

_ATTEMPTS: Final = 3
"""Writes at one look; others write to an AppProject rarely."""

_CONFLICT: Final = 409
_REFUSED: Final = frozenset({400, 422})


class AppProject:
    """An AppProject."""

    def __init__(self, section: ArgoCD, place: ProjectionPlace) -> None:
        """Call the API that `section` names."""
        self.place = place
        self._section = section
        self._url = (
            f"{section.url}/apis/argoproj.io/v1alpha1/namespaces/{quote(section.namespace)}"
            f"/appprojects/{quote(place.name)}"
        )

    async def sync(self, http: "httpx.AsyncClient", wanted: Projected) -> Written:
        """Make the windows of ours the wanted ones; see `app.integrations.projector.Place`."""
        for _ in range(_ATTEMPTS):
            resource = await self._read(http)
            found = differences(wanted.windows, live(resource, self.place.owner))
            if not found:
                return Written()
            reply = await self._write(http, resource, wanted)
            if reply.status == _CONFLICT:
                continue
            self._check(reply, wanted)
            return Written(len(found.missing), len(found.surplus))
        raise ProjectionError("the AppProject was changed by others at each attempt")

    async def _read(self, http: "httpx.AsyncClient") -> Any:
        reply = await call(http, "GET", self._url, self._headers())
        if not reply.is_success:
            raise refuse(reply, "reading the AppProject")
        return reply.data()

    async def _write(self, http: "httpx.AsyncClient", resource: Any, wanted: Projected) -> Reply:
        theirs = [each for each in windows_of(resource) if not is_ours(each, self.place.owner)]
        patch = {
            "metadata": {"resourceVersion": _version(resource)},
            "spec": {"syncWindows": [*theirs, *wanted.windows]},
        }
        headers = {**self._headers(), "Content-Type": "application/merge-patch+json"}
        url = f"{self._url}?fieldValidation=Strict&fieldManager={self.place.owner}"
        return await call(http, "PATCH", url, headers, patch)

    def _check(self, reply: Reply, wanted: Projected) -> None:
        """Raise if the windows were not taken as they are."""
        if reply.status in _REFUSED and b"unknown field" in reply.content:
            raise ProjectionError(
                "this Argo CD is too old: it does not know a field of the windows. `description` needs "
                "version 2.14, `sync_overrun` needs 3.5"
            )
        if not reply.is_success:
            raise refuse(reply, "writing the AppProject")
        if differences(wanted.windows, live(reply.data(), self.place.owner)):
            raise ProjectionError(
                "the AppProject was written, but does not hold the windows as they were sent"
            )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._section.newest('token').get_secret_value()}"}


def _version(resource: Any) -> str:
    metadata = resource.get("metadata") if isinstance(resource, Mapping) else None
    version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    if not isinstance(version, str):
        raise MalformedValueError("the AppProject has no resourceVersion")
    return version
