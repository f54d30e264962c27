"""``/services/{name}``: one service, to be shared: its state, what comes, and how to ask about it."""

import re
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup
from pydantic import Field

from app.core.badge import badge
from app.core.decision import Rule
from app.core.errors import UnknownNameError
from app.core.explain import policy_in_words, state
from app.core.instant import DAY, EARLIEST, LATEST
from app.core.interval import Period
from app.core.policy import NAME_PATTERN
from app.core.rule_style import OTHERS, Style, rule_styles
from app.gate.calendar_lanes import lanes, rules_of
from app.gate.errors import StoreUnavailableError, UnauthenticatedError
from app.gate.in_force import InForce
from app.gate.past import Past
from app.gate.record import DecisionFilter
from app.gate.service import Service, alike, service
from app.gate.service_state import environment_states
from app.identity.caller import Role
from app.server.authentication import authorised
from app.server.context import Context, context
from app.server.requests import Strict, read_query
from app.web.calendar_svg import NARROW, WEEK, WIDE_QUARTER, Picture, View, draw_ribbon, monday_of
from app.web.offsets import offsets
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.past import past_pictures, unknown_until
from app.web.query import Blank
from app.web.service_list import services_by_state
from app.web.viewer import Viewer, viewer_of

router = APIRouter(prefix="/services", include_in_schema=False, route_class=PageRoute)

MOST_DECISIONS: Final = 10
MOST_COMING: Final = 6
"""Freezes to come that are listed before the fold."""
_WEEKS: Final = 5
_MINUTE: Final = 60
MOST_SHOWN: Final = 24
"""Services in one state that are in sight; the others are folded away."""

MOST_LISTED: Final = 300
"""Services of the catalogue that the search lists; the field finds the others."""

_NAME: Final = re.compile(NAME_PATTERN)
_AMBIGUOUS: Final = frozenset({"", ".", ".."})
"""Segments of a path that browsers and proxies change."""


class SearchQuery(Strict):
    """The field of the search."""

    name: Annotated[str | None, Blank] = Field(None, max_length=128)


class _Page(NamedTuple):
    """Everything that a rendered page depends on, besides what is in force."""

    viewer: Viewer
    name: str
    seq: int
    now: int
    degraded: bool


def service_path(name: str) -> str:
    """Return the path of the page of a service; a name that a path would not keep goes into the query."""
    if _AMBIGUOUS.isdisjoint(name.split("/")):
        return f"/services/{quote(name)}"
    return f"/services?{urlencode({'name': name})}"


@router.get("")
async def search(request: Request) -> Response:
    """Go to the page of a service, or list the services to choose from."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    name = (read_query(request, SearchQuery).name or "").strip()
    if name:
        path = service_path(name)
        return await _show(request, name) if "?" in path else redirect(request, path)
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    page = _Page(viewer_of(request, caller), "", here.cache.seq, now, here.cache.degraded_since is not None)
    state = (in_force.revision, in_force.freezes_version)
    return html_response(await here.shared.get((page, *state), partial(_list, in_force, page)))


@router.get("/{name:path}")
async def service_page(request: Request, name: str) -> Response:
    """Serve the page of a service; 404 with suggestions for one that the policies don't know."""
    return await _show(request, name)


async def _show(request: Request, name: str) -> Response:
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    page = _Page(viewer_of(request, caller), name, here.cache.seq, now, here.cache.degraded_since is not None)
    if _NAME.fullmatch(name) is None:
        return await _unknown(here, in_force, page)
    try:
        latest = await _latest(here, name)
        state = (in_force.revision, in_force.freezes_version)
        # Of the minute: to read the past takes longer than all the rest, and hardly anything in it changes.
        minute = (page.viewer.root, name, now - now % _MINUTE)
        try:
            past = await here.shared.get((minute, *state), partial(_past, here.gate.past, in_force, page))
        except StoreUnavailableError:
            past = b""
        body = await here.shared.get((page, *state), partial(_render, in_force, page, latest, past.decode()))
    except UnknownNameError:
        return await _unknown(here, in_force, page)
    return html_response(body)


async def _latest(here: Context, name: str) -> list[dict[str, Any]] | None:
    """Return the latest decisions about a service, with the reports on them; None without the store."""
    wanted = DecisionFilter(name, once=True)
    try:
        page = await here.record.decisions(wanted, None, MOST_DECISIONS)
        return (await here.outcomes.with_reports(page)).items
    except StoreUnavailableError:
        return None


async def _unknown(here: Context, in_force: InForce, page: _Page) -> Response:
    """Return the list of services for a name that is not known; as long to render as that of all of them."""
    key = ("unknown", page, in_force.revision, in_force.freezes_version)
    return html_response(await here.shared.get(key, partial(_list, in_force, page)), HTTPStatus.NOT_FOUND)


