"""``/dashboard/calendar``: the freezes of every environment, or of one service, by weeks or by a quarter."""

from collections.abc import Iterator, Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from app.core.errors import OutOfRangeError, UnknownNameError
from app.core.explain import scope_in_words
from app.core.instant import DAY, EARLIEST, LATEST
from app.core.interval import Period
from app.core.notation import parse_date
from app.core.policy import SERVICE_ZONE
from app.core.rule_style import OTHERS, rule_styles
from app.core.wallclock import Zone, calendar_date, zone
from app.gate.calendar_lanes import Lane, lanes, rules_of
from app.gate.errors import UnauthenticatedError
from app.gate.in_force import InForce
from app.identity.caller import Role
from app.server.authentication import authorised
from app.server.context import context
from app.server.requests import NameField, Strict, read_query
from app.web.calendar_alike import differences
from app.web.calendar_svg import (
    NARROW,
    WEEK,
    WIDE,
    WIDE_QUARTER,
    View,
    draw_ribbon,
    draw_weeks,
    monday_of,
)
from app.web.calendar_words import hours_in_words, period_in_words, run_id, scoped_id
from app.web.offsets import offsets
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.query import Blank
from app.web.viewer import Viewer, viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

Length = Literal["weeks", "quarter"]

WEEKS: Final[dict[Length, int]] = {"weeks": 5, "quarter": 14}
"""The weeks that a view shows: those of four weeks, or of a quarter, that begin in the middle of one."""

STEP: Final[dict[Length, int]] = {"weeks": 4, "quarter": 13}
"""The weeks from one page of a view to the next."""

MOST_LISTED: Final = 60
"""Freezes of an environment that are listed: those of every night of two months."""


def _zone(text: object) -> Zone:
    return zone(str(text))


def _day(text: object) -> int:
    return parse_date(str(text))


class CalendarPageQuery(Strict):
    """The query parameters of the page."""

    view: Length = "weeks"
    from_: Annotated[Annotated[int, BeforeValidator(_day)] | None, Blank] = Field(None, alias="from")
    service: Annotated[NameField | None, Blank] = None
    environment: Annotated[NameField | None, Blank] = None
    zone: Annotated[Annotated[Any, BeforeValidator(_zone)] | None, Blank] = None


