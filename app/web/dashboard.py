"""``/``: the dashboard."""

import shlex
from collections.abc import Mapping
from functools import partial
from math import isqrt
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from app.core.answer import answer
from app.core.decision import Question
from app.core.errors import MalformedValueError, UnknownNameError
from app.core.instant import format_instant, parse_instant
from app.core.notation import format_duration
from app.core.wallclock import Zone
from app.gate.check import check
from app.gate.errors import UnauthenticatedError
from app.gate.in_force import InForce
from app.gate.overview import Moment, overview
from app.identity.caller import Role
from app.server.asking import authorised
from app.server.context import Context, context
from app.server.problems import InvalidFieldsError
from app.server.reading import DurationField, NameField, Strict, read_query
from app.store.records import DecisionFilter
from app.web.pages import PageRoute, page, redirect, rendered
from app.web.picture import DAY_WIDTH, HEIGHT, HOUR_HEIGHT, LEFT, TOP, WIDTH, picture, rule_styles
from app.web.viewer import Viewer, viewer_of
from app.web.wall_time import local_instant

router = APIRouter(include_in_schema=False, route_class=PageRoute)

NOTICES: Final[Mapping[str, str]] = {
    "frozen": "The freeze is on.",
    "extended": "The end of the freeze was moved.",
    "lifted": "The freeze was lifted.",
    "approved": "The override was approved.",
    "revoked": "The override was revoked.",
    "signed-in": "You are signed in.",
    "signed-out": "You are signed out.",
}
"""What a page says after a form was sent; the address carries the word only."""

MOST_PICTURES_ON_A_WALL: Final = 3
"""With more environments, the room is for their cards."""

_COLUMNS: Final[Mapping[int, int]] = {1: 1, 2: 2, 3: 3, 4: 2, **dict.fromkeys(range(5, 10), 3)}


def _blank(value: object) -> object:
    """A field of a form that was left empty is none."""
    return None if value == "" else value


Blank = BeforeValidator(_blank)


class DashboardQuery(Strict):
    """The parameters of the dashboard: two forms and a view."""

    wall: str | None = Field(None, max_length=8)
    done: str | None = Field(None, max_length=32)
    service: Annotated[NameField | None, Blank] = None
    environment: Annotated[NameField | None, Blank] = None
    change: Annotated[NameField | None, Blank] = None
    at: Annotated[str | None, Blank] = Field(None, max_length=40)
    duration: Annotated[DurationField | None, Blank] = None
    of_service: Annotated[NameField | None, Blank] = None
    of_environment: Annotated[NameField | None, Blank] = None
    of_outcome: Annotated[Literal["allow", "warn", "override", "deny"] | None, Blank] = None

    @property
    def wanted(self) -> DecisionFilter:
        """Which decisions are listed."""
        return DecisionFilter(self.of_service, self.of_environment, self.of_outcome)


@router.get("/")
async def dashboard(request: Request) -> Response:
    """Everything at a glance; to whom the settings let see it, or who has signed in."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect("/dashboard/sign-in")
    here = context(request)
    query, errors = _read(request)
    now = here.clock.now()
    viewer = viewer_of(request, caller)
    in_force = here.policies.in_force
    moment = Moment(in_force, here.policies.last_error, here.replica.degraded_since, now)
    asked = (
        viewer, query, tuple(errors), now, in_force.revision, in_force.freezes_version,
        here.replica.seq, moment.last_error and moment.last_error.revision, moment.degraded_since,
    )  # fmt: skip
    body = await here.shared.get(asked, partial(_render, here, moment, query, viewer, errors))
    return page(body, 422 if errors else 200)


def _read(request: Request) -> tuple[DashboardQuery, list[str]]:
    """The query; where something in it is wrong, none, and what is wrong."""
    try:
        return read_query(request, DashboardQuery), []
    except InvalidFieldsError as error:
        return DashboardQuery.model_validate({}), [
            f"{each['field']}: {each['message']}" for each in error.errors or ()
        ]


def _render(here: Context, moment: Moment, query: DashboardQuery, viewer: Viewer, errors: list[str]) -> bytes:
    in_force, now = moment.in_force, moment.now
    shown = overview(here.store.look, moment, query.wanted)
    styles = rule_styles(in_force.policy_set.policies, in_force.engine.freezes, now)
    on_the_wall = query.wall is not None
    drawn = () if on_the_wall and len(shown.weeks) > MOST_PICTURES_ON_A_WALL else shown.weeks
    asked = _asked(in_force, query, now, viewer.base) if query.service else None
    return rendered(
        "wall.html" if on_the_wall else "dashboard.html",
        viewer=viewer,
        notice=NOTICES.get(query.done or ""),
        errors=errors,
        query=query,
        now=now,
        home=in_force.home,
        policy_set=in_force.policy_set,
        asked=asked,
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


class _Asked(NamedTuple):
    """The answer to "Can I deploy?", and how to ask it by oneself."""

    answer: dict[str, Any] | None
    why_not: str | None
    curl: str


def _asked(in_force: InForce, query: DashboardQuery, now: int, base: str) -> _Asked:
    try:
        at = now if query.at is None else _instant(query.at, in_force.home)
        question = Question(
            query.service or "",
            query.environment or in_force.policy_set.environments[0],
            query.change or in_force.policy_set.usual_change,
            query.duration or 0,
        )
        decision = check(in_force, question, at)
    except (MalformedValueError, UnknownNameError) as error:
        return _Asked(None, str(error), "")
    told = answer(decision, in_force.home, in_force.revision)
    return _Asked(told, None, _curl(question, at if query.at else None, base))


def _curl(question: Question, at: int | None, base: str) -> str:
    """The question as a line of shell."""
    fields = {"service": question.service, "environment": question.environment, "change": question.change}
    if question.duration:
        fields["duration"] = format_duration(question.duration)
    if at is not None:
        fields["at"] = format_instant(at)
    url = f"{base}/can-deploy?{urlencode(fields, safe='/:')}"
    return f"curl -fsSL --max-redirs 0 {shlex.quote(url)}"


def _instant(text: str, home: Zone) -> int:
    """An instant with an offset, or the local time that a browser's field gives."""
    return local_instant(text, home) if len(text) <= len("2026-11-27T14:00:00") else parse_instant(text)
