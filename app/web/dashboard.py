"""``/``: the dashboard."""

from collections.abc import Mapping
from functools import partial
from math import isqrt
from typing import Final, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.gate.errors import UnauthenticatedError
from app.gate.overview import GateState
from app.identity.caller import Role
from app.server.authentication import authorised
from app.server.context import Context, context
from app.web.flash import notice, said
from app.web.offsets import offsets
from app.web.pages import PageRoute, page, redirect, rendered
from app.web.query import Read, read
from app.web.timeline_svg import DAY_WIDTH, HEIGHT, HOUR_HEIGHT, LEFT, TOP, WIDTH, picture, rule_styles
from app.web.viewer import Viewer, viewer_of
from app.web.what_if import asked

router = APIRouter(include_in_schema=False, route_class=PageRoute)


MOST_PICTURES_ON_A_WALL: Final = 3
"""With more environments, the room is for their cards."""

_COLUMNS: Final[Mapping[int, int]] = {1: 1, 2: 2, 3: 3, 4: 2, **dict.fromkeys(range(5, 10), 3)}


class _Look(NamedTuple):
    """Who wants to see what, as of which place in the record."""

    viewer: Viewer
    notice: str | None
    asked_for: Read
    seq: int


@router.get("/")
async def dashboard(request: Request) -> Response:
    """Everything at a glance; to whom the settings let see it, or who has signed in."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    here = context(request)
    told = notice(request)
    if told and caller.session_id is not None:
        # Another replica may have done it, and it is half a second before this one looks by itself.
        await here.cache.refresh()
    now = here.clock.now()
    look = _Look(viewer_of(request, caller), told, read(request), here.cache.seq)
    in_force = here.policies.in_force
    moment = GateState(in_force, here.policies.last_error, here.cache.degraded_since, now)
    key = (
        look, now, in_force.revision, in_force.freezes_version,
        moment.last_error and moment.last_error.revision, moment.degraded_since,
    )  # fmt: skip
    body = await here.shared.get(key, partial(_render, here, moment, look))
    reply = page(body, 422 if look.asked_for.wrong else 200)
    said(request, reply)
    return reply


def _render(here: Context, moment: GateState, look: _Look) -> bytes:
    in_force, now = moment.in_force, moment.now
    asked_for, query = look.asked_for, look.asked_for.query
    shown = here.gate.overview(moment, query.wanted)
    styles = rule_styles(in_force.policy_set.policies, in_force.engine.freezes, now)
    on_the_wall = query.wall is not None
    drawn = () if on_the_wall and len(shown.weeks) > MOST_PICTURES_ON_A_WALL else shown.weeks
    # An answer to half of a question would be the answer to another one.
    is_asked = query.service and not asked_for.why_not("ask")
    return rendered(
        "wall.html" if on_the_wall else "dashboard.html",
        look.viewer.root,
        viewer=look.viewer,
        notice=look.notice,
        seq=look.seq,
        why_not=asked_for.why_not,
        given=dict(asked_for.fields),
        query=query,
        now=now,
        home=in_force.home,
        offsets=offsets(in_force.home, now),
        policy_set=in_force.policy_set,
        asked=asked(in_force, query, now, look.viewer.base) if is_asked else None,
        shown=shown,
        pictures=[picture(weeks, styles, in_force.home, now) for weeks in drawn],
        styles=styles,
        across=columns_on_a_wall(len(shown.weeks)),
        drawing={
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "top": TOP,
            "hour": HOUR_HEIGHT,
            "day": DAY_WIDTH,
        },
        outcomes=("allow", "warn", "override", "deny"),
    )


def columns_on_a_wall(environments: int) -> int:
    """How many cards stand beside each other on a wall, so that their letters are large."""
    return _COLUMNS.get(environments) or max(4, isqrt(environments - 1) + 1)