def _list(in_force: InForce, page: _Page) -> bytes:
    """Render the services by their state; with suggestions, if one was asked for that is not known."""
    known = sorted(in_force.policy_set.services or ())
    return render(
        "services.html",
        page.viewer.root,
        viewer=page.viewer,
        name=page.name,
        seq=page.seq,
        now=page.now,
        home=in_force.home,
        offsets=offsets(in_force.home, page.now),
        total=len(in_force.policy_set.environments),
        known=known,
        listed=services_by_state(
            environment_states(in_force, page.now) if known else [], known[:MOST_LISTED], in_force.home
        ),
        most=MOST_LISTED,
        most_shown=MOST_SHOWN,
        path=service_path,
        alike=alike(in_force, page.name) if page.name else [],
    )


def _past(past: Past, in_force: InForce, page: _Page) -> bytes:
    """Render the ribbon of the last weeks, up to the present minute."""
    home = in_force.home
    first_day = monday_of(home.local(page.now) // DAY) - (_WEEKS - 1) * WEEK
    period = Period(max(home.earliest(first_day * DAY), EARLIEST), page.now)
    found = past.view(in_force, period, page.name)
    pictures = past_pictures(in_force, found, first_day, _WEEKS * WEEK, page.now) if found.lanes else []
    return render(
        "service_past.html",
        page.viewer.root,
        pictures=pictures,
        name=page.name,
        found=found,
        unknown_until=unknown_until(found, period.start),
        home=home,
        now=page.now,
    )


def _coming(
    in_force: InForce, page: _Page, styles: Mapping[str, Style]
) -> tuple[list[Picture], list[tuple[Style, Rule]]]:
    """Return the ribbon of the coming weeks, wide and narrow, and its legend."""
    first_day = in_force.home.local(page.now) // DAY
    days = _WEEKS * WEEK
    start = in_force.home.earliest(first_day * DAY)
    period = Period(start, min(in_force.home.earliest((first_day + days) * DAY), LATEST))
    found = lanes(in_force, period, page.name)
    view = View(first_day, days, in_force.home, page.now, styles)
    legend = [(styles.get(rule.id, OTHERS), rule) for rule in rules_of(found)]
    return [draw_ribbon(found, view, sheet) for sheet in (WIDE_QUARTER, NARROW)], legend


def _render(in_force: InForce, page: _Page, latest: list[dict[str, Any]] | None, past: str) -> bytes:
    found = service(in_force, page.name, page.now)
    styles = rule_styles(in_force.policy_set.policies, in_force.engine.freezes, page.now)
    coming, legend = _coming(in_force, page, styles)
    return render(
        "service.html",
        page.viewer.root,
        viewer=page.viewer,
        seq=page.seq,
        now=page.now,
        home=in_force.home,
        offsets=offsets(in_force.home, page.now),
        service=found,
        policy_set=in_force.policy_set,
        zone=in_force.policy_set.service_zone(page.name),
        frozen=found.frozen,
        opened=found.opened,
        headline=headline(found, degraded=page.degraded),
        sentence=" ".join(state(each.decision, in_force.home) for each in found.states),
        degraded=page.degraded,
        styles=styles,
        coming=coming,
        legend=legend,
        most_coming=MOST_COMING,
        past=Markup(past),  # noqa: S704 - rendered by a template
        decisions=latest,
        alike=[] if found.is_listed else alike(in_force, page.name),
        known=list(in_force.policy_set.services or ()),
        policies=[(each, policy_in_words(each, in_force.home)) for each in found.policies],
        revision=in_force.revision,
        path=service_path,
        **_to_copy(page, list(in_force.policy_set.environments)),
    )


def headline(found: Service, *, degraded: bool) -> str:
    """Return the state in a few words, for the title of the page and the preview of a link to it.

    "checkout: frozen until Mon 08:00 CET" if all environments are frozen, else with the first that is.
    """
    first, others = found.states[0], len(found.states) - 1
    shown = badge(first.decision, doubtful=degraded).message
    if first.decision.allowed or not others:
        return f"{found.name}: {shown}"
    more = len(first.environments) - 1
    where = first.environments[0] + (f" and {more} more" if more else "")
    if not found.opened:
        return f"{found.name}: {shown}"
    return f"{found.name}: {where} {shown}"


def _to_copy(page: _Page, environments: list[str]) -> Mapping[str, Any]:
    """Return the texts to copy, about the first environment of the policies."""
    (environment, *others), base = environments, page.viewer.base
    query = urlencode({"service": page.name, "environment": environment}, safe="/")
    target = f"{page.name} --environment {environment} --server {base}"
    return {
        "environment": environment,
        "others": others,
        "query": query,
        "client": f"freezegate check {target} --claim && ./deploy.sh",
        "curl": f"curl -fsS -H 'Accept: text/plain' '{base}/can-deploy?{query}'",
        "markdown": f"[![deploys]({base}/badge.svg?{query})]({base}{service_path(page.name)})",
        "feed": f"{base}/calendar.ics?{query}",
    }
