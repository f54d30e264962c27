"""Who looks at a page: a name and a role where somebody has signed in, and what their forms must carry."""

from typing import Any, NamedTuple

from fastapi import Request

from app.core.errors import FreezegateError
from app.core.override import OverrideState
from app.identity.caller import ANONYMOUS, Caller, Role
from app.identity.credentials import form_proof
from app.server.authentication import SESSION_COOKIE, session_caller
from app.server.root_path import root_of


class Viewer(NamedTuple):
    """Who looks, and from where."""

    name: str
    """Empty for somebody who has not signed in."""
    role: Role | None
    proof: str
    base: str
    """The address of this gate as the viewer knows it."""
    root: str
    """The path below which the gate is served; empty where that is the root."""
    person: str | None = None
    """The person that the key of the viewer belongs to."""

    @property
    def is_ops(self) -> bool:
        """Whether the page has buttons."""
        return self.role is not None and self.role.covers(Role.OPS)

    def may_approve(self, override: dict[str, Any]) -> bool:
        """Whether the approval of this person is what an override waits for."""
        people = [override["granter"], *(given["person"] for given in override["approvals"]["given"])]
        usable = override["state"] in (OverrideState.PENDING, OverrideState.ACTIVE)
        waits = usable and len(override["approvals"]["given"]) < override["approvals"]["needed"]
        known = self.person is not None and override["granter"] is not None
        return self.is_ops and waits and known and self.person not in people


def viewer_of(request: Request, caller: Caller) -> Viewer:
    """Who looks at a page, of whom it is known already what they may."""
    proof = "" if caller.session_id is None else form_proof(request.cookies[SESSION_COOKIE])
    name = "" if caller.session_id is None else caller.name
    role = caller.role if name else None
    person = caller.person if name else None
    return Viewer(name, role, proof, str(request.base_url).rstrip("/"), root_of(request), person)


async def present_viewer(request: Request) -> Viewer:
    """Who looks at a page that is for anyone; nobody in particular where that can't be found out."""
    try:
        caller = await session_caller(request)
    except FreezegateError:
        caller = None
    return viewer_of(request, caller or ANONYMOUS)
