"""Questions that only read: may this be deployed, what is the state, what is coming, what are the rules.

Each takes the policies in force and an instant, and gives the JSON object that goes out.
"""

import asyncio
from itertools import islice
from typing import Any, Final, NamedTuple

from app.core.decision import Decision, Outcome, Question, Stretch
from app.core.decision_json import entry, instant_or_none
from app.core.explain import message, policy_in_words, state
from app.core.freeze import FreezeState
from app.core.instant import DAY, LATEST, format_instant, in_range
from app.core.notation import waiting_time
from app.core.policy import Policy
from app.gate.errors import InvalidFieldError, UnknownRecordError
from app.gate.in_force import InForce, LoadFailure
from app.gate.policy_windows import occurrences, policy_freezes, selectors_json
from app.gate.versions import holidays_version, tzdata_version
from app.policies.removal import in_words

UPCOMING: Final = 28 * DAY
MAX_SCHEDULE: Final = 366 * DAY
MOST_SEGMENTS: Final = 10_000
"""In one schedule; a policy of every minute would fill hundreds of megabytes."""
_OCCURRENCES: Final = 3


class Period(NamedTuple):
    """From when until when a schedule is asked for."""

    start: int
    end: int


def check(in_force: InForce, question: Question, at: int) -> Decision:
    """Answer a question; nothing is recorded.

    Raises:
        UnknownNameError: the policies list no such environment, kind of change or service.
        OutOfRangeError: `at` lies outside the years 2000 to 2100.
    """
    return in_force.engine.decide(question, at)


async def decided(in_force: InForce, question: Question, at: int) -> Decision:
    """As `check`, and in a thread where it may take longer: the first of its kind, or a long look ahead."""
    if in_force.engine.is_prepared(question, at):
        return check(in_force, question, at)
    return await asyncio.to_thread(check, in_force, question, at)


