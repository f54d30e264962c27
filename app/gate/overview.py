"""The data of the dashboard at one instant."""

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.core.freeze import Freeze
from app.core.instant import DAY, LATEST
from app.core.scope import Segment
from app.core.wallclock import Zone
from app.gate.calendar_state import CalendarState
from app.gate.errors import StoreUnavailableError
from app.gate.freezes import lifted_lately
from app.gate.freezes import to_json as freeze_to_json
from app.gate.in_force import InForce, LoadFailure
from app.gate.overrides import to_json as override_to_json
from app.gate.policies import policies
from app.gate.record import RunQuery, decisions
from app.gate.service_state import EnvironmentState, environment_states
from app.gate.status import status
from app.gate.waiting_deploys import WaitingDeploys, waiting_deploys
from app.store.records import DecisionFilter

if TYPE_CHECKING:
    from app.store.view import View

DAYS: Final = 29
"""Days that are drawn: today and four weeks more, which covers all upcoming freezes at any time of day."""

MOST_DECISIONS: Final = 25
MOST_DRAWN: Final = 4_000
"""Segments of an environment; a policy of every minute would make a page of many megabytes."""

MOST_OVERRIDES: Final = 50


class GateState(NamedTuple):
    """The state of a gate that the overview depends on."""

    in_force: InForce
    last_error: LoadFailure | None
    degraded_since: int | None
    now: int
    calendars: Sequence[CalendarState] = ()


class Weeks(NamedTuple):
    """The blocked segments of an environment, from last midnight for four weeks and the rest of today."""

    environment: str
    first_day: int
    segments: tuple[Segment, ...]
    whole: bool
    """False if there are too many segments to be drawn; then `segments` is empty."""


class Overview(NamedTuple):
    """The contents of the dashboard."""

    status: dict[str, Any]
    states: list[EnvironmentState]
    """The environments with the services that differ: all of them, by groups that have the same decision."""
    then: dict[str, int | None]
    """The instant of the change after the next one, by environment."""
    policies: list[dict[str, Any]]
    freezes: list[dict[str, Any]]
    """The ad-hoc freezes that are active or scheduled."""
    lifted: list[dict[str, Any]]
    """The freezes that were lifted lately, before their planned end; empty if the store can't be read."""
    overrides: list[dict[str, Any]] | None
    """The usable ones; None if the store can't be read."""
    zones: dict[str, Zone]
    """The time zones that bounds are displayed in: by the id of a policy, and by their own names."""
    decisions: list[dict[str, Any]] | None
    """The latest ones that match the filter; None if the store can't be read."""
    waiting: list[WaitingDeploys] | None
    """The deploys that wait, by environment; None if the store can't be read."""


class _Stored(NamedTuple):
    """The part of it that is in the store; None if that can't be read."""

    overrides: list[dict[str, Any]] | None
    lifted: list[Freeze]
    latest: list[dict[str, Any]] | None
    waiting: list[WaitingDeploys] | None


def overview(query: RunQuery, moment: GateState, wanted: DecisionFilter) -> Overview:
    """Return the overview; `query` reads the store, and without it decisions and overrides are None."""
    in_force, now = moment.in_force, moment.now

    def stored(view: "View") -> _Stored:
        usable = view.newest_overrides(now, None, MOST_OVERRIDES)
        latest = decisions(view, wanted, None, MOST_DECISIONS).items
        overrides = [override_to_json(each, now, in_force) for each in usable]
        lifted = lifted_lately(view.newest_freezes(None, MOST_OVERRIDES), now)
        return _Stored(overrides, lifted, latest, waiting_deploys(view, in_force, now))

    try:
        found = query(stored)
    except StoreUnavailableError:
        found = _Stored(None, [], None, None)
    names = in_force.policy_set.environments
    states = environment_states(in_force, now)
    return Overview(
        status(in_force, moment.last_error, moment.degraded_since, now, now, moment.calendars, states=states),
        states,
        {name: _then(in_force, name, now) for name in names},
        policies(in_force, now)["policies"],
        [freeze_to_json(each, now) for each in in_force.engine.freezes if each.stands(now)],
        [freeze_to_json(each, now) for each in found.lifted],
        found.overrides,
        _zones(in_force),
        found.latest,
        found.waiting,
    )


def _zones(in_force: InForce) -> dict[str, Zone]:
    engine, ids = in_force.engine, [each.id for each in in_force.policy_set.policies]
    read_in = {line.zone.name: line.zone for own_id in ids for line in engine.timelines(own_id)}
    return read_in | {own_id: engine.timeline(own_id).zone for own_id in ids}


def _then(in_force: InForce, environment: str, now: int) -> int | None:
    """Return the instant of the change after the next one."""
    decide = in_force.engine.decide_environment
    flips_at = decide(environment, now).flips_at
    return None if flips_at is None else decide(environment, flips_at).flips_at


def weeks(in_force: InForce, environment: str, now: int) -> Weeks:
    """Return the segments of an environment in the weeks that are drawn."""
    home = in_force.home
    today = home.local(now) // DAY
    start, end = home.earliest(today * DAY), min(home.earliest((today + DAYS) * DAY), LATEST)
    found = in_force.engine.environment(environment).segments(start, end)
    segments = tuple(islice(found, MOST_DRAWN + 1))
    whole = len(segments) <= MOST_DRAWN
    return Weeks(environment, today, segments if whole else (), whole)
