"""The continuation of a running deploy: a later step of a rollout, within the duration of the first one.

Until that end, only the rules that say ``running: stop`` can veto the step; from then on, all of them. A
continued step is continued until the same end, so that a chain of steps lasts no longer than its first one.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from app.core.decision import Decision, DecisionPart, Outcome, Question, Stretch
from app.core.instant import DAY, LATEST, LOOK_AHEAD
from app.core.scope import ScopeTimeline

LONGEST_RUN: Final = DAY
"""The most seconds from the first step of a deploy to its last one."""


class ContinuationResult(StrEnum):
    """The judgement of a continuation: the deploy is still running, or the reason why it doesn't count."""

    RUNNING = "running"
    OVER = "over"
    DENIED = "denied"
    REVOKED = "revoked"
    NO_DURATION = "no-duration"
    OTHER_DEPLOY = "other-deploy"
    OTHER_CALLER = "other-caller"
    OTHER_REF = "other-ref"
    UNKNOWN = "unknown"


class EarlierStep(NamedTuple):
    """A recorded decision as a later step needs it; instants in seconds."""

    service: str
    """The service; several as in `Question.joined`."""
    environment: str
    change: str
    outcome: str
    caller: str
    """The caller; empty for an anonymous one."""
    first: str
    """The first step of its deploy; its own id if it continues none."""
    first_at: int
    first_duration: int
    revoked_at: int | None
    """When the override of this step or of the first one was revoked; None if it wasn't."""
    ref: str | None = None
    """The only ref that the override of this step or of the first one lets through; None for any."""


class LaterStep(NamedTuple):
    """A claim that continues an earlier one."""

    question: Question
    caller: str
    """The caller; empty for an anonymous one."""
    ref: str | None = None


class Continuation(NamedTuple):
    """The judgement of a claim that continues an earlier one."""

    id: str
    """The earlier step, as the claim names it."""
    result: ContinuationResult
    first: str | None = None
    """The first step of the deploy; None unless it is running or over."""
    until: int | None = None
    """When the deploy must be finished; None unless it is running or over."""
    lifted: tuple[Stretch, ...] = ()
    """The rules that would veto this step if it were another deploy."""

    @property
    def counts(self) -> bool:
        """Whether the claim is a step of the running deploy."""
        return self.result is ContinuationResult.RUNNING


def judge_continuation(
    earlier_id: str, earlier: EarlierStep | None, later: LaterStep, now: int
) -> Continuation:
    """Judge whether a claim continues an earlier one.

    Args:
        earlier_id: the earlier step, as the claim names it.
        earlier: its record; None if there is none.
        later: the claim.
        now: the instant for its end, from a clock that never goes back; in seconds.
    """
    refusal = _refusal(earlier, later)
    if refusal is not None or earlier is None:
        return Continuation(earlier_id, refusal or ContinuationResult.UNKNOWN)
    until = earlier.first_at + min(earlier.first_duration, LONGEST_RUN)
    result = ContinuationResult.RUNNING if now < until else ContinuationResult.OVER
    return Continuation(earlier_id, result, earlier.first, until)


def _refusal(earlier: EarlierStep | None, later: LaterStep) -> ContinuationResult | None:
    """Return why an earlier claim can't be continued at any time; None if it can."""
    if earlier is None:
        return ContinuationResult.UNKNOWN
    same = (later.question.joined, later.question.environment, later.question.change)
    checks = (
        ((earlier.service, earlier.environment, earlier.change) != same, ContinuationResult.OTHER_DEPLOY),
        (earlier.caller != later.caller, ContinuationResult.OTHER_CALLER),
        (earlier.outcome == Outcome.DENY, ContinuationResult.DENIED),
        (earlier.revoked_at is not None, ContinuationResult.REVOKED),
        (earlier.ref not in (None, later.ref), ContinuationResult.OTHER_REF),
        (earlier.first_duration == 0, ContinuationResult.NO_DURATION),
    )
    return next((result for applies, result in checks if applies), None)


def continued(
    everything: ScopeTimeline, stopping: ScopeTimeline, decision: Decision, until: int
) -> tuple[Decision, tuple[Stretch, ...]]:
    """Decide a step of a running deploy; return the decision, and the vetoes that are lifted.

    Args:
        everything: the timeline of all rules that match the question.
        stopping: the timeline of those among them that stop running deploys.
        decision: the decision by all rules, as if it were another deploy.
        until: the instant from which on all rules count.
    """
    until = min(until, LATEST)
    blocking, lifted = _split(everything, stopping, decision, until)
    if blocking:
        opens_at = _first_fit(everything, stopping, decision, until)
        following = _following(decision, blocking, lifted, until, opens_at)
        stopped = decision._replace(blocking=blocking, flips_at=opens_at, following=following, closing=())
        return stopped, lifted
    closes_at, closing = _closes(everything, stopping, decision, until)
    return decision._replace(blocking=(), flips_at=closes_at, following=(), closing=closing), lifted


