"""The viewer of a page: name and role if signed in, and the CSRF token of their forms."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from fastapi import Request

from app.core.decision import names_of
from app.core.errors import FreezegateError
from app.core.override import OverrideState
from app.core.policy import Selector
from app.identity.caller import ANONYMOUS, Caller, Role
from app.identity.credentials import form_proof
from app.identity.scope import Scope, TagsOf
from app.server.authentication import SESSION_COOKIE, session_caller
from app.server.context import context
from app.server.root_path import root_of


def _no_tags(_: str) -> frozenset[str]:
    return frozenset()


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
    scope: Scope | None = None
    """The services that the viewer's actions reach; None for all."""
    tags_of: TagsOf = _no_tags
    """The tags of a service, by the policies in force; only for viewers with a scope."""

    @property
    def is_ops(self) -> bool:
        """Whether the page shows the actions of ops."""
        return self.role is not None and self.role.covers(Role.OPS)

    def may_operate(self, *services: str) -> bool:
        """Return whether the viewer's role and scope let them freeze and override these services."""
        return self.is_ops and (
            self.scope is None or all(self.scope.covers(each, self.tags_of) for each in services)
        )

    @property
    def may_freeze_all(self) -> bool:
        """Whether a freeze of all services is offered."""
        return self.is_ops and self.scope is None

    def may_change(self, freeze: dict[str, Any]) -> bool:
        """Return whether the viewer may change, extend and lift a freeze."""
        selector = Selector.model_validate({name: freeze[name] for name in ("services", "tags")})
        return self.is_ops and (self.scope is None or self.scope.covers_selector(selector, self.tags_of))

    def may_cancel(self, hold: dict[str, Any]) -> bool:
        """Return whether the viewer may cancel a deploy that waits."""
        return self.may_operate(*names_of(hold["service"]))

    def own_services(self, services: Iterable[str]) -> list[str]:
        """Return those of some services that the viewer may freeze and override, to be offered in forms."""
        return [each for each in services if self.may_operate(each)]

    def may_approve(self, override: dict[str, Any]) -> bool:
        """Return whether an override needs an approval that this person may give."""
        people = [override["granter"], *(given["person"] for given in override["approvals"]["given"])]
        usable = override["state"] in (OverrideState.PENDING, OverrideState.ACTIVE)
        waits = usable and len(override["approvals"]["given"]) < override["approvals"]["needed"]
        known = self.person is not None and override["granter"] is not None
        own = self.may_operate(*override["services"])
        return own and waits and known and self.person not in people


def viewer_of(request: Request, caller: Caller) -> Viewer:
    """Return the viewer for an authenticated caller."""
    proof = "" if caller.session_id is None else form_proof(request.cookies[SESSION_COOKIE])
    name = "" if caller.session_id is None else caller.name
    role = caller.role if name else None
    person = caller.person if name else None
    return Viewer(
        name,
        role,
        proof,
        str(request.base_url).rstrip("/"),
        root_of(request),
        person,
        caller.scope,
        # Equal for every request under the same policies: pages are shared by it.
        _no_tags if caller.scope is None else context(request).policies.in_force.policy_set.tags_of,
    )


async def optional_viewer(request: Request) -> Viewer:
    """Return the viewer of a public page; anonymous if the session can't be looked up."""
    try:
        caller = await session_caller(request)
    except FreezegateError:
        caller = None
    return viewer_of(request, caller or ANONYMOUS)
