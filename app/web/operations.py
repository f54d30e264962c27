"""``/dashboard/overrides``, ``/dashboard/freezes`` and ``/dashboard/holds``: the actions of ops.

Each form is validated by the model of the API route that does the same.
"""

import re
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.core.errors import FreezegateError, MalformedValueError
from app.core.instant import format_instant
from app.core.wallclock import Zone
from app.gate.errors import UnknownRecordError
from app.gate.freezes import undo
from app.gate.overrides import to_json
from app.identity.caller import Role
from app.server.authentication import lacking, session_caller
from app.server.context import context
from app.server.operations import CancelFields, ChangeBody, EndFields, GrantBody, LiftFields, StartBody
from app.server.problems import InvalidFieldsError
from app.server.requests import Strict, validated
from app.server.root_path import root_of
from app.web.claim_lines import claim_lines
from app.web.cookies import delete_cookie, set_cookie
from app.web.flash import redirect_with_flash
from app.web.form_errors import rejected_form
from app.web.forms import session_form
from app.web.local_time import local_instant
from app.web.pages import PageRoute, html_response, redirect, render, split_list
from app.web.quick import confirmation, is_unconfirmed, quick_freeze, quick_grant, wrong_choice
from app.web.viewer import viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

_TOKEN_COOKIE: Final = "freezegate_token"  # noqa: S105 - the name of it
_TOKEN_LIFETIME: Final = 60
_ID: Final = re.compile(r"(ovr|frz|hld)_[0-9a-z]{1,36}")
_MOST_DIGITS: Final = 5
_LISTS: Final = ("services", "environments", "policies", "tags")
_EXEMPT: Final = {"exempt_changes": "changes", "exempt_services": "services"}
"""Form fields that are fields of an exemption's selector."""

_TIMES: Final = ("expires_at", "starts_at", "until")

Body = TypeVar("Body", bound=Strict)


@router.post("/overrides")
async def grant(request: Request) -> Response:
    """Grant an override, and redirect to a page that shows the token.

    The token travels in a cookie for that page alone. In the response to the form, a reload would grant
    another one; kept on the server, another replica would not have it.
    """
    caller, form = await session_form(request, Role.OPS)
    here = context(request)
    in_force = here.policies.in_force
    try:
        body = _read(quick_grant(form), in_force.home, GrantBody)
        override, token = await here.overrides.grant(caller, body.request(here.cache.steady.now()), in_force)
    except FreezegateError as error:
        return rejected_form(request, caller, "grant", form, error)
    place = _granted_page(override.id)
    reply = redirect(request, place)
    set_cookie(request, reply, _TOKEN_COOKIE, token, path=place, lifetime=_TOKEN_LIFETIME)
    return reply


@router.get("/overrides/{override_id}/granted")
async def granted(request: Request, override_id: str) -> Response:
    """Show the token of an override once, to the person who has just granted it."""
    caller = await session_caller(request)
    if caller is None:
        return redirect(request, "/dashboard/sign-in")
    if not caller.may(Role.OPS):
        raise lacking(caller, Role.OPS)
    here = context(request)
    override = await here.overrides.show(_valid_id(override_id))
    token = request.cookies.get(_TOKEN_COOKIE, "")
    now = here.clock.now()
    viewer = viewer_of(request, caller)
    shown = render(
        "granted.html",
        root_of(request),
        viewer=viewer,
        override=to_json(override, now),
        token=token if await here.overrides.opens(override, token) else None,
        **claim_lines(override, token, viewer.base),
        now=now,
        home=here.policies.in_force.home,
    )
    reply = html_response(shown)
    delete_cookie(request, reply, _TOKEN_COOKIE, path=_granted_page(override_id))
    return reply


@router.post("/overrides/{override_id}/approve")
async def approve(request: Request, override_id: str) -> Response:
    """Approve an override that someone else granted."""
    caller, _ = await session_form(request, Role.OPS)
    here = context(request)
    await here.overrides.approve(caller, _valid_id(override_id), here.policies.in_force)
    return redirect_with_flash(request, "approved", "/#overrides")


@router.post("/overrides/{override_id}/revoke")
async def revoke(request: Request, override_id: str) -> Response:
    """Revoke an override, on every replica at once."""
    caller, _ = await session_form(request, Role.OPS)
    await context(request).overrides.revoke(caller, _valid_id(override_id))
    return redirect_with_flash(request, "revoked", "/#overrides")


@router.post("/freezes")
async def start(request: Request) -> Response:
    """Start a freeze."""
    caller, form = await session_form(request, Role.OPS)
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    try:
        wanted = _start_body(form, in_force.home, now).request(now)
        # A role with a scope can't freeze everything: it is refused, not asked.
        if caller.scope is None and is_unconfirmed(form, wanted.selector, in_force.policy_set):
            return confirmation(request, caller, form, wanted)
        freeze = await here.freezes.start(caller, wanted, in_force)
    except FreezegateError as error:
        return rejected_form(request, caller, "freeze", form, error)
    is_on = freeze.starts_at <= here.clock.now()
    return redirect_with_flash(request, "frozen" if is_on else "scheduled", about=freeze.id)


