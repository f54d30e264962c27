"""The deployment freezes of an Octopus server, through its API.

New freezes are created before old ones are deleted, so that none is interrupted. One that differs in anything
is replaced. A freeze of one project belongs to it: without an Enterprise licence, Octopus takes no others.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from app.core.errors import MalformedValueError
from app.gate.projection_state import ProjectionPlace, Written
from app.integrations.calls import Reply, call
from app.integrations.octopus.section import Octopus
from app.integrations.projector import ProjectionError, refuse
from app.policies.projections.octopus import freeze_of, freezes_of, is_ours
from app.policies.projections.projection import Projected, Window, differences

if TYPE_CHECKING:
    import httpx

_PAGE: Final = 100
_MOST_PAGES: Final = 50

_NOT_FOUND: Final = 404
_DENIED: Final = frozenset({401, 403})

Freezes = Mapping[str, Window]


class DeploymentFreezes:
    """The deployment freezes of a server."""

    def __init__(self, section: Octopus, place: ProjectionPlace) -> None:
        """Call the API that `section` names."""
        self.place = place
        self._section = section
        self._url = f"{section.url}/api/deploymentfreezes"
        self._created = ""

    async def sync(self, http: "httpx.AsyncClient", wanted: Projected) -> Written:
        """Make the freezes of ours the wanted ones; see `app.integrations.projector.Place`."""
        ours = await self._ours(http)
        found = differences(wanted.windows, ours.values())
        if found.missing:
            await self._check_listed(http, ours)
        for freeze in found.missing:
            reply = await call(http, "POST", self._url, self._headers(), {**freeze, **_owner(freeze)})
            self._check(reply, "creating a freeze")
            self._created = _id_of(reply.data())
        for freeze_id in _ids(found.surplus, ours):
            reply = await call(http, "DELETE", self._url_of(freeze_id), self._headers())
            if reply.status != _NOT_FOUND:
                self._check(reply, "deleting a freeze")
        return Written(len(found.missing), len(found.surplus))

    async def _check_listed(self, http: "httpx.AsyncClient", ours: Freezes) -> None:
        """Raise if the freeze that was created last exists, but is not listed.

        Else it would be created again at each look.
        """
        if self._created in ours or not self._created:
            return
        reply = await call(http, "GET", self._url_of(self._created), self._headers())
        if reply.is_success:
            raise ProjectionError("Octopus does not list a freeze that was created; may the API key see it?")

    def _url_of(self, freeze_id: str) -> str:
        return f"{self._url}/{quote(freeze_id, safe='')}"

    async def _ours(self, http: "httpx.AsyncClient") -> Freezes:
        """Return the freezes of ours by their ids, without those that are over."""
        found: dict[str, Window] = {}
        for page in range(_MOST_PAGES):
            url = f"{self._url}?skip={page * _PAGE}&take={_PAGE}"
            reply = await call(http, "GET", url, self._headers())
            self._check(reply, "reading the freezes")
            entries = freezes_of(reply.data())
            found.update(
                {_id_of(each): freeze_of(each) for each in entries if is_ours(each, self.place.owner)}
            )
            if len(entries) < _PAGE:
                return found
        raise ProjectionError(f"Octopus has more than {_MOST_PAGES * _PAGE} freezes")

    def _check(self, reply: Reply, what: str) -> None:
        if reply.status in _DENIED:
            raise ProjectionError(
                f"{what}: the API key needs the permission DeploymentFreezeAdminister, and access to all "
                "projects and environments that are named"
            )
        if not reply.is_success:
            raise refuse(reply, what)

    def _headers(self) -> dict[str, str]:
        return {"X-Octopus-ApiKey": self._section.newest("token").get_secret_value()}


def _owner(freeze: Window) -> Window:
    """Return the owner of a freeze of one project."""
    projects = list(freeze["ProjectEnvironmentScope"])
    return {"OwnerId": projects[0]} if len(projects) == 1 else {}


def _id_of(entry: Any) -> str:
    found = entry.get("Id") if isinstance(entry, Mapping) else None
    if not isinstance(found, str):
        raise MalformedValueError("a freeze of Octopus has no Id")
    return found


def _ids(surplus: Sequence[Window], ours: Freezes) -> list[str]:
    """Return the ids of freezes, as many of each as there are too many."""
    left = list(surplus)
    found = []
    for freeze_id, freeze in ours.items():
        if freeze in left:
            left.remove(freeze)
            found.append(freeze_id)
    return found
