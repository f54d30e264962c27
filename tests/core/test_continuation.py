"""The rule for steps of a running deploy, against its definition, minute by minute."""

import random
from typing import Any

import pytest

from app.core.continuation import (
    LONGEST_RUN,
    Continuation,
    ContinuationResult,
    EarlierStep,
    LaterStep,
    continued,
    judge_continuation,
)
from app.core.decision import Question
from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.instant import DAY, format_instant
from app.core.policy import PolicySet, Selector

NOW = 1_795_784_700 - 1_795_784_700 % DAY
MINUTES = 90
"""The minutes in which windows begin and end; nothing vetoes after them."""

QUESTION = Question("api")
STEP = EarlierStep("api", "production", "normal", "allow", "ci", "dec_1", NOW, 2_400, None)


def policy(own_id: str, start: int, end: int, **given: Any) -> dict[str, Any]:
    bounds = [format_instant(NOW + 60 * minute)[:16].replace("T", " ") for minute in (start, end)]
    window = {"dates": {"from": bounds[0], "to": bounds[1]}}
    return {"id": own_id, "title": own_id, "reason": "x", "when": [window], **given}


def engine_of(*policies: dict[str, Any], freezes: tuple[Freeze, ...] = ()) -> Engine:
    return Engine(PolicySet.model_validate({"version": 1, "policies": list(policies)})).with_freezes(freezes)


def freeze(start: int, end: int, running: Any) -> Freeze:
    span = (NOW + 60 * start, NOW + 60 * end)
    everything = Selector.model_validate({})
    made = Freeze("frz_1", "Incident", "x", None, None, everything, "token", *span, "Bob", NOW)
    return made._replace(running=running)


def step(engine: Engine, at: int, until: int, duration: int = 0) -> Any:
    question = QUESTION._replace(duration=duration)
    everything = engine.scope(*question[:3])
    decision = engine.decide(question, at)
    return continued(everything, engine.stopping(question), decision, until)


def _span(draw: random.Random) -> tuple[int, int]:
    start, end = sorted(draw.sample(range(MINUTES), 2))
    return start, end


def test_a_step_is_decided_by_the_rules_that_stop_until_the_end_and_then_by_all() -> None:
    draw = random.Random(11)
    for _ in range(150):
        spans = [_span(draw) for _ in range(draw.randint(1, 4))]
        runs = [draw.choice(["finish", "stop"]) for _ in spans]
        *of_policies, of_freeze = range(len(spans))
        policies = [policy(f"p{i}", *spans[i], running=runs[i]) for i in of_policies]
        engine = engine_of(*policies, freezes=(freeze(*spans[of_freeze], runs[of_freeze]),))
        until = draw.randrange(1, MINUTES)
        vetoed = [
            any(
                start <= minute < end and (minute >= until or run == "stop")
                for (start, end), run in zip(spans, runs, strict=True)
            )
            for minute in range(3 * MINUTES)
        ]
        for length in (0, 1, draw.randrange(2, 30)):
            minute = draw.randrange(until)
            decision, lifted = step(engine, NOW + 60 * minute, NOW + 60 * until, 60 * length)
            fits = [not any(vetoed[each : each + max(length, 1)]) for each in range(2 * MINUTES)]
            assert decision.allowed == fits[minute]
            opens = None if fits[minute] else NOW + 60 * fits.index(True, minute)
            assert decision.opens_at == opens
            if fits[minute]:
                end = minute + max(length, 1)
                veto = next((each for each in range(end, 2 * MINUTES) if vetoed[each]), None)
                expected = None if veto is None else NOW + 60 * veto - max(60 * length, 1) + 1
                assert decision.closes_at == expected
                assert bool(decision.closing) == (veto is not None)
            as_another = engine.decide(QUESTION._replace(duration=60 * length), NOW + 60 * minute)
            both = {each.rule.id for each in (*decision.blocking, *lifted)}
            assert both == {each.rule.id for each in as_another.blocking}
            assert {each.rule.running for each in lifted} <= {"finish"}


