"""Answers that are kept for a second are those that are made anew, byte by byte."""

import json
from pathlib import Path
from typing import Final

import pytest

from app.core.decision import Question
from app.core.instant import parse_instant
from app.gate import claim_answers
from app.gate.claim import claim_body
from app.gate.claim_answers import Answers
from app.gate.in_force import InForce, Policies
from app.policies.source import Source

POLICIES: Final = Path(__file__).parents[2] / "policies.yaml"
OPEN, FROZEN = parse_instant("2026-11-25T12:00:00Z"), parse_instant("2026-11-27T15:00:00Z")


@pytest.fixture
def policies() -> Policies:
    loaded = Policies()
    loaded.load(Source(POLICIES), OPEN)
    loaded.use_freezes([], 0)
    return loaded


def text_of(answers: Answers, in_force: InForce, question: Question, at: int, own_id: str) -> str:
    return answers.to(in_force.engine.decide(question, at), in_force).text(own_id)


def test_an_answer_is_that_of_its_question_and_second(policies: Policies) -> None:
    answers, in_force = Answers(), policies.in_force
    questions = [Question("api"), Question("web"), Question("äpfel"), Question("api", duration=60)]
    questions.append(Question("api", services=("api", "web")))
    for at in (OPEN, OPEN + 1, FROZEN, OPEN):
        for own_id in ("dec_1", "dec_2"):
            for question in questions:
                body = claim_body(in_force.engine.decide(question, at), in_force, own_id, None)
                expected = json.dumps(body, ensure_ascii=False)
                assert text_of(answers, in_force, question, at, own_id) == expected


def test_other_freezes_give_another_answer(policies: Policies) -> None:
    answers, before = Answers(), policies.in_force
    decision = before.engine.decide(Question("api"), OPEN)
    first = answers.to(decision, before)
    assert answers.to(decision, before) is first
    policies.use_freezes([], 1)
    assert answers.to(decision, policies.in_force) is not first


def test_what_is_kept_is_bounded(policies: Policies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_answers, "_MOST", 2)
    answers, in_force = Answers(), policies.in_force
    decided = [in_force.engine.decide(Question(name), OPEN) for name in ("a", "b", "c")]
    kept = [answers.to(each, in_force) for each in decided]
    assert [answers.to(each, in_force) is before for each, before in zip(decided, kept, strict=True)] == [
        True,
        True,
        False,
    ]
