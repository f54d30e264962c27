"""``/dashboard/past``: when each environment was frozen, by what, and who deployed in spite of it."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from app.core.decision import Rule, in_words, names_of
from app.core.explain import local_time, undirected
from app.core.freeze import Freeze
from app.core.instant import DAY, EARLIEST, HOUR, format_instant
from app.core.interval import Period
from app.core.notation import parse_date
from app.core.policy import Policy
from app.core.rule_style import OTHERS, Style, rule_styles
from app.core.wallclock import calendar_date
from app.gate.calendar_lanes import Run, rules_of
from app.gate.errors import StoreUnavailableError, UnauthenticatedError
from app.gate.in_force import InForce
from app.gate.past import Deploy, Past, PastLane, PastView
from app.identity.caller import Role
from app.server.authentication import authorised
from app.server.context import context
from app.server.requests import NameField, Strict, read_query
from app.web.calendar_svg import (
    NARROW,
    WEEK,
    WIDE_QUARTER,
    Mark,
    Picture,
    View,
    draw_marks,
    draw_ribbon,
    monday_of,
)
from app.web.calendar_words import hours_in_words, period_in_words, run_id
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.query import Blank
from app.web.viewer import Viewer, viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

Length = Literal["week", "month", "quarter"]

WEEKS: Final[dict[Length, int]] = {"week": 1, "month": 5, "quarter": 13}

MOST_LISTED: Final = 60
"""Freezes, or deploys, of an environment that are listed."""


def _day(text: object) -> int:
    return parse_date(str(text))


class PastPageQuery(Strict):
    """The query parameters of the page."""

    view: Length = "month"
    service: Annotated[NameField | None, Blank] = None
    from_: Annotated[Annotated[int, BeforeValidator(_day)] | None, Blank] = Field(None, alias="from")


class _Page(NamedTuple):
    """Everything that a rendered page depends on, besides what is in force."""

    viewer: Viewer
    view: Length
    first_day: int
    service: str | None
    now: int

    def address(self, **changed: str) -> str:
        """Return the query of the same page with other fields."""
        first = calendar_date(self.first_day).isoformat()
        service = {"service": self.service} if self.service else {}
        return urlencode({"view": self.view, **service, "from": first, **changed}, safe="/")


@router.get("/past")
async def past_page(request: Request) -> Response:
    """Serve the ribbon of the past, and the lists of what it shows."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    query = read_query(request, PastPageQuery)
    here = context(request)
    in_force, now = here.policies.in_force, here.clock.now()
    monday = monday_of(in_force.home.local(now) // DAY)
    first_day = monday - (WEEKS[query.view] - 1) * WEEK if query.from_ is None else monday_of(query.from_)
    page = _Page(viewer_of(request, caller), query.view, min(first_day, monday), query.service, now)
    # The past changes slowly, and reading it takes a while: a minute's picture is as good as a second's.
    key = ("past", page._replace(now=now - now % 60), in_force.revision, in_force.freezes_version)
    try:
        body = await here.shared.get(key, partial(_render, here.gate.past, in_force, page))
    except StoreUnavailableError:
        body = _rendered(in_force, page, None)
    return html_response(body)


def _render(past: Past, in_force: InForce, page: _Page) -> bytes:
    home = in_force.home
    start = max(home.earliest(page.first_day * DAY), EARLIEST)
    days = WEEKS[page.view] * WEEK
    end = min(home.earliest((page.first_day + days) * DAY), page.now)
    found = past.view(in_force, Period(start, max(end, start + 1)), page.service)
    return _rendered(in_force, page, found, **_drawn(in_force, page, found, days, start))


def _rendered(in_force: InForce, page: _Page, found: PastView | None, **values: Any) -> bytes:
    home = in_force.home
    return render(
        "past.html",
        page.viewer.root,
        viewer=page.viewer,
        page=page,
        chosen=_chosen(page, monday_of(home.local(page.now) // DAY)),
        now=page.now,
        home=home,
        known=list(in_force.policy_set.services or ()),
        title=_title(page, WEEKS[page.view] * WEEK),
        places=_places(page, home.local(page.now) // DAY),
        most=MOST_LISTED,
        found=found,
        **values,
    )


def _drawn(in_force: InForce, page: _Page, found: PastView, days: int, start: int) -> dict[str, Any]:
    rules = rules_of(each.lane for each in found.lanes)
    styles = _styles(in_force, rules, page.now)
    return {
        "pictures": past_pictures(in_force, found, page.first_day, days, page.now),
        "legend": [(styles.get(rule.id, OTHERS), rule) for rule in _by_title(rules)],
        "lanes": [_listed(lane, number, in_force, page) for number, lane in enumerate(found.lanes)],
        "unknown_until": unknown_until(found, start),
    }


def unknown_until(found: PastView, start: int) -> int | None:
    """Return from when on the policies of a time are known; None if they are from its start, or never."""
    return found.known_since if (found.known_since or start) > start + HOUR else None


def past_pictures(
    in_force: InForce, found: PastView, first_day: int, days: int, now: int
) -> list[tuple[Picture, tuple[Mark, ...]]]:
    """Return the ribbon of a past, wide and narrow, each with the marks of its deploys."""
    lanes = [each.lane for each in found.lanes]
    view = View(first_day, days, in_force.home, now, _styles(in_force, rules_of(lanes), now))
    deploys = [[_mark(each, in_force, now) for each in lane.deploys] for lane in found.lanes]
    # Without the veil over what is over: all of it is.
    drawn = [draw_ribbon(lanes, view, sheet)._replace(past=()) for sheet in (WIDE_QUARTER, NARROW)]
    return [(picture, draw_marks(picture, view, deploys)) for picture in drawn]


def _styles(in_force: InForce, rules: Iterable[Rule], now: int) -> dict[str, Style]:
    """Return the styles of the rules in force, and of those that were."""
    shown = list(rules)
    of_then = [each for each in shown if isinstance(each, Policy)]
    policies = {each.id: each for each in (*in_force.policy_set.policies, *of_then)}
    return rule_styles(list(policies.values()), [each for each in shown if isinstance(each, Freeze)], now)


def _by_title(rules: Iterable[Rule]) -> list[Rule]:
    """Return the first rule of each title: of incidents with the same one, a legend needs one."""
    return list({(each.kind, each.title): each for each in reversed(list(rules))}.values())[::-1]


def _mark(each: Deploy, in_force: InForce, now: int) -> tuple[int, str, bool]:
    how = "by override" if each.overridden else "exempt"
    result = f", {each.result}" if each.result else ""
    service = in_words(names_of(each.service))
    words = f"{service} → {each.environment}, {how}{result}, {local_time(each.at, in_force.home, now)}"
    return each.at, undirected(words), each.overridden


def _listed(lane: PastLane, number: int, in_force: InForce, page: _Page) -> dict[str, Any]:
    return {
        "lane": lane.lane,
        "share": sum(run.end - run.start for run in lane.lane.runs),
        "entries": [_entry(run, number, lane, in_force, page) for run in reversed(lane.lane.runs)],
        "deploys": [
            {
                "at": format_instant(each.at),
                "service": in_words(names_of(each.service)),
                "environment": each.environment,
                "change": each.change,
                "overridden": each.overridden,
                "result": each.result,
                "query": _decisions_at(each.environment, each.at, each.at),
            }
            for each in reversed(lane.deploys)
        ],
    }


def _entry(run: Run, number: int, lane: PastLane, in_force: InForce, page: _Page) -> dict[str, Any]:
    service = {"service": page.service} if page.service else {}
    return {
        "id": run_id(number, run.start),
        "when": period_in_words(run.start, run.end, in_force.home, page.now),
        "length": hours_in_words(run.end - run.start),
        "rules": [stretch.rule for stretch in run.rules],
        "deploys": sum(run.start <= each.at < run.end for each in lane.deploys),
        "query": urlencode(
            {
                **service,
                "environment": lane.lane.environments[0],
                "from": format_instant(run.start),
                "to": format_instant(run.end),
            }
        ),
    }


def _decisions_at(environment: str, first: int, last: int) -> str:
    fields = {"environment": environment, "from": format_instant(first), "to": format_instant(last + 1)}
    return urlencode(fields)


def _title(page: _Page, days: int) -> str:
    first, last = calendar_date(page.first_day), calendar_date(page.first_day + days - 1)
    years = f" {first.year}" if first.year != last.year else ""
    return f"{first.day} {first:%b}{years} to {last.day} {last:%b} {last.year}"


def _chosen(page: _Page, present: int) -> str:
    """Return the first day as a date, for the field; empty where the page ends with the present week."""
    latest = present - (WEEKS[page.view] - 1) * WEEK
    return "" if page.first_day == latest else calendar_date(page.first_day).isoformat()


def _places(page: _Page, today: int) -> dict[str, str]:
    """Return the queries of the pages beside this one, and of the other lengths of time, by name."""
    days = WEEKS[page.view] * WEEK
    places = {
        "earlier": page.address(**{"from": calendar_date(page.first_day - days).isoformat()}),
        "today": page.address(**{"from": ""}),
    }
    if page.first_day + days <= today:
        places["later"] = page.address(**{"from": calendar_date(page.first_day + days).isoformat()})
    last = page.first_day + days
    for view, weeks in WEEKS.items():
        first = calendar_date(last - weeks * WEEK).isoformat()
        places[view] = page.address(view=view, **{"from": first})
    return places