class _Page(NamedTuple):
    """Everything that a rendered page depends on, besides what is in force."""

    viewer: Viewer
    view: Length
    first_day: int
    service: str | None
    environment: str | None
    where: Zone
    now: int
    seq: int

    @property
    def period(self) -> Period:
        start = max(self.where.earliest(self.first_day * DAY), EARLIEST)
        end = self.where.earliest((self.first_day + WEEKS[self.view] * WEEK) * DAY)
        return Period(start, min(end, LATEST))

    @property
    def chosen(self) -> str:
        """The first day as a date, for the field; empty where that is the present week."""
        present = monday_of(self.where.local(self.now) // DAY)
        return "" if self.first_day == present else calendar_date(self.first_day).isoformat()

    def address(self, **changed: str) -> str:
        """Return the query of the same page with other fields."""
        fields = {
            "view": self.view,
            "from": calendar_date(self.first_day).isoformat(),
            "service": self.service or "",
            "environment": self.environment or "",
            "zone": self.where.name,
            **changed,
        }
        return urlencode({name: value for name, value in fields.items() if value}, safe="/")


@router.get("/calendar")
async def calendar_page(request: Request) -> Response:
    """Serve the calendar: a picture and a list for each environment, or several that are alike."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    query = read_query(request, CalendarPageQuery)
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    where = query.zone or in_force.home
    day = where.local(now) // DAY if query.from_ is None else query.from_
    page = _Page(
        viewer_of(request, caller),
        query.view,
        monday_of(day),
        query.service,
        query.environment,
        where,
        now,
        here.cache.seq,
    )
    key = (page, in_force.revision, in_force.freezes_version)
    try:
        return html_response(await here.shared.get(key, partial(_render, in_force, page)))
    except (UnknownNameError, OutOfRangeError) as error:
        why = f"Service: {error}" if isinstance(error, UnknownNameError) else f"From: {error}"
        body = _rendered(in_force, page, [], why=why)
        return html_response(body, HTTPStatus.UNPROCESSABLE_ENTITY)


def _render(in_force: InForce, page: _Page) -> bytes:
    found = lanes(in_force, page.period, page.service)
    if page.environment is not None:
        found = [each for each in found if page.environment in each.environments]
    return _rendered(in_force, page, found)


def _rendered(in_force: InForce, page: _Page, found: list[Lane], **values: Any) -> bytes:
    styles = rule_styles(in_force.policy_set.policies, in_force.engine.freezes, page.now)
    weeks = WEEKS[page.view]
    wide = WIDE if page.view == "weeks" else WIDE_QUARTER

    view = View(page.first_day, weeks * WEEK, page.where, page.now, styles)
    pictures = [
        (lane, [draw_weeks(lane, view, sheet, number) for sheet in (wide, NARROW)])
        for number, lane in enumerate(found)
    ]
    overview = [draw_ribbon(found, view, sheet) for sheet in (WIDE_QUARTER, NARROW)]
    return render(
        "calendar.html",
        page.viewer.root,
        **{
            "viewer": page.viewer,
            "page": page,
            "now": page.now,
            "seq": page.seq,
            "home": in_force.home,
            "offsets": offsets(in_force.home, page.now),
            "policy_set": in_force.policy_set,
            "zones": _zones(in_force, page.where),
            "title": _title(page),
            "lanes": [
                (lane, drawn, _entries(lane, number, page)) for number, (lane, drawn) in enumerate(pictures)
            ],
            "differences": differences(found, page.period, page.where, page.now),
            "overview": overview if len(found) > 1 else None,
            "legend": [(styles.get(rule.id, OTHERS), rule) for rule in rules_of(found)],
            "places": dict(_places(page)),
            "most": MOST_LISTED,
            "why": None,
            **values,
        },
    )


def _title(page: _Page) -> str:
    first = calendar_date(page.first_day)
    last = calendar_date(page.first_day + WEEKS[page.view] * WEEK - 1)
    years = f" {first.year}" if first.year != last.year else ""
    return f"{first.day} {first:%b}{years} to {last.day} {last:%b} {last.year}"


def _places(page: _Page) -> Iterator[tuple[str, str]]:
    """Yield the queries of the pages beside this one, by name."""
    step = STEP[page.view] * WEEK
    for name, day in (("previous", page.first_day - step), ("next", page.first_day + step)):
        if EARLIEST // DAY <= day <= LATEST // DAY - step:
            yield name, page.address(**{"from": calendar_date(day).isoformat()})
    yield "today", page.address(**{"from": ""})
    yield "weeks", page.address(view="weeks")
    yield "quarter", page.address(view="quarter")


def _zones(in_force: InForce, chosen: Zone) -> Sequence[str]:
    """Return the zones to choose from: the gate's, those of services and policies, and the chosen one."""
    policy_set = in_force.policy_set
    named = {each.timezone for each in policy_set.policies if each.timezone not in (None, SERVICE_ZONE)}
    names = [*policy_set.service_zones, *sorted(str(each) for each in named), chosen.name]
    return list(dict.fromkeys(names))


def _entries(lane: Lane, number: int, page: _Page) -> list[dict[str, Any]]:
    """Return the entries of the list of a lane, in the order of their starts."""
    where, now = page.where, page.now
    runs = [
        {
            "id": run_id(number, run.start),
            "start": run.start,
            "when": period_in_words(run.start, run.end, where, now),
            "length": hours_in_words(run.end - run.start),
            "rules": [stretch.rule for stretch in run.rules],
            "only": None,
            "over": run.end <= now,
        }
        for run in lane.runs
    ]
    scoped = [
        {
            "id": scoped_id(number, each),
            "start": each.start,
            "when": period_in_words(each.start, each.end, where, now),
            "length": hours_in_words(each.end - each.start),
            "rules": [each.stretch.rule],
            "only": scope_in_words(each.applies_to),
            "over": each.end <= now,
        }
        for each in lane.scoped
    ]
    return sorted([*runs, *scoped], key=lambda each: int(each["start"]))