def _split(
    everything: ScopeTimeline, stopping: ScopeTimeline, decision: Decision, until: int
) -> tuple[tuple[Stretch, ...], tuple[Stretch, ...]]:
    """Return the vetoes that stop a step, and those that are lifted."""
    at, end = decision.at, _end(decision)
    late = everything.vetoes(until, end) if end > until else ()
    stopped: dict[int, Stretch] = {}
    for each in (*stopping.vetoes(at, end), *late):
        stopped.setdefault(id(each.rule), each)
    blocking = tuple(stopped[id(each.rule)] for each in decision.blocking if id(each.rule) in stopped)
    return blocking, tuple(each for each in decision.blocking if id(each.rule) not in stopped)


def continued_parts(everything: ScopeTimeline, decision: Decision, until: int) -> tuple[DecisionPart, ...]:
    """Return the decisions on each service of a step of a running deploy of several.

    Args:
        everything: the timeline of all rules that match the services.
        decision: the decision by all rules, as if it were another deploy.
        until: the instant from which on all rules count.
    """
    until, end = min(until, LATEST), _end(decision)
    late = {_line(each) for each in everything.vetoes(until, end)} if end > until else set()
    return tuple(
        part._replace(
            blocking=tuple(
                each for each in part.blocking if each.rule.running == "stop" or _line(each) in late
            )
        )
        for part in decision.parts
    )


def _line(stretch: Stretch) -> tuple[int, str]:
    """Return what is equal for stretches of the same rule in the same zone."""
    return id(stretch.rule), stretch.zone.name


def _length(question: Question) -> int:
    """Return the seconds in which nothing may veto."""
    return max(question.duration, 1)


def _end(decision: Decision) -> int:
    """Return the end of a step."""
    return min(decision.at + _length(decision.question), LATEST)


def _first_fit(
    everything: ScopeTimeline, stopping: ScopeTimeline, decision: Decision, until: int
) -> int | None:
    """Return the first start that leaves the whole step without a veto."""
    length, cursor = _length(decision.question), decision.at
    vetoed = [
        *stopping.freezes(cursor, until),
        *everything.freezes(until, min(until + length, LATEST)),
    ]
    for start, end in vetoed:
        if start - cursor >= length:
            break
        cursor = end
    # From `until` on it is a deploy like any other.
    return cursor if cursor < until else decision.opens_at


def _following(
    decision: Decision,
    blocking: tuple[Stretch, ...],
    lifted: tuple[Stretch, ...],
    until: int,
    opens_at: int | None,
) -> tuple[Stretch, ...]:
    """Return the vetoes between those that block and the instant at which it opens."""
    if opens_at is None or opens_at < until or not all(_ends_before(each, opens_at) for each in blocking):
        return ()
    lasting = (each for each in lifted if not _ends_before(each, until + 1))
    return (*lasting, *decision.following)


def _ends_before(stretch: Stretch, instant: int) -> bool:
    return stretch.end is not None and stretch.end < instant


def _closes(
    everything: ScopeTimeline, stopping: ScopeTimeline, decision: Decision, until: int
) -> tuple[int | None, tuple[Stretch, ...]]:
    """Return from when on the step can start no more, and what vetoes then."""
    question = decision.question
    veto, closing = _first_veto(everything, stopping, question, until, _end(decision))
    if veto is None or veto - _length(question) >= decision.at + LOOK_AHEAD:
        return None, ()
    return veto - _length(question) + 1, closing


def _first_veto(
    everything: ScopeTimeline, stopping: ScopeTimeline, question: Question, until: int, end: int
) -> tuple[int | None, tuple[Stretch, ...]]:
    """Return the first instant after the end of a step at which anything vetoes, and what does."""
    if end < until:
        veto, stretches = _veto_from(stopping, question, end)
        if veto is not None and veto < until:
            return veto, stretches
    return _veto_from(everything, question, max(end, until))


def _veto_from(scope: ScopeTimeline, question: Question, at: int) -> tuple[int | None, tuple[Stretch, ...]]:
    if at >= LATEST:
        return None, ()
    found = scope.decide(question._replace(duration=0), at)
    return (at, found.blocking) if found.blocking else (found.closes_at, found.closing)
