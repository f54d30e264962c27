"""``/dashboard/policies/{id}``: one policy, what it does, and how it came to be."""

import asyncio
from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup
from pydantic import BeforeValidator, Field, StringConstraints

from app.core.backtest import Fate, Recorded
from app.core.diff import in_words
from app.core.diff.period import diff_period
from app.core.diff.picture import picture
from app.core.errors import FreezegateError
from app.core.explain_backtest import effect_in_words
from app.core.instant import DAY, LATEST
from app.core.policy import Effect, Policy
from app.core.policy_facts import ChangedFact
from app.core.rule_style import Style, rule_styles
from app.core.scope import Segment
from app.gate.errors import StoreUnavailableError, UnauthenticatedError, UnknownRecordError
from app.gate.in_force import InForce
from app.gate.job_queue import IsUnwanted
from app.gate.overview import DAYS, MOST_DRAWN, Weeks
from app.gate.policies import history, policy
from app.gate.record import DecisionFilter
from app.gate.revision_diff import RevisionDiff, difference
from app.gate.revisions import PARSED
from app.gate.switch_on import SwitchOn, switch_on
from app.identity.caller import Role
from app.server.authentication import authorised
from app.server.context import Context, context
from app.server.field_errors import HISTORY_CURSOR
from app.server.jobs import run_job
from app.server.requests import Strict, read_query
from app.web.offsets import offsets
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.timeline_svg import DAY_WIDTH, HEIGHT, HOUR_HEIGHT, LEFT, TOP, WIDTH, Timeline, draw_timeline
from app.web.viewer import Viewer, viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

MOST_REVISIONS: Final = 15
"""Revisions of a policy that a page lists."""

MOST_DECISIONS: Final = 10
"""Decisions that a page lists; the API has all of them."""

SEARCH: Final = 3.0
"""Seconds that a page searches the record: a million decisions without a match take about one."""

PERIODS: Final = ("30", "90", "365")
"""Days of the record that a policy may be tested on."""

MOST_EXAMPLES: Final = 5

_WARNS: Final = Style("rule-3", "hatching-1")
"""The look of a policy that only warns; other pictures don't show any."""

FIELD_WORDS: Final[Mapping[str, str]] = {
    "when": "windows",
    "except_when": "exceptions",
    "applies_to": "scope",
    "exempt": "exemptions",
    "timezone": "time zone",
    "notify_before": "notices",
    "running": "running deploys",
    "override": "overrides",
}
"""The words for fields of a policy whose names are not plain enough."""

Revision = Annotated[
    str | None, StringConstraints(max_length=71), BeforeValidator(lambda value: value or None)
]


class PolicyPageQuery(Strict):
    """The query parameters of the page."""

    from_: Revision = Field(None, alias="from")
    to: Revision = None
    cursor: Annotated[str, StringConstraints(pattern=HISTORY_CURSOR)] | None = None
    history: Literal["all"] | None = None
    """Asks for the history of a set that is so large that comparing its revisions takes seconds."""
    days: Literal["30", "90", "365"] | None = None
    """The days of the record on which the policy is tested as one that denies; not tested if left out."""

    @property
    def asks_for_history(self) -> bool:
        """Whether the viewer has asked for the history."""
        return any((self.history, self.cursor, self.from_, self.to))


class ComparedRevisions(NamedTuple):
    """The difference of two revisions, or the reason why there is none."""

    revisions: tuple[str, str] = ("", "")
    """The older and the newer one, in full."""
    lines: tuple[str, ...] = ()
    facts: tuple[ChangedFact, ...] = ()
    others: tuple[str, ...] = ()
    """The other policies that differ between the two sets."""
    drawn: Markup | None = None
    """The hours that open or close as a picture; None without any."""
    error: str | None = None


class Switched(NamedTuple):
    """The effect of the policy if it denied, or the reason why it isn't known."""

    found: SwitchOn | None = None
    sentence: str = ""
    """The deploys that it would have stopped beside the others."""
    lines: tuple[str, ...] = ()
    """The hours that would close."""
    examples: tuple[Recorded, ...] = ()
    """The newest of these deploys."""
    error: str | None = None


