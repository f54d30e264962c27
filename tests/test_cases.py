"""The conformance cases, through the engine and through its slow twin."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.decision import Question
from app.core.engine import Engine
from app.core.instant import parse_instant
from app.core.notation import parse_duration
from app.core.policy import PolicySet
from tests.spec.twin import Twin

NEAR = 40 * 86_400
"""How far the twin looks; a flip beyond it is the engine's word alone."""


FAR = 731 * 86_400
"""How far the twin looks for the bounds of what holds."""


def cases() -> list[Any]:
    return [
        pytest.param(with_booleans(case), id=f"{file.stem}: {case['name']}")
        for file in sorted((Path(__file__).parent / "cases").glob("*.yaml"))
        # Every scalar stays text, so that 14:00 is no number and 2026-12-11 no date.
        for case in yaml.load(file.read_text(), yaml.BaseLoader)  # noqa: S506 - it makes nothing but text
    ]


def with_booleans(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: with_booleans(each) for key, each in value.items()}
    if isinstance(value, list):
        return [with_booleans(each) for each in value]
    return True if value == "true" else value


def policy_set(case: dict[str, Any]) -> dict[str, Any]:
    named = [
        {"id": f"p{number}", "title": "T", "reason": "R", **policy}
        for number, policy in enumerate(case["policies"])
    ]
    whole = {
        "version": 1,
        "timezone": case.get("timezone", "UTC"),
        "environments": ["production", "staging"],
        "policies": named,
    }
    return {**whole, "services": case["services"]} if "services" in case else whole


def bounds(question: dict[str, Any]) -> list[tuple[int | None, ...]]:
    return [
        tuple(None if bound == "null" else parse_instant(bound) for bound in pair)
        for pair in question["bounds"]
    ]


def asked(question: dict[str, Any]) -> Question:
    return Question(
        question.get("service", "api"),
        question.get("environment", "production"),
        question.get("change", "normal"),
        parse_duration(question.get("duration", "0s")),
    )


@pytest.mark.parametrize("case", cases())
def test_the_engine_answers_as_worked_out_by_hand(case: dict[str, Any]) -> None:
    engine = Engine(PolicySet.model_validate(policy_set(case)))
    for question in case["questions"]:
        decision = engine.decide(asked(question), parse_instant(question["at"]))
        assert decision.outcome.value == question["expect"], question
        if "by" in question:
            named = decision.blocking or decision.warnings
            assert [stretch.rule.id for stretch in named] == question["by"], question
        if "bounds" in question:
            named = decision.blocking or decision.warnings
            assert [stretch.bounds(decision.at) for stretch in named] == bounds(question), question
        if "closing" in question:
            assert [stretch.rule.id for stretch in decision.closing] == question["closing"], question
        if "flips_at" in question:
            expected = None if question["flips_at"] == "null" else parse_instant(question["flips_at"])
            assert decision.flips_at == expected, question


@pytest.mark.parametrize("case", cases())
def test_the_twin_answers_as_worked_out_by_hand(case: dict[str, Any]) -> None:
    plain = policy_set(case)
    for question in case["questions"]:
        one, at = asked(question), parse_instant(question["at"])
        twin = Twin(plain, one._asdict(), (at - NEAR, at + NEAR), {})
        blocking, warnings = twin.holding(at, at + max(one.duration, 1))
        outcome = "deny" if blocking else "warn" if warnings else "allow"
        assert outcome == question["expect"], question
        if "by" in question:
            assert (blocking or warnings) == question["by"], question
        if "bounds" in question:
            held = Twin(plain, one._asdict(), (at - FAR, at + FAR), {}).stretches(at, at + 1)
            assert [held[name] for name in blocking or warnings] == bounds(question), question
        if "flips_at" in question:
            expected = None if question["flips_at"] == "null" else parse_instant(question["flips_at"])
            if expected is not None and expected < at + NEAR - 3 * 86_400:
                assert twin.next_flip(at, one.duration, expected) == expected, question
                if "closing" in question:
                    assert twin.closing(at, one.duration, expected) == question["closing"], question


def test_there_are_cases_to_run() -> None:
    assert sum(len(case.values[0]["questions"]) for case in cases()) >= 100
