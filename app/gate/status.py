"""The state of the environments, the freezes and the gate at an instant, as a JSON object."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from app.core.decision import Stretch
from app.core.decision_json import entry, instant_or_none
from app.core.explain import state
from app.core.freeze import FreezeState
from app.core.instant import DAY, LATEST, format_instant, in_range
from app.core.notation import waiting_time
from app.gate import calendar_state
from app.gate.calendar_state import CalendarState
from app.gate.in_force import InForce, LoadFailure
from app.gate.policy_windows import policy_freezes, selectors_json
from app.gate.service_state import EnvironmentState, environment_state, environment_states
from app.gate.services_page import ServicesPage, state_json
from app.gate.versions import holidays_version, tzdata_version
from app.policies.removal import in_words

UPCOMING: Final = 28 * DAY
"""Seconds ahead that freezes are listed for."""


class Asked(NamedTuple):
    """The part of the state that is asked for."""

    environment: str | None = None
    """The only environment; None for all."""
    cursor: str | None = None
    """The service that the page before ended with; None for the first page."""


_EVERYTHING: Final = Asked()


def status(
    in_force: InForce,
    last_error: LoadFailure | None,
    degraded_since: int | None,
    at: int,
    now: int,
    calendars: Sequence[CalendarState] = (),
    asked: Asked = _EVERYTHING,
    states: Sequence[EnvironmentState] | None = None,
) -> dict[str, Any]:
    """Return the state of every environment, and of every catalogued service that differs from it.

    Of many services, each environment has a page; see `ServicesPage`.

    Args:
        in_force: the policies and freezes in force.
        last_error: the failure of a newer policy set that was refused.
        degraded_since: when the store was lost; None while it can be reached.
        at: the instant of the state.
        now: the present, for ages and warnings.
        calendars: what is known of the calendars by URL.
        asked: the environments, and the page of services.
        states: the state of what is asked for at the instant, if it is known already.

    Raises:
        UnknownNameError: the policies list no such environment.
        InvalidFieldError: the cursor is none of this catalogue.
        OutOfRangeError: the instant lies outside the years 2000 to 2100.
    """
    in_range(at)
    return {
        "at": format_instant(at),
        "timezone": in_force.home.name,
        "environments": _environments(in_force, at, asked, states),
        "freezes": _freezes(in_force, at),
        "warnings": [
            *_warnings(in_force, degraded_since, now),
            *calendar_state.warnings(calendars, now),
        ],
        "calendars": [calendar_state.to_json(each, now) for each in calendars],
        "store": {
            "degraded": degraded_since is not None,
            "degraded_since": instant_or_none(degraded_since),
        },
        "policies": {
            "revision": in_force.revision,
            "loaded_at": format_instant(in_force.loaded_at),
            "age_s": max(0, now - in_force.loaded_at),
            "stale": last_error is not None,
            "last_error": last_error and _failure(last_error),
            "warnings": [str(problem) for problem in in_force.warnings],
            "removed": [
                {"kind": each.kind, "name": each.name, "at": format_instant(each.at)}
                for each in in_force.removed_lately(now)
            ],
            "tzdata": tzdata_version(),
            "holidays": holidays_version(),
        },
    }


def environments(in_force: InForce, at: int) -> list[dict[str, Any]]:
    """Return the state of every environment, without services that differ: cheap enough for every second."""
    return [
        {"environment": name, **state_json(in_force.engine.decide_environment(name, at))}
        for name in in_force.policy_set.environments
    ]


def _environments(
    in_force: InForce, at: int, asked: Asked, states: Sequence[EnvironmentState] | None
) -> list[dict[str, Any]]:
    if states is None and asked.environment is not None:
        states = [environment_state(in_force, asked.environment, at)]
    elif states is None:
        states = environment_states(in_force, at)
    page = ServicesPage(in_force, states, asked.cursor)
    return [
        {
            "environment": each.environment,
            "message": state(each.decision, in_force.home),
            **state_json(each.decision),
            **page.of(each),
        }
        for each in states
    ]


def _freezes(in_force: InForce, at: int) -> dict[str, Any]:
    """Return the ad-hoc freezes, and of each policy the present stretch and the next within four weeks."""
    active: list[dict[str, Any]] = []
    upcoming: list[dict[str, Any]] = []
    for freeze in in_force.engine.freezes:
        stretch = Stretch(freeze, in_force.home, freeze.starts_at, freeze.until)
        shown = {**entry(stretch, at), "applies_to": selectors_json([freeze.selector]), "timezone": None}
        if freeze.state(at) is FreezeState.ACTIVE:
            active.append(shown)
        elif freeze.state(at) is FreezeState.SCHEDULED and freeze.starts_at < at + UPCOMING:
            upcoming.append(shown)
    for lasts, shown in policy_freezes(in_force, at, min(at + UPCOMING, LATEST)):
        (active if lasts else upcoming).append(shown)
    return {"active": active, "upcoming": sorted(upcoming, key=lambda each: str(each["from"]))}


def _warnings(in_force: InForce, degraded_since: int | None, now: int) -> list[str]:
    forgotten = [
        f"{freeze.title.rstrip('.')}: this freeze has no end, and {freeze.started_by} started it "
        f"{waiting_time(now - freeze.starts_at)} ago. Is it still needed?"
        for freeze in in_force.engine.freezes
        if freeze.forgotten(now)
    ]
    forgotten = [*in_words(in_force.removed_lately(now)), *forgotten]
    if degraded_since is None:
        return forgotten
    since = format_instant(degraded_since)
    degraded = f"The store has not been reached since {since}: this is from memory; claims are refused."
    return [degraded, *forgotten]


def _failure(failure: LoadFailure) -> dict[str, Any]:
    return {
        "at": format_instant(failure.at),
        "revision": failure.revision,
        "problems": [str(problem) for problem in failure.problems],
        "owners": [each.to_json() for each in failure.owners],
    }
