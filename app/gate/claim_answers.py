"""Answers to claims, kept for the second in which many are alike.

What is answered follows from the policies, the question and the second, up to the id of the decision. A token
and a running deploy make it another answer: those are not kept.
"""

import json
from typing import Final, NamedTuple

from app.core.continuation import Continuation
from app.core.decision import Decision, Question
from app.core.decision_json import decision_to_json, determined_by, first_step
from app.core.override import Use
from app.gate.in_force import InForce

_MOST: Final = 1_024
_END: Final = '"}'
"""Follows the id, which stands last."""


class Answer(NamedTuple):
    """An answer to a claim, as it is recorded, but for the id of the decision."""

    beginning: str
    """All before the id of the decision."""
    outcome: str
    determined_by: tuple[str, ...]
    freezes: str
    """JSON: the ad-hoc freezes that it was made by."""
    blocking: str | None
    """The ids of the rules that veto, joined by commas."""
    warnings: str | None
    """The ids of the rules that warn, joined by commas."""
    continues: str | None
    """The first step of the running deploy that it continues."""

    def text(self, own_id: str) -> str:
        """Return the JSON text of the decision with an id."""
        return f"{self.beginning}{own_id}{_END}"


class _Second(NamedTuple):
    """The answers by the same policies and freezes, in the same second."""

    in_force: InForce
    at: int
    answers: dict[Question, Answer]


class Answers:
    """The answers of the present second; of no more questions than come in one.

    For several threads: each fills the second that it found, whatever another one puts in its place.
    """

    def __init__(self) -> None:
        """Keep none yet."""
        self._second: _Second | None = None

    def to(self, decision: Decision, in_force: InForce) -> Answer:
        """Return the answer that tells a decision, which no token and no earlier decision has changed.

        Args:
            decision: what these policies and freezes say about its question at its instant.
            in_force: the policies and freezes.
        """
        second = self._second
        if second is None or second.at != decision.at or second.in_force is not in_force:
            self._second = second = _Second(in_force, decision.at, {})
        found = second.answers.get(decision.question)
        if found is None:
            found = answer_of(decision, in_force)
            if len(second.answers) < _MOST:
                second.answers[decision.question] = found
        return found


def answer_of(
    decision: Decision,
    in_force: InForce,
    use: Use | None = None,
    continuation: Continuation | None = None,
) -> Answer:
    """Return the answer that tells a decision; `use` is the part of the override that the caller may see."""
    body = decision_to_json(decision, in_force.home, in_force.revision, "", use, continuation)
    freezes = in_force.engine.freezes_for(decision.question, decision.at)
    return Answer(
        # As people read it: it is shown in the logs of pipelines.
        json.dumps(body, ensure_ascii=False).removesuffix(_END),
        body["outcome"],
        determined_by(body),
        json.dumps([freeze.to_data() for freeze in freezes]),
        ",".join(stretch.rule.id for stretch in decision.blocking) or None,
        ",".join(stretch.rule.id for stretch in decision.warnings) or None,
        first_step(body),
    )
