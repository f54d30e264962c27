"""Answer many questions at one instant, by one state of the policies and freezes; nothing is recorded.

Most services of a company get the same answer but for their names. Each answer is decided and rendered once
for all services that the same rules match.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from app.core.decision import Decision, Outcome, Question
from app.core.decision_json import decision_template, decision_to_json, determined_by
from app.core.errors import FreezegateError, UnknownNameError
from app.core.instant import in_range
from app.core.scope import ScopeTimeline
from app.gate.errors import InvalidFieldError
from app.gate.in_force import InForce

MOST_QUESTIONS: Final = 1_000

MOST_TEXT: Final = 16 * 1024 * 1024
"""Characters of all answers. Usual ones have 1,000 each; each of 1,000 rules that veto adds another 500."""

MOST_SUGGESTED: Final = 20
"""Unknown names with a suggestion; comparing a name with the known ones takes milliseconds."""


_OPEN: Final = 0


class Batch(NamedTuple):
    """The answers to a batch of questions."""

    answers: list[str | FreezegateError]
    """The JSON text of each decision, in the order of the questions; an error for one without an answer."""
    counts: Counter[tuple[str, tuple[str, ...]]]
    """The number of decisions by outcome and by the rules that determined it."""
    allowed: bool
    """Whether every question is answered, and every answer allows."""
    opens_at: int | None
    """An instant before which not all of them are allowed; None if there is none in sight."""


def answer(in_force: InForce, questions: Iterable[Question | FreezegateError], at: int) -> Batch:
    """Answer questions at one instant; an error among them stands for a question that can't be read.

    Raises:
        InvalidFieldError: there is no question, or the answers are too long.
        OutOfRangeError: `at` lies outside the years 2000 to 2100.
    """
    answering = _Answering(in_force, in_range(at))
    answers = [answering.answer(each) for each in questions]
    if not answers:
        raise InvalidFieldError("questions", "is not an empty list")
    return answering.batch(answers)


class _Shared:
    """The decision for all services that the same rules match, without the name of one."""

    __slots__ = ("opens_at", "outcome", "rules", "template", "uses")

    def __init__(self, in_force: InForce, decision: Decision) -> None:
        body = decision_to_json(decision, in_force.home, in_force.revision)
        self.template = decision_template(body)
        self.outcome = decision.outcome
        self.opens_at = decision.opens_at
        self.rules = determined_by(body)
        self.uses = 0


class _Answering:
    """The answers to one batch so far."""

    def __init__(self, in_force: InForce, at: int) -> None:
        self._in_force = in_force
        self._at = at
        self._shared: dict[tuple[ScopeTimeline, str, str, int], _Shared] = {}
        self._unknown: dict[tuple[str, str], FreezegateError] = {}
        self._length = 0

    def answer(self, question: Question | FreezegateError) -> str | FreezegateError:
        """Return the JSON text of one decision, or why there is none."""
        if isinstance(question, FreezegateError):
            return question
        try:
            shared = self._decide(question)
        except UnknownNameError as error:
            return self._unanswered(error)
        shared.uses += 1
        text = shared.template.of(question.service)
        self._length += len(text)
        if self._length > MOST_TEXT:
            raise InvalidFieldError("questions", "have answers of more than 16 MiB together; ask fewer")
        return text

    def _decide(self, question: Question) -> _Shared:
        scope = self._in_force.engine.scope(question.service, question.environment, question.change)
        key = (scope, question.environment, question.change, question.duration)
        shared = self._shared.get(key)
        if shared is None:
            decision = self._in_force.engine.decide_in(scope, question._replace(service=""), self._at)
            shared = self._shared[key] = _Shared(self._in_force, decision)
        return shared

    def _unanswered(self, error: UnknownNameError) -> FreezegateError:
        """Return the error of an unknown name: the first one that it got, so that it is worded once."""
        name = (error.field, error.name)
        if name not in self._unknown:
            few = len(self._unknown) < MOST_SUGGESTED
            bare = InvalidFieldError(error.field, error.without_suggestion)
            self._unknown[name] = error if few else bare
        return self._unknown[name]

    def batch(self, answers: list[str | FreezegateError]) -> Batch:
        """Return the batch of these answers."""
        counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
        for shared in self._shared.values():
            counts[shared.outcome.value, shared.rules] += shared.uses
        opens_at = _latest(each.opens_at for each in self._shared.values() if each.outcome is Outcome.DENY)
        if any(isinstance(each, FreezegateError) for each in answers):
            return Batch(answers, counts, allowed=False, opens_at=None)
        return Batch(answers, counts, opens_at == _OPEN, opens_at or None)


def _latest(openings: Iterable[int | None]) -> int | None:
    """Return the latest of some instants; None if one of them isn't known, `_OPEN` without any."""
    latest = _OPEN
    for opens_at in openings:
        if opens_at is None:
            return None
        latest = max(latest, opens_at)
    return latest