def status(
    in_force: InForce, last_error: LoadFailure | None, degraded_since: int | None, at: int, now: int
) -> dict[str, Any]:
    """The state of every environment at an instant, and of every catalogued service that differs."""
    in_range(at)
    return {
        "at": format_instant(at),
        "timezone": in_force.home.name,
        "environments": [_environment(in_force, name, at) for name in in_force.policy_set.environments],
        "freezes": _freezes(in_force, at),
        "warnings": _warnings(in_force, degraded_since, now),
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


def schedule(in_force: InForce, question: Question, span: Period) -> dict[str, Any]:
    """The timeline of a service, of one that nothing singles out if none is named.

    Consecutive segments, each with what blocks in it.

    Raises:
        UnknownNameError: the policies list no such environment, kind of change or service.
        OutOfRangeError: the span reaches outside the years 2000 to 2100.
        InvalidFieldError: there are too many segments in it.
    """
    in_range(span.start)
    in_range(span.end - 1)
    scope = (
        in_force.engine.scope(question.service, question.environment, question.change)
        if question.service
        else in_force.engine.environment(question.environment, question.change)
    )
    segments = list(islice(scope.segments(span.start, span.end), MOST_SEGMENTS + 1))
    if len(segments) > MOST_SEGMENTS:
        until = format_instant(segments[MOST_SEGMENTS].start)
        raise InvalidFieldError("to", f"there are more than {MOST_SEGMENTS} segments; ask until {until}")
    return {
        "service": question.service or None,
        "environment": question.environment,
        "change": question.change,
        "timezone": in_force.home.name,
        "from": format_instant(span.start),
        "to": format_instant(span.end),
        "segments": [
            {
                "from": format_instant(segment.start),
                "to": format_instant(segment.end),
                "allowed": not segment.blocking,
                "outcome": _outcome(segment.blocking, segment.warnings),
                "blocking": [entry(stretch, segment.start) for stretch in segment.blocking],
                "warnings": [entry(stretch, segment.start) for stretch in segment.warnings],
            }
            for segment in segments
        ],
        "policy_revision": in_force.revision,
    }


def policies(in_force: InForce, at: int) -> dict[str, Any]:
    """Every policy in force, in words, with its next occurrences."""
    return {
        "policy_revision": in_force.revision,
        "timezone": in_force.home.name,
        "policies": [_policy(in_force, each, at) for each in in_force.policy_set.policies],
    }


def policy(in_force: InForce, policy_id: str, at: int) -> dict[str, Any]:
    """One policy in force.

    Raises:
        UnknownRecordError: there is none of that id.
    """
    for each in in_force.policy_set.policies:
        if each.id == policy_id:
            return _policy(in_force, each, at)
    raise UnknownRecordError("there is no policy of that id")


def environments(in_force: InForce, at: int) -> list[dict[str, Any]]:
    """The state of every environment itself, without services that differ: cheap enough for every second."""
    return [
        {"environment": name, **_state(in_force.engine.decide_environment(name, at))}
        for name in in_force.policy_set.environments
    ]


def _environment(in_force: InForce, name: str, at: int) -> dict[str, Any]:
    question = Question("", name, in_force.policy_set.usual_change)
    decision = in_force.engine.decide_environment(name, at)
    general = _state(decision)
    services = []
    for service in in_force.policy_set.services or ():
        own = check(in_force, question._replace(service=service), at)
        if _state(own) != general:
            services.append({"service": service, "message": message(own, in_force.home), **_state(own)})
    return {
        "environment": name,
        "message": state(decision, in_force.home),
        **general,
        "services": services,
    }


def _state(decision: Decision) -> dict[str, Any]:
    return {
        "allowed": decision.allowed,
        "outcome": decision.outcome.value,
        "blocking": [entry(stretch, decision.at) for stretch in decision.blocking],
        "warnings": [entry(stretch, decision.at) for stretch in decision.warnings],
        "opens_at": instant_or_none(decision.opens_at),
        "closes_at": instant_or_none(decision.closes_at),
        "closing": [entry(stretch, decision.at) for stretch in decision.closing],
    }


def _freezes(in_force: InForce, at: int) -> dict[str, Any]:
    """Ad-hoc freezes, and each policy's present stretch, and its next one within four weeks."""
    active: list[dict[str, Any]] = []
    upcoming: list[dict[str, Any]] = []
    for freeze in in_force.engine.freezes:
        stretch = Stretch(freeze, in_force.home, freeze.starts_at, freeze.until)
        described = {**entry(stretch, at), "applies_to": selectors_json([freeze.selector]), "timezone": None}
        if freeze.state(at) is FreezeState.ACTIVE:
            active.append(described)
        elif freeze.state(at) is FreezeState.SCHEDULED and freeze.starts_at < at + UPCOMING:
            upcoming.append(described)
    for lasts, described in policy_freezes(in_force, at, min(at + UPCOMING, LATEST)):
        (active if lasts else upcoming).append(described)
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
    }


def _policy(in_force: InForce, each: Policy, at: int) -> dict[str, Any]:
    timeline = in_force.engine.timeline(each.id)
    return {
        "id": each.id,
        "title": each.title,
        "reason": each.reason,
        "contact": each.contact,
        "link": each.link,
        "effect": each.effect.value,
        "timezone": each.timezone or in_force.home.name,
        "in_words": policy_in_words(each, in_force.home),
        "applies_to": selectors_json(each.applies_to),
        "exempt": selectors_json(each.exempt),
        "override": each.overridable,
        "next": [
            {"from": instant_or_none(start), "until": instant_or_none(end)}
            for start, end in islice(occurrences(timeline, at), _OCCURRENCES)
        ],
    }


def _outcome(blocking: tuple[Stretch, ...], warnings: tuple[Stretch, ...]) -> str:
    if blocking:
        return Outcome.DENY.value
    return (Outcome.WARN if warnings else Outcome.ALLOW).value
