"""``/dashboard/insights``: evidence of whether the rules earn their keep."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BeforeValidator

from app.core.comparison import ENOUGH
from app.core.counted import counted
from app.core.instant import DAY, EARLIEST
from app.core.record_period import until
from app.gate.errors import UnauthenticatedError
from app.gate.insights import InsightsRequest
from app.identity.caller import Role
from app.server.authentication import authorised
from app.server.context import context
from app.server.disconnect import cancel_on_disconnect
from app.server.requests import NameField, Strict, read_query
from app.server.root_path import root_of
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.viewer import viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)


class Map(NamedTuple):
    """The measures of a heat map; each place comes in both, and shows the one that fits."""

    size: str
    """``wide``, with the hours across, or ``narrow``, with the days across."""
    across: int
    """The width of a cell."""
    down: int
    left: int
    top: int

    def x(self, cell: "Cell") -> int:
        """Return the left edge of a cell."""
        return self.left + self.across * (cell.hour if self.size == "wide" else cell.day)

    def y(self, cell: "Cell") -> int:
        """Return the top of a cell."""
        return self.top + self.down * (cell.day if self.size == "wide" else cell.hour)


MAPS: Final = (Map("wide", 30, 30, 42, 18), Map("narrow", 43, 21, 42, 18))
_FAINTEST: Final = 0.12

Measure = Literal["failures", "deploys", "denials", "overrides"]
MEASURES: Final[dict[Measure, str]] = {
    "failures": "change-failure rate",
    "deploys": "deploys",
    "denials": "denials",
    "overrides": "overrides",
}


class InsightsPageQuery(Strict):
    """The query parameters of the page."""

    days: Literal["30", "90", "365"] = "90"
    show: Measure = "failures"
    environment: Annotated[NameField | None, BeforeValidator(lambda value: value or None)] = None
    service: Annotated[NameField | None, BeforeValidator(lambda value: value or None)] = None
    change: Annotated[NameField | None, BeforeValidator(lambda value: value or None)] = None


class Cell(NamedTuple):
    """An hour of the week in the heat map."""

    day: int
    """0 is Monday."""
    hour: int
    strength: float
    """The opacity of the colour, from 0 to 1."""
    text: str
    label: str
    verdict: str


@router.get("/insights")
async def insights(request: Request) -> Response:
    """Serve deploys, denials, overrides and failures by hour of the week and by policy."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    query = read_query(request, InsightsPageQuery)
    here = context(request)
    now = here.clock.now()
    in_force = here.policies.in_force
    end = until(now)
    wanted = InsightsRequest(
        max(EARLIEST, end - int(query.days) * DAY), end, query.service, query.environment, query.change
    )
    found = await cancel_on_disconnect(request, here.measurement.insights(in_force, wanted))
    return html_response(
        render(
            "insights.html",
            root_of(request),
            viewer=viewer_of(request, caller),
            query=query,
            measures=MEASURES,
            found=found,
            cells=list(_cells(found["hours"], query.show)),
            most=_most(found["hours"], query.show),
            maps=MAPS,
            environments=list(in_force.policy_set.environments),
            changes=in_force.policy_set.changes,
            now=now,
            home=in_force.home,
        )
    )


def _cells(hours: list[dict[str, Any]], show: Measure) -> Iterator[Cell]:
    most = _most(hours, show) or 1
    for number, each in enumerate(hours):
        amount = _amount(each, show)
        day, hour = divmod(number, 24)
        yield Cell(
            day,
            hour,
            round(_FAINTEST + (1 - _FAINTEST) * amount / most, 3) if amount else 0,
            _text(each, amount, show),
            f"{each['weekday'].capitalize()} {hour:02}:00: {_counts(each)}. {each['in_words']}",
            each["verdict"],
        )


def _counts(each: dict[str, Any]) -> str:
    return ", ".join(counted(each[f"{noun}s"], noun) for noun in ("deploy", "denial", "override"))


def _most(hours: list[dict[str, Any]], show: Measure) -> float:
    """Return the amount of the hour that is drawn the strongest; 0 if none is."""
    return max((_amount(each, show) or 0 for each in hours), default=0)


def _amount(each: dict[str, Any], show: Measure) -> float | None:
    """Return the amount of an hour to show, or None."""
    if _is_too_few(each, show):
        return None
    found: float | None = each["rate"] if show == "failures" else each[show]
    return found


def _is_too_few(each: dict[str, Any], show: Measure) -> bool:
    """Return whether there are too few reports for a rate; then the counts are shown without colour."""
    return show == "failures" and each["reported"] < ENOUGH


def _text(each: dict[str, Any], amount: float | None, show: Measure) -> str:
    if _is_too_few(each, show):
        return f"{each['failed']}/{each['reported']}" if each["reported"] else ""
    if not amount and show != "failures":
        return ""
    return f"{amount:.0%}" if show == "failures" else f"{amount:.0f}"
