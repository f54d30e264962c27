"""The timeline of a service or an environment, as a JSON object."""

from collections.abc import Iterable
from typing import Any, Final

from app.core.decision import Outcome, Question, Stretch
from app.core.decision_json import entry
from app.core.instant import DAY, format_instant, in_range
from app.core.interval import Period
from app.core.scope import Segment
from app.gate.errors import InvalidFieldError
from app.gate.in_force import InForce

MAX_SCHEDULE: Final = 366 * DAY
MOST_SEGMENTS: Final = 10_000
"""Segments in one schedule; a policy that freezes every minute would fill hundreds of megabytes."""

MOST_RULES: Final = 100_000
"""Rules in all segments of a schedule together: thousands that hold at once fill as much in days."""


def schedule(in_force: InForce, question: Question, period: Period) -> dict[str, Any]:
    """Return consecutive segments, each with the rules that block in it.

    Without a service, the timeline is that of the environment: of a service that no selector singles out.

    Raises:
        UnknownNameError: the policies list no such environment, kind of change or service.
        OutOfRangeError: the period reaches outside the years 2000 to 2100.
        InvalidFieldError: there are too many segments in it, or rules in them.
    """
    in_range(period.start)
    in_range(period.end - 1)
    scope = (
        in_force.engine.scope(question.service, question.environment, question.change)
        if question.service
        else in_force.engine.environment(question.environment, question.change)
    )
    segments = _bounded(scope.segments(period.start, period.end))
    return {
        "service": question.service or None,
        "environment": question.environment,
        "change": question.change,
        "timezone": in_force.home.name,
        "from": format_instant(period.start),
        "to": format_instant(period.end),
        "policy_revision": in_force.revision,
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
    }


def _bounded(segments: Iterable[Segment]) -> list[Segment]:
    """Return the segments, unless there are too many of them, or of the rules in them.

    Raises:
        InvalidFieldError: there are; the message names an end that fits.
    """
    kept: list[Segment] = []
    rules = 0
    for segment in segments:
        rules += len(segment.blocking) + len(segment.warnings)
        if kept and (len(kept) >= MOST_SEGMENTS or rules > MOST_RULES):
            until = format_instant(segment.start)
            raise InvalidFieldError(
                "to",
                f"there are more than {MOST_SEGMENTS} segments, or {MOST_RULES} rules in them; "
                f"ask until {until}",
            )
        kept.append(segment)
    return kept


def _outcome(blocking: tuple[Stretch, ...], warnings: tuple[Stretch, ...]) -> str:
    if blocking:
        return Outcome.DENY.value
    return (Outcome.WARN if warnings else Outcome.ALLOW).value