class Decided(NamedTuple):
    """The latest decisions that a policy vetoed, or that went out with its warning."""

    latest: list[dict[str, Any]]
    error: str | None = None
    """Why there are none."""


class _Parts(NamedTuple):
    """The parts of the page that are not computed while it is rendered."""

    decided: Decided
    compared: ComparedRevisions | None
    switched: Switched | None


@router.get("/policies/{policy_id}")
async def show_policy(request: Request, policy_id: str) -> Response:
    """Serve the page of a policy; of one that was removed, its history."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    query = read_query(request, PolicyPageQuery)
    here = context(request)
    viewer, in_force, now = viewer_of(request, caller), here.policies.in_force, here.clock.now()
    found = next((each for each in in_force.policy_set.policies if each.id == policy_id), None)
    parts = _Parts(
        await _decided(here, found),
        await _compared(request, policy_id, query),
        await _switched(request, found, query),
    )
    key = ("policy", policy_id, query, _errors(parts), viewer, in_force.revision, here.cache.seq, now)
    body = await here.shared.get(key, partial(_render, here, viewer, policy_id, query, parts))
    return html_response(body)


def _errors(parts: _Parts) -> tuple[object, ...]:
    """Return what may differ between two requests for the same page."""
    return tuple(each and each.error for each in parts)


async def _decided(here: Context, found: Policy | None) -> Decided:
    """Return the latest decisions that are about a policy."""
    if found is None:
        return Decided([])
    wanted = DecisionFilter(policy=found.id, would_deny=found.effect is Effect.WARN, once=True)
    wanted = wanted._replace(never_lifted=found.overridable == "never")
    # Shared: a search reads the whole record if it finds little.
    return await here.shared.join(("decided", wanted, here.cache.seq), partial(_search, here, wanted))


async def _search(here: Context, wanted: DecisionFilter) -> Decided:
    try:
        async with asyncio.timeout(SEARCH):
            return Decided((await here.record.decisions(wanted, None, MOST_DECISIONS)).items)
    except TimeoutError:
        return Decided([], "There are too few of them in a long record to be found in time.")
    except StoreUnavailableError:
        return Decided([], "Not available: the database can't be reached.")


async def _switched(request: Request, found: Policy | None, query: PolicyPageQuery) -> Switched | None:
    """Test a policy that warns as one that denies, if the viewer asks for it."""
    if found is None or found.effect is not Effect.WARN or query.days is None:
        return None
    here, days, policy_id = context(request), int(query.days), found.id
    in_force = here.policies.in_force

    def work(is_unwanted: IsUnwanted) -> Switched:
        result = switch_on(in_force, policy_id, days, here.gate.backtests, here.clock, is_unwanted)
        stopped = result.tested.found.examples.get(Fate.STOPPED, ())
        return Switched(
            result,
            effect_in_words(result.effect),
            tuple(in_words(result.found, in_force.home)),
            tuple(each.recorded for each in stopped if policy_id in each.policies)[:MOST_EXAMPLES],
        )

    try:
        return await run_job(request, work)
    except FreezegateError as error:
        return Switched(error=str(error))


async def _compared(request: Request, policy_id: str, query: PolicyPageQuery) -> ComparedRevisions | None:
    """Compare the revisions that the viewer has picked; None if there are none."""
    if query.from_ is None or query.to is None:
        return None
    here = context(request)
    old, new, period = query.from_, query.to, diff_period(here.clock.now())

    def work(is_unwanted: IsUnwanted) -> ComparedRevisions:
        found = difference(here.gate.revisions, old, new, period, is_unwanted)
        return _comparison(found, policy_id)

    try:
        return await run_job(request, work)
    except FreezegateError as error:
        return ComparedRevisions(error=str(error))


def _comparison(found: RevisionDiff, policy_id: str) -> ComparedRevisions:
    names = {policy_id, *(each.id for each in found.found.policies if each.new_id == policy_id)}
    others = tuple(each.new_id or each.id for each in found.found.policies if each.id not in names)
    lines = in_words(found.found, found.compared.zone)
    revisions = (found.compared.old_revision, found.compared.new_revision)
    # The picture escapes its texts, and has neither styles nor scripts.
    drawn = Markup(picture(found.found, found.compared.zone)) if found.found.differences else None  # noqa: S704
    return ComparedRevisions(revisions, tuple(lines), tuple(found.facts_of(policy_id)), others, drawn)


def _render(here: Context, viewer: Viewer, policy_id: str, query: PolicyPageQuery, parts: _Parts) -> bytes:
    in_force, now = here.policies.in_force, here.clock.now()
    found = next((each for each in in_force.policy_set.policies if each.id == policy_id), None)
    is_waiting = found is not None and not query.asks_for_history and _is_large(in_force)
    listed = None if is_waiting else _history(here, policy_id, query, is_known=found is not None)
    return render(
        "policy.html",
        viewer.root,
        viewer=viewer,
        policy_id=policy_id,
        **_shown(in_force, found, now),
        history=listed,
        is_waiting=is_waiting,
        decided=parts.decided,
        compared=parts.compared,
        switched=parts.switched,
        periods=PERIODS,
        picked=_picked(parts.compared, listed),
        field_words=FIELD_WORDS,
        query=query,
        now=now,
        home=in_force.home,
        offsets=offsets(in_force.home, now),
        drawing={
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "top": TOP,
            "hour": HOUR_HEIGHT,
            "day": DAY_WIDTH,
        },
    )


def _shown(in_force: InForce, found: Policy | None, now: int) -> dict[str, Any]:
    """Return what a page shows of a policy in force."""
    if found is None:
        return {"policy": None}
    return {
        "policy": policy(in_force, found.id, now),
        "picture": _picture(in_force, found, now),
        "style": _styles(in_force, found, now)[found.id],
        "where": in_force.engine.timeline(found.id).zone,
    }


def _is_large(in_force: InForce) -> bool:
    """Return whether it takes seconds to compare the set with the one before."""
    return sum(map(len, in_force.snapshot.policies.values())) > PARSED


def _history(
    here: Context, policy_id: str, query: PolicyPageQuery, *, is_known: bool
) -> dict[str, Any] | None:
    """Return a page of the history; None while the record can't be read.

    Raises:
        UnknownRecordError: there is no such policy, nor was there one.
    """
    try:
        return history(here.policies.in_force, here.gate.revisions, policy_id, query.cursor, MOST_REVISIONS)
    except StoreUnavailableError:
        if not is_known:
            raise UnknownRecordError("there is no policy of that id in force") from None
        return None


def _picked(compared: ComparedRevisions | None, found: dict[str, Any] | None) -> tuple[int, int]:
    """Return the numbers of the listed revisions that the form has picked: those compared, else the newest.

    A revision may be listed twice, where files were put back as they were.
    """
    known = [each["revision"] for each in (found or {}).get("revisions", ())]
    if compared is None:
        return 1, 0
    to = _index(known, compared.revisions[1], 0)
    older = _index(known, compared.revisions[0], to + 1)
    return (_index(known, compared.revisions[0], 0) if older < 0 else older), to


def _index(known: list[str], revision: str, first: int) -> int:
    """Return the number of the first entry with a revision, from one on; -1 without any."""
    return known.index(revision, first) if revision in known[first:] else -1


def _styles(in_force: InForce, found: Policy, now: int) -> dict[str, Style]:
    return {found.id: _WARNS} | rule_styles(in_force.policy_set.policies, (), now)


def _picture(in_force: InForce, found: Policy, now: int) -> Timeline:
    """Draw when the policy holds in the next four weeks; by service zones, that of the set's zone."""
    home = in_force.home
    today = home.local(now) // DAY
    start, end = home.earliest(today * DAY), min(home.earliest((today + DAYS) * DAY), LATEST)
    held = tuple(islice(in_force.engine.timeline(found.id).stretches(start, end), MOST_DRAWN + 1))
    whole = len(held) <= MOST_DRAWN
    segments = tuple(
        Segment(
            start if each.start is None else max(start, each.start),
            end if each.end is None else min(end, each.end),
            1,
            (each,),
            (),
            None,
        )
        for each in (held if whole else ())
    )
    weeks = Weeks(found.title, today, segments, whole)
    return draw_timeline(weeks, _styles(in_force, found, now), home, now)._replace(legend=())
