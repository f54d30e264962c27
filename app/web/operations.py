"""``/dashboard/overrides`` and ``/dashboard/freezes``: what ops do from the page.

Each form says the same as the body of the API's route for it, and is read by the same model.
"""

import re
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.core.instant import format_instant
from app.core.wallclock import Zone
from app.gate.errors import UnknownRecordError
from app.gate.overrides import described
from app.identity.caller import Role
from app.server.context import context
from app.server.operations import EndFields, GrantBody, StartBody
from app.server.problems import InvalidFieldsError
from app.server.reading import Strict, validated
from app.web.dashboard import viewer_of
from app.web.forms import signed_in
from app.web.notices import done
from app.web.pages import PageRoute, page, rendered
from app.web.wall_time import local_instant

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

_ID: Final = re.compile(r"(ovr|frz)_[0-9a-z]{1,36}")
_MOST_DIGITS: Final = 5
_LISTS: Final = ("services", "environments", "policies", "tags")
_TIMES: Final = ("expires_at", "starts_at", "until")

Body = TypeVar("Body", bound=Strict)


@router.post("/overrides")
async def grant(request: Request) -> Response:
    """Grant an override; the answer shows the token, this once."""
    caller, form = await signed_in(request, Role.OPS)
    here = context(request)
    now = here.clock.now()
    in_force = here.policies.in_force
    body = _read(form, in_force.home, GrantBody)
    override, token = await here.overrides.grant(caller, body.request(now), in_force)
    shown = rendered(
        "granted.html",
        viewer=viewer_of(request, caller),
        override=described(override, now),
        token=token,
        now=now,
        home=in_force.home,
    )
    return page(shown, 201)


@router.post("/overrides/{override_id}/approve")
async def approve(request: Request, override_id: str) -> Response:
    """Approve what somebody else granted."""
    caller, _ = await signed_in(request, Role.OPS)
    await context(request).overrides.approve(caller, _known(override_id))
    return done(request, "approved", "/#overrides")


@router.post("/overrides/{override_id}/revoke")
async def revoke(request: Request, override_id: str) -> Response:
    """Revoke an override, on every replica at once."""
    caller, _ = await signed_in(request, Role.OPS)
    await context(request).overrides.revoke(caller, _known(override_id))
    return done(request, "revoked", "/#overrides")


@router.post("/freezes")
async def start(request: Request) -> Response:
    """Freeze."""
    caller, form = await signed_in(request, Role.OPS)
    here = context(request)
    in_force = here.policies.in_force
    body = _read(form, in_force.home, StartBody)
    freeze = await here.freezes.start(caller, body.request(here.clock.now()), in_force)
    is_on = freeze.starts_at <= here.clock.now()
    return done(request, "frozen" if is_on else "scheduled", "/#freezes")


@router.post("/freezes/{freeze_id}/extend")
async def extend(request: Request, freeze_id: str) -> Response:
    """Move the end of a freeze."""
    caller, form = await signed_in(request, Role.OPS)
    here = context(request)
    body = _read(form, here.policies.in_force.home, EndFields)
    await here.freezes.extend(caller, _known(freeze_id), body.end(here.clock.now()))
    return done(request, "extended", "/#freezes")


@router.post("/freezes/{freeze_id}/lift")
async def lift(request: Request, freeze_id: str) -> Response:
    """Lift a freeze, on every replica at once."""
    caller, _ = await signed_in(request, Role.OPS)
    await context(request).freezes.lift(caller, _known(freeze_id))
    return done(request, "lifted", "/#freezes")


def _read(form: dict[str, str], home: Zone, model: type[Body]) -> Body:
    """A form as the body that it stands for: lists by commas, local times, numbers."""
    body: dict[str, Any] = {}
    for name, value in form.items():
        if name in _LISTS:
            body[name] = [each.strip() for each in value.split(",") if each.strip()]
        elif name in _TIMES:
            body[name] = format_instant(local_instant(value, home))
        elif name == "open_ended":
            body[name] = True
        elif name == "max_uses":
            body[name] = _number(name, value)
        else:
            body[name] = value
    return validated(body, model)


def _number(field: str, value: str) -> int:
    if not value.isascii() or not value.isdecimal() or len(value) > _MOST_DIGITS:
        raise InvalidFieldsError([{"field": field, "message": "is a number"}])
    return int(value)


def _known(own_id: str) -> str:
    if _ID.fullmatch(own_id) is None:
        raise UnknownRecordError("there is nothing of that id")
    return own_id