@pytest.mark.parametrize(
    ("given", "question", "caller", "now", "result"),
    [
        ({}, {}, "ci", NOW + 2_399, "running"),
        ({}, {}, "ci", NOW + 2_400, "over"),
        ({"outcome": "override"}, {}, "ci", NOW, "running"),
        ({"outcome": "warn"}, {}, "ci", NOW, "running"),
        ({"outcome": "deny"}, {}, "ci", NOW, "denied"),
        ({"revoked_at": NOW}, {}, "ci", NOW, "revoked"),
        ({"first_duration": 0}, {}, "ci", NOW, "no-duration"),
        ({"first_duration": 3 * DAY}, {}, "ci", NOW + LONGEST_RUN - 1, "running"),
        ({"first_duration": 3 * DAY}, {}, "ci", NOW + LONGEST_RUN, "over"),
        ({"service": "web"}, {}, "ci", NOW, "other-deploy"),
        ({}, {"environment": "staging"}, "ci", NOW, "other-deploy"),
        ({}, {"change": "rollback"}, "ci", NOW, "other-deploy"),
        ({}, {}, "other", NOW, "other-caller"),
        ({"ref": "v1"}, {}, "ci", NOW, "other-ref"),
        # The duration of the step itself is none of this.
        ({}, {"duration": DAY}, "ci", NOW, "running"),
    ],
)
def test_a_deploy_is_continued_only_while_it_runs_and_by_its_own_caller(
    given: dict[str, Any], question: dict[str, Any], caller: str, now: int, result: str
) -> None:
    earlier = STEP._replace(**given)
    judged = judge_continuation("dec_2", earlier, LaterStep(QUESTION._replace(**question), caller), now)
    assert judged.result == result
    assert judged.counts == (result == "running")
    assert (judged.first, judged.until is None) == (
        ("dec_1", False) if result in ("running", "over") else (None, True)
    )


def test_what_is_not_recorded_is_unknown() -> None:
    judged = judge_continuation("dec_9", None, LaterStep(QUESTION, "ci"), NOW)
    assert judged == Continuation("dec_9", ContinuationResult.UNKNOWN)


def test_a_policy_that_is_never_overridden_lets_a_running_deploy_finish_unless_it_says_stop() -> None:
    engine = engine_of(policy("year-end", 0, 60, override="never"))
    decision, lifted = step(engine, NOW, NOW + 600)
    assert decision.allowed
    assert decision.closes_at == NOW + 600
    assert [each.rule.id for each in (*lifted, *decision.closing)] == ["year-end", "year-end"]
    engine = engine_of(policy("year-end", 0, 60, override="never", running="stop"))
    decision, lifted = step(engine, NOW, NOW + 600)
    assert ([each.rule.id for each in decision.blocking], lifted) == (["year-end"], ())


def test_outside_of_an_allow_only_window_that_says_stop_no_step_goes_on() -> None:
    for running, allowed in (("stop", False), ("finish", True)):
        engine = engine_of(policy("hours", 60, 80, effect="allow-only", running=running))
        decision, _ = step(engine, NOW, NOW + 600)
        assert decision.allowed is allowed


def test_a_step_that_would_last_longer_than_the_deploy_is_vetoed_by_what_comes_then() -> None:
    engine = engine_of(policy("soon", 0, 5), policy("later", 0, 60))
    decision, lifted = step(engine, NOW, NOW + 600, 660)
    assert [each.rule.id for each in decision.blocking] == ["later"]
    assert [each.rule.id for each in lifted] == ["soon"]
    decision, _ = step(engine, NOW, NOW + 600, 600)
    assert decision.allowed


def test_what_vetoes_after_the_freeze_that_stops_a_step_is_named() -> None:
    engine = engine_of(policy("friday", 0, 60), freezes=(freeze(0, 20, "stop"),))
    decision, _ = step(engine, NOW, NOW + 600)
    assert [each.rule.id for each in decision.blocking] == ["frz_1"]
    assert [each.rule.id for each in decision.following] == ["friday"]
    assert decision.opens_at == NOW + 3_600
    decision, _ = step(engine, NOW, NOW + 1_800)
    assert (decision.opens_at, decision.following) == (NOW + 1_200, ())


def test_the_last_instants_of_all_are_decided() -> None:
    last = 4_133_980_800
    engine = engine_of({"id": "always", "title": "x", "reason": "x", "when": [{"always": True}]})
    decision, lifted = step(engine, last - 1, last + 60, 120)
    assert (decision.allowed, decision.closes_at, len(lifted)) == (True, None, 1)
