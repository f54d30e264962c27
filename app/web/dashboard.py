"""``/``: the dashboard."""

import asyncio
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.core.policy import PolicySet
from app.core.rule_style import rule_styles
from app.gate.errors import UnauthenticatedError
from app.gate.in_force import InForce
from app.gate.overview import GateState, Overview, weeks
from app.gate.service_state import prepare_states
from app.identity.caller import Role
from app.server.authentication import authorised
from app.server.context import Context, context
from app.web.flash import clear_flash, flash_message, flash_record
from app.web.front import MOST_NAMES, coming, front_view
from app.web.offsets import offsets
from app.web.pages import PageRoute, html_response, prepare_pages, redirect, render
from app.web.query import ParsedQuery, parse_query
from app.web.service import service_path
from app.web.timeline_svg import DAY_WIDTH, HEIGHT, HOUR_HEIGHT, LEFT, TOP, WIDTH, draw_timeline, each_once
from app.web.viewer import Viewer, viewer_of
from app.web.wall import wall
from app.web.what_if import what_if

router = APIRouter(include_in_schema=False, route_class=PageRoute)


MOST_OPEN: Final = 4
"""Open environments that are in sight while others are frozen; more are one line, that opens."""

MOST_DECISIONS: Final = 8
MOST_DIFFERENCES: Final = 6
MOST_COMING: Final = 5
"""Lines in sight; the others are folded away."""

MOST_SERVICES: Final = 60
"""Services that a line opens to; the field of the question finds the others."""

MOST_SUGGESTED: Final = 2_000
"""Services of the catalogue in a page, some 40 bytes each."""

MOST_WAITING: Final = 5
"""Waiting deploys of an environment that are in sight, a usual batch of them; the others are folded away."""


PREPARED_AFTER: Final = 1.0
"""Seconds after the start: questions come first, and a gate that is started for one command has no pages."""


class _PageRequest(NamedTuple):
    """Everything that a rendered page depends on besides the state of the gate; part of the cache key."""

    viewer: Viewer
    notice: str | None
    noticed: str
    query: ParsedQuery
    seq: int


@router.get("/")
async def dashboard(request: Request) -> Response:
    """Serve the dashboard to signed-in viewers, and to anyone if the settings allow it."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    here = context(request)
    notice = flash_message(request)
    if notice and caller.session_id is not None:
        # Another replica may have made the change; this one would notice it within half a second.
        await here.cache.refresh()
    now = here.clock.now()
    wanted = _PageRequest(
        viewer_of(request, caller), notice, flash_record(request), parse_query(request), here.cache.seq
    )
    in_force = here.policies.in_force
    calendars = tuple(here.policies.calendar_states)
    state = GateState(in_force, here.policies.last_error, here.cache.degraded_since, now, calendars)
    key = (
        wanted, now, in_force.revision, in_force.freezes_version,
        state.last_error and state.last_error.revision, state.degraded_since, calendars,
    )  # fmt: skip
    body = await here.shared.get(key, partial(_render, here, state, wanted))
    reply = html_response(body, 422 if wanted.query.errors else 200)
    clear_flash(request, reply)
    return reply


async def prepare_first_pages(here: Context, root: str) -> None:
    """Compile what the first page needs, a moment after the start: its reader should not wait for that."""
    await asyncio.sleep(PREPARED_AFTER)
    await asyncio.to_thread(prepare_pages, root)
    await asyncio.to_thread(prepare_states, here.policies.in_force, here.clock.now())


def _render(here: Context, state: GateState, wanted: _PageRequest) -> bytes:
    in_force, now = state.in_force, state.now
    parsed, query = wanted.query, wanted.query.query
    shown = here.gate.overview(state, query.wanted)
    if query.wall is not None:
        return _render_wall(in_force, shown, wanted, now)
    styles = rule_styles(in_force.policy_set.policies, in_force.engine.freezes, now)
    names = in_force.policy_set.environments
    drawn = [weeks(in_force, name, now) for name in names] if len(names) <= MOST_NAMES else []
    # With an invalid field dropped, the answer would be to another question.
    is_asked = query.service and not parsed.errors_in("ask")
    return render(
        "dashboard.html",
        wanted.viewer.root,
        viewer=wanted.viewer,
        notice=wanted.notice,
        noticed=wanted.noticed,
        seq=wanted.seq,
        errors_in=parsed.errors_in,
        given=dict(parsed.fields),
        query=query,
        now=now,
        home=in_force.home,
        offsets=offsets(in_force.home, now),
        policy_set=in_force.policy_set,
        file_warnings=in_force.warnings,
        asked=what_if(in_force, query, now, wanted.viewer.base) if is_asked else None,
        shown=shown,
        coming=coming(shown.status["freezes"]["upcoming"]),
        front=front_view(shown, in_force.policy_set),
        suggested=_suggested(in_force.policy_set, shown),
        path=service_path,
        most_names=MOST_NAMES,
        most_open=MOST_OPEN,
        most_decisions=MOST_DECISIONS,
        most_differences=MOST_DIFFERENCES,
        most_services=MOST_SERVICES,
        most_coming=MOST_COMING,
        most_waiting=MOST_WAITING,
        pictures=[draw_timeline(each, styles, in_force.home, now) for each in each_once(drawn)],
        styles=styles,
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


def _render_wall(in_force: InForce, shown: Overview, wanted: _PageRequest, now: int) -> bytes:
    return render(
        "wall.html",
        wanted.viewer.root,
        seq=wanted.seq,
        now=now,
        home=in_force.home,
        offsets=offsets(in_force.home, now),
        shown=shown,
        wall=wall(shown, in_force.policy_set),
    )


def _suggested(policy_set: PolicySet, shown: Overview) -> list[str]:
    """Return the services that the question suggests: of the catalogue, or of the latest decisions."""
    if policy_set.services:
        return list(islice(policy_set.services, MOST_SUGGESTED))
    asked = (name for each in shown.decisions or () for name in each.get("services", [each["service"]]))
    return sorted(set(asked))
