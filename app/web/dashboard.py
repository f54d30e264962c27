"""``/``: the dashboard."""

import shlex
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from app.core.answer import answer
from app.core.decision import Question
from app.core.errors import MalformedValueError
from app.core.instant import format_instant, parse_instant
from app.core.notation import format_duration
from app.core.wallclock import Zone
from app.gate.check import check
from app.gate.errors import UnauthenticatedError
from app.gate.in_force import InForce
from app.gate.overview import Moment, overview
from app.identity.caller import Caller, Role
from app.identity.credentials import form_proof
from app.server.asking import SESSION_COOKIE, authorised
from app.server.context import Context, context
from app.server.problems import InvalidFieldsError, RefusedError, problem_for
from app.server.reading import DurationField, NameField, Strict, read_query
from app.store.records import DecisionFilter
from app.web.notices import notice, said
from app.web.pages import PageRoute, page, redirect, rendered
from app.web.picture import DAY_WIDTH, HEIGHT, HOUR_HEIGHT, LEFT, TOP, WIDTH, picture, rule_styles
from app.web.wall_time import local_instant

router = APIRouter(include_in_schema=False, route_class=PageRoute)


def _blank(value: object) -> object:
    """A field of a form that was left empty is none."""
    return None if value == "" else value


Blank = BeforeValidator(_blank)


class DashboardQuery(Strict):
    """The parameters of the dashboard: two forms and a view."""

    wall: str | None = Field(None, max_length=8)
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


class _Viewer(NamedTuple):
    """Who looks, and from where."""

    name: str
    role: Role | None
    proof: str
    base: str
    """The address of this gate as the viewer knows it."""

    @property
    def is_ops(self) -> bool:
        return self.role is not None and self.role.covers(Role.OPS)


@router.get("/")
async def dashboard(request: Request) -> Response:
    """Everything at a glance; to whom the settings let see it, or who has signed in."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect("/dashboard/sign-in")
    here = context(request)
    query, errors = _read(request)
    told = notice(request)
    if told and caller.session_id is not None:
        # Another replica may have done it, and it is half a second before this one looks by itself.
        await here.replica.refresh()
    now = here.clock.now()
    viewer = viewer_of(request, caller)
    in_force = here.policies.in_force
    moment = Moment(in_force, here.policies.last_error, here.replica.degraded_since, now)
    asked = (
        viewer, told, query, tuple(errors), now, in_force.revision, in_force.freezes_version,
        here.replica.seq, moment.last_error and moment.last_error.revision, moment.degraded_since,
    )  # fmt: skip
    body = await here.shared.get(asked, partial(_render, here, moment, query, viewer, told, errors))
    reply = page(body, 422 if errors else 200)
    said(request, reply)
    return reply


def viewer_of(request: Request, caller: Caller) -> _Viewer:
    """Who looks at a page."""
    proof = "" if caller.session_id is None else form_proof(request.cookies[SESSION_COOKIE])
    name = "" if caller.session_id is None else caller.name
    return _Viewer(name, caller.role if name else None, proof, str(request.base_url).rstrip("/"))


def _read(request: Request) -> tuple[DashboardQuery, list[str]]:
    """The query; where something in it is wrong, none, and what is wrong."""
    try:
        return read_query(request, DashboardQuery), []
    except InvalidFieldsError as error:
        return DashboardQuery.model_validate({}), [
            f"{each['field']}: {each['message']}" for each in error.errors or ()
        ]


def _render(
    here: Context,
    moment: Moment,
    query: DashboardQuery,
    viewer: _Viewer,
    told: str | None,
    errors: list[str],
) -> bytes:
    in_force, now = moment.in_force, moment.now
    shown = overview(here.store.look, moment, query.wanted)
    styles = rule_styles(in_force.policy_set.policies)
    asked = _asked(in_force, query, now, viewer.base) if query.service else None
    return rendered(
        "wall.html" if query.wall is not None else "dashboard.html",
        viewer=viewer,
        notice=told,
        errors=errors,
        query=query,
        now=now,
        home=in_force.home,
        policy_set=in_force.policy_set,
        asked=asked,
        shown=shown,
        pictures=[picture(weeks, styles, in_force.home, now) for weeks in shown.weeks],
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
    except (RefusedError, MalformedValueError) as error:
        return _Asked(None, str(error), "")
    except Exception as error:
        refused = problem_for(error)
        if refused.status_code != 422:  # noqa: PLR2004 - a name or an instant that the policies do not know
            raise
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
