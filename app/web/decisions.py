"""``/dashboard/decisions``: the record of decisions, filtered and page by page, and each one by itself."""

from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field, StringConstraints

from app.core.errors import MalformedValueError
from app.core.instant import DAY, format_instant, parse_instant
from app.core.notation import parse_date
from app.core.wallclock import Zone
from app.gate.errors import StoreUnavailableError, UnauthenticatedError
from app.gate.record import DecisionFilter, Page, with_override_of
from app.identity.caller import Role
from app.server.authentication import authorised
from app.server.context import Context, context
from app.server.field_errors import CURSOR
from app.server.requests import NameField, Note, RuleIdField, Strict, place, read_query, record_id
from app.web.local_time import local_instant
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.query import Blank
from app.web.service import service_path
from app.web.viewer import viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

A_PAGE: Final = 50
OUTCOMES: Final = ("allow", "warn", "override", "deny")
_LOCAL: Final = len("2026-11-27T14:00:00")
_DATE: Final = len("2026-11-27")


class DecisionsPageQuery(Strict):
    """The query parameters of the page."""

    service: Annotated[NameField | None, Blank] = None
    environment: Annotated[NameField | None, Blank] = None
    outcome: Annotated[Literal["allow", "warn", "override", "deny"] | None, Blank] = None
    actor: Annotated[Note | None, Blank] = None
    policy: Annotated[RuleIdField | None, Blank] = None
    from_: Annotated[str | None, Blank] = Field(None, alias="from", max_length=40)
    to: Annotated[str | None, Blank] = Field(None, max_length=40)
    cursor: Annotated[Annotated[str, StringConstraints(pattern=CURSOR)] | None, Blank] = None


class _Asked(NamedTuple):
    """The filter of a page, in three forms."""

    wanted: DecisionFilter
    """The filter for the store."""
    query: str
    """The filter as the API takes it, for the links to exports and to the next page."""
    given: dict[str, str]
    """The filter as the form shows it."""


@router.get("/decisions")
async def decisions_page(request: Request) -> Response:
    """Serve a page of decisions that match the filter, newest first."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    query = read_query(request, DecisionsPageQuery)
    here = context(request)
    in_force = here.policies.in_force
    asked, why = _asked(query, in_force.home)
    wanted = with_override_of(asked.wanted, in_force.policy_set)
    viewer = viewer_of(request, caller)
    page = None if why else await _page(here, wanted, place(query.cursor))
    body = render(
        "decisions.html",
        viewer.root,
        viewer=viewer,
        now=here.clock.now(),
        home=in_force.home,
        policy_set=in_force.policy_set,
        outcomes=OUTCOMES,
        given=asked.given,
        why=why,
        page=page,
        query=asked.query,
        further=page and page.next and urlencode({**_fields(asked), "cursor": page.next}),
        later=query.cursor is not None,
        pruned=page and _pruned(page, wanted),
    )
    return html_response(body, 422 if why else 200)


@router.get("/decisions/{decision_id}")
async def decision_page(request: Request, decision_id: str) -> Response:
    """Serve one decision: the whole answer, who asked, and how the deploy went."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    read_query(request, Strict)
    here = context(request)
    found = await here.outcomes.decision(record_id(decision_id, "dec", "decision"))
    viewer = viewer_of(request, caller)
    known = {each.id for each in here.policies.in_force.policy_set.policies}
    body = render(
        "decision.html",
        viewer.root,
        viewer=viewer,
        now=here.clock.now(),
        home=here.policies.in_force.home,
        each=found,
        known=known,
        path=service_path,
        names=found.get("services") or [found["service"]],
    )
    return html_response(body)


async def _page(here: Context, wanted: DecisionFilter, before: int | None) -> Page | None:
    """Return a page with the reports on each deploy; None without the store."""
    try:
        page = await here.record.decisions(wanted, before, A_PAGE)
        return await here.outcomes.with_reports(page)
    except StoreUnavailableError:
        return None


def _pruned(page: Page, wanted: DecisionFilter) -> int | None:
    """Return up to when decisions were pruned, on the last page of a time that begins before that."""
    if page.next is not None or page.since is None:
        return None
    since = parse_instant(page.since)
    return since if wanted.start is None or wanted.start < since else None


def _asked(query: DecisionsPageQuery, home: Zone) -> tuple[_Asked, str | None]:
    """Return what is asked for, and what is wrong with its times."""
    given = {name: text or "" for name, text in query.model_dump(by_alias=True, exclude={"cursor"}).items()}
    try:
        bounds = {name: _bound(given, name, home) for name in ("from", "to")}
    except MalformedValueError as error:
        return _Asked(DecisionFilter(), "", given), str(error)
    wanted = DecisionFilter(
        query.service,
        query.environment,
        query.outcome,
        query.actor,
        bounds["from"],
        bounds["to"],
        query.policy,
    )
    exact = given | {name: format_instant(at) for name, at in bounds.items() if at is not None}
    return _Asked(wanted, urlencode({name: text for name, text in exact.items() if text}), given), None


def _bound(given: dict[str, str], name: str, home: Zone) -> int | None:
    """Return the instant of a field; None if it is empty.

    Raises:
        MalformedValueError: the text is no time.
    """
    if not given[name]:
        return None
    try:
        return _instant(given[name], home, DAY if name == "to" else 0)
    except MalformedValueError as error:
        raise MalformedValueError(f"{name.capitalize()}: {error}") from None


def _instant(text: str, home: Zone, after_day: int) -> int:
    """Parse an instant with an offset, the local time of a browser's field, or a day.

    Args:
        text: the field.
        home: the zone of local times.
        after_day: what to add to the midnight of a day: a filter "to" a day includes it.

    Raises:
        MalformedValueError: it is none of these.
    """
    if len(text) <= _DATE:
        return home.earliest(parse_date(text) * DAY + after_day)
    if len(text) <= _LOCAL:
        return local_instant(text, home)
    return parse_instant(text)


def _fields(asked: _Asked) -> dict[str, Any]:
    return {name: text for name, text in asked.given.items() if text}
