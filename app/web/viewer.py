"""The viewer of a page: name and role if signed in, and the CSRF token of their forms."""

from typing import Any, NamedTuple

from fastapi import Request

from app.core.errors import FreezegateError
from app.core.override import OverrideState
from app.identity.caller import ANONYMOUS, Caller, Role
from app.identity.credentials import form_proof
from app.server.authentication import SESSION_COOKIE, session_caller
from app.server.root_path import root_of


class Viewer(NamedTuple):
    """The viewer of a page, and the address that they use."""

    name: str
    """Empty if not signed in."""
    role: Role | None
    proof: str
    base: str
    """The URL of this gate, as the viewer's browser uses it."""
    root: str
    """The path below which the gate is served; empty for the root."""
    person: str | None = None
    """The person that the viewer's key belongs to."""

    @property
    def is_ops(self) -> bool:
        """Whether the page shows the actions of ops."""
        return self.role is not None and self.role.covers(Role.OPS)

    def may_approve(self, override: dict[str, Any]) -> bool:
        """Return whether an override needs an approval that this person may give."""
        people = [override["granter"], *(given["person"] for given in override["approvals"]["given"])]
        usable = override["state"] in (OverrideState.PENDING, OverrideState.ACTIVE)
        waits = usable and len(override["approvals"]["given"]) < override["approvals"]["needed"]
        known = self.person is not None and override["granter"] is not None
        return self.is_ops and waits and known and self.person not in people


def viewer_of(request: Request, caller: Caller) -> Viewer:
    """Return the viewer for an authenticated caller."""
    proof = "" if caller.session_id is None else form_proof(request.cookies[SESSION_COOKIE])
    name = "" if caller.session_id is None else caller.name
    role = caller.role if name else None
    person = caller.person if name else None
    return Viewer(name, role, proof, str(request.base_url).rstrip("/"), root_of(request), person)


async def optional_viewer(request: Request) -> Viewer:
    """Return the viewer of a public page; anonymous if the session can't be looked up."""
    try:
        caller = await session_caller(request)
    except FreezegateError:
        caller = None
    return viewer_of(request, caller or ANONYMOUS)