@router.post("/freezes/{freeze_id}/change")
async def change(request: Request, freeze_id: str) -> Response:
    """Change the texts of a freeze, and whether a token lifts it."""
    caller, form = await session_form(request, Role.OPS)
    here = context(request)
    known, in_force = _valid_id(freeze_id), here.policies.in_force
    try:
        # `read_form` drops empty fields; these are cleared.
        emptied = {name: None for name in ("reason", "contact", "link") if name not in form}
        body = validated({**_fields(form, in_force.home), **emptied}, ChangeBody)
        await here.freezes.change(caller, known, body.change(here.clock.now()), in_force)
    except FreezegateError as error:
        return rejected_form(request, caller, "change", form, error)
    return redirect_with_flash(request, "changed", "/#freezes")


@router.post("/freezes/{freeze_id}/extend")
async def extend(request: Request, freeze_id: str) -> Response:
    """Move the end of a freeze."""
    caller, form = await session_form(request, Role.OPS)
    here = context(request)
    known = _valid_id(freeze_id)
    try:
        body = _read(form, here.policies.in_force.home, EndFields)
        await here.freezes.extend(caller, known, body.end(here.clock.now()))
    except FreezegateError as error:
        return rejected_form(request, caller, "extend", form, error)
    return redirect_with_flash(request, "extended", "/#freezes")


@router.post("/freezes/{freeze_id}/lift")
async def lift(request: Request, freeze_id: str) -> Response:
    """Lift a freeze, on every replica at once."""
    caller, form = await session_form(request, Role.OPS)
    body = validated(dict(form), LiftFields)
    freeze = await context(request).freezes.lift(caller, _valid_id(freeze_id), body.reason)
    return redirect_with_flash(request, "lifted", about=freeze.id)


@router.post("/freezes/{freeze_id}/again")
async def start_again(request: Request, freeze_id: str) -> Response:
    """Undo the lifting of a freeze: start the same one again."""
    caller, _ = await session_form(request, Role.OPS)
    here = context(request)
    lifted = await here.freezes.show(_valid_id(freeze_id))
    freeze = await here.freezes.start(caller, undo(lifted, here.clock.now()), here.policies.in_force)
    return redirect_with_flash(request, "again", about=freeze.id)


@router.post("/holds/{hold_id}/cancel")
async def cancel(request: Request, hold_id: str) -> Response:
    """Cancel a deploy that waits; its system is told."""
    caller, form = await session_form(request, Role.OPS)
    body = validated(dict(form), CancelFields)
    await context(request).hold_desk.withdraw(caller, _valid_id(hold_id), body.reason)
    return redirect_with_flash(request, "cancelled", "/#waiting")


def _start_body(form: dict[str, str], home: Zone, now: int) -> StartBody:
    """Return the body of a freeze.

    Raises:
        InvalidFieldsError: fields are wrong, with the choice of environments among them.
    """
    wrong = wrong_choice(form)
    try:
        body = _read(quick_freeze(form, home, now), home, StartBody)
    except InvalidFieldsError as error:
        raise InvalidFieldsError([*wrong, *(error.errors or ())]) from None
    if wrong:
        raise InvalidFieldsError(wrong)
    return body


def _read(form: dict[str, str], home: Zone, model: type[Body]) -> Body:
    return validated(_fields(form, home), model)


def _fields(form: dict[str, str], home: Zone) -> dict[str, Any]:
    """Convert form fields to the fields of an API body: comma-separated lists, local times, numbers."""
    body: dict[str, Any] = {}
    exempt: list[dict[str, list[str]]] = []
    for name, value in form.items():
        if name in _LISTS:
            body[name] = split_list(value)
        elif name in _TIMES:
            body[name] = _time(name, value, home)
        elif name == "open_ended":
            body[name] = True
        elif name in _EXEMPT:
            exempt.append({_EXEMPT[name]: split_list(value)})
        elif name == "max_uses":
            body[name] = _number(name, value)
        else:
            body[name] = value
    # A field `exempt` that no form of ours has is refused as what it is, not added to.
    return {**body, "exempt": exempt} if exempt and "exempt" not in body else body


def _time(field: str, value: str, home: Zone) -> str:
    try:
        return format_instant(local_instant(value, home))
    except MalformedValueError as error:
        raise InvalidFieldsError([{"field": field, "message": str(error)}]) from None


def _number(field: str, value: str) -> int:
    if not value.isascii() or not value.isdecimal() or len(value) > _MOST_DIGITS:
        raise InvalidFieldsError([{"field": field, "message": "must be a whole number"}])
    return int(value)


def _granted_page(override_id: str) -> str:
    return f"/dashboard/overrides/{override_id}/granted"


def _valid_id(own_id: str) -> str:
    if _ID.fullmatch(own_id) is None:
        raise UnknownRecordError("there is no record of that id")
    return own_id
