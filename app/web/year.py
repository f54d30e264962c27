"""``/dashboard/year``: a whole year of an environment or service, to plan with and to print."""

from datetime import date
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup
from pydantic import BeforeValidator, Field

from app.core.errors import MalformedValueError, UnknownNameError
from app.core.instant import DAY, HOUR
from app.core.notation import format_time_of_day, parse_date
from app.core.wallclock import calendar_date
from app.core.year import FIRST_YEAR, LAST_YEAR, Year, YearDay, YearRequest
from app.core.year.drawing import (
    COLUMN,
    MONTH_HEIGHT,
    MONTHS,
    YearDrawing,
    named_holidays,
)
from app.core.year.words import day_in_words, day_name, period_in_words, short_day, shown_parts
from app.gate.errors import InvalidFieldError, UnauthenticatedError
from app.gate.in_force import InForce
from app.gate.year import year_in_force
from app.identity.caller import Role
from app.server.authentication import authorised
from app.server.context import context
from app.server.requests import NameField, Strict, YearField, read_query
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.query import Blank
from app.web.viewer import Viewer, viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

MOST_LISTED: Final = 60
"""Freezes of a rule that are listed: those of a weekly one, and some more."""

_NOON: Final = 12 * HOUR


def _day(text: object) -> int:
    day = parse_date(str(text))
    if not FIRST_YEAR <= calendar_date(day).year <= LAST_YEAR:
        raise MalformedValueError(f"is a day of {FIRST_YEAR} to {LAST_YEAR}")
    return day


class YearPageQuery(Strict):
    """The query parameters of the page."""

    year: Annotated[YearField | None, Blank] = None
    environment: Annotated[NameField | None, Blank] = None
    service: Annotated[NameField | None, Blank] = None
    change: Annotated[NameField | None, Blank] = None
    day: Annotated[Annotated[int, BeforeValidator(_day)] | None, Blank] = Field(None)


class _Page(NamedTuple):
    """Everything that a rendered page depends on, besides what is in force."""

    viewer: Viewer
    request: YearRequest
    day: int | None
    today: int
    now: int


@router.get("/year")
async def year_page(request: Request) -> Response:
    """Serve a year: its picture, the day that was chosen, its freezes and its holidays."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    query = read_query(request, YearPageQuery)
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    today = in_force.home.local(now) // DAY
    asked = YearRequest(
        query.year or calendar_date(today if query.day is None else query.day).year,
        query.environment or next(iter(in_force.policy_set.environments)),
        query.service,
        query.change or in_force.policy_set.usual_change,
    )
    page = _Page(viewer_of(request, caller), asked, query.day, today, now)
    key = (page._replace(now=0), in_force.revision, in_force.freezes_version)
    try:
        return html_response(await here.shared.get(key, lambda: _render(in_force, page)))
    except (InvalidFieldError, UnknownNameError) as error:
        return html_response(_rendered(in_force, page, why=f"{error.field.capitalize()}: {error}"), 422)


def _render(in_force: InForce, page: _Page) -> bytes:
    shown = year_in_force(in_force, page.request, in_force.home, page.now)
    chosen = next((day for day in shown.days if day.number == page.day), None)
    return _rendered(
        in_force,
        page,
        months=_months(page, shown),
        shown=shown,
        share=shown.seconds / sum(day.seconds for day in shown.days),
        freezes=[_freezes(page, shown, number) for number in range(len(shown.rules))],
        holidays=[(short_day(day), _address(page, day), name) for day, name in named_holidays(shown)],
        chosen=chosen and _chosen(page, shown, chosen),
    )


def _months(page: _Page, shown: Year) -> list[tuple[str, Markup]]:
    """Return the name and the drawing of each month; the drawing escapes the texts of users."""
    drawing = YearDrawing(shown, page.today, lambda day: _address(page, day))
    return [
        (f"{date(page.request.year, number, 1):%B}", Markup(drawing.month(number)))  # noqa: S704
        for number in range(1, MONTHS + 1)
    ]


def _rendered(in_force: InForce, page: _Page, **values: Any) -> bytes:
    year = page.request.year
    return render(
        "year.html",
        page.viewer.root,
        **{
            "viewer": page.viewer,
            "asked": page.request,
            "policy_set": in_force.policy_set,
            "home": in_force.home,
            "why": None,
            "shown": None,
            "beside": [
                (word, _query(page.request._replace(year=other)))
                for word, other in (("Previous", year - 1), ("Next", year + 1))
                if FIRST_YEAR <= other <= LAST_YEAR
            ],
            "query": _query(page.request),
            "size": (COLUMN, MONTH_HEIGHT),
            "as_of": day_name(page.today),
            **values,
        },
    )


def _freezes(page: _Page, shown: Year, number: int) -> dict[str, Any]:
    rule = shown.rules[number]
    return {
        "rule": rule,
        "hours": round(rule.seconds / HOUR),
        "periods": [
            (_address(page, shown.zone.local(period[0]) // DAY), period_in_words(period, shown.zone))
            for period in rule.periods[:MOST_LISTED]
        ],
        "left_out": max(len(rule.periods) - MOST_LISTED, 0),
    }


def _chosen(page: _Page, shown: Year, day: YearDay) -> dict[str, Any]:
    parts = shown_parts(day, shown.zone)
    at = format_time_of_day(parts[0][1] if parts else _NOON)
    fields = {
        "service": page.request.service or "",
        "environment": page.request.environment,
        "change": page.request.change,
        "at": f"{day.date.isoformat()}T{at}",
    }
    return {
        "name": day_name(day.number),
        "in_words": day_in_words(shown, day),
        "week": day.date.isocalendar().week,
        "parts": [
            (shown.rules[rule], f"{format_time_of_day(start)} to {format_time_of_day(end)}")
            for rule, start, end in parts
        ],
        "holidays": day.holidays,
        "ask": f"{page.viewer.root}/?{urlencode(fields)}#ask",
    }


def _address(page: _Page, day: int) -> str:
    query = _query(page.request, day=calendar_date(day).isoformat())
    return f"{page.viewer.root}/dashboard/year?{query}#day"


def _query(asked: YearRequest, **more: str) -> str:
    fields = {"year": str(asked.year), "environment": asked.environment, "change": asked.change}
    if asked.service:
        fields["service"] = asked.service
    return urlencode(fields | more)
