"""The decision kept for a question until its segment ends: equal to one decided anew, at every instant."""

import random
from typing import Any

import pytest

from app.core.decision import Question, together
from app.core.engine import ANSWERS_REMEMBERED, Engine
from app.core.environment import EnvironmentKind
from app.core.errors import OutOfRangeError
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR, LATEST, LOOK_AHEAD, parse_instant
from app.core.policy import PolicySet, Selector

NOW = parse_instant("2026-11-27T13:05:00Z")
WEEKLY = {"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}
FAR = {"dates": {"from": "2029-02-01", "to": "2029-02-10"}}
WINDOWS: list[dict[str, Any]] = [
    WEEKLY,
    {"daily": {"from": "12:00", "to": "15:00"}},
    {"daily": {"days": ["fri"], "from": "14:05", "to": "14:06"}},
    {"dates": {"from": "2026-11-20", "to": "2026-12-02"}},
]


def engine(*windows: dict[str, Any], freezes: tuple[Freeze, ...] = (), **more: Any) -> Engine:
    policies = [
        {"id": f"policy-{number}", "title": "t", "reason": "r", "when": [window], **more}
        for number, window in enumerate(windows)
    ]
    environments = {"production": {}, "main": {"kind": "merge"}}
    given = {"version": 1, "environments": environments, "policies": policies}
    return Engine(PolicySet.model_validate(given)).with_freezes(freezes)


def freeze(name: str, starts_at: int, ends_at: int | None) -> Freeze:
    everything = Selector.model_validate({"environments": ["production"]})
    return Freeze(name, name, "An incident.", None, None, everything, "token", starts_at, ends_at, "ada", 0)


@pytest.mark.parametrize("seed", range(40))
def test_a_kept_decision_equals_the_one_decided_anew(seed: int) -> None:
    rng = random.Random(seed)
    windows = rng.sample(WINDOWS, rng.randrange(4))
    freezes = tuple(
        freeze(f"frz_{number}", NOW + start, NOW + start + rng.choice((60, 9 * HOUR)))
        for number, start in enumerate(rng.sample(range(-DAY, DAY), rng.randrange(3)))
    )
    kept = engine(*windows, freezes=freezes)
    question = Question("api", rng.choice(["production", "main"]), duration=rng.choice((0, 1)))
    at = NOW
    for _ in range(60):
        at += rng.choice((0, 1, 59, 600, -HOUR, 5 * HOUR, 3 * DAY))
        assert kept.decide(question, at) == engine(*windows, freezes=freezes).decide(question, at)
        found = kept.remembered(question, at)
        assert found == kept.decide(question, at)
        assert found is not None
        assert type(found) is type(kept.decide(Question("web"), at))


@pytest.mark.parametrize("effect", ["deny", "allow-only"])
def test_a_flip_comes_into_view_two_years_ahead(effect: str) -> None:
    flips_at = parse_instant("2029-01-31T23:00:00Z") if effect == "deny" else None
    for second in (-1, 0, 1):
        kept = engine(FAR, effect=effect, timezone="Europe/Amsterdam")
        question = Question("api")
        seen_from = parse_instant("2029-01-31T23:00:00Z") - LOOK_AHEAD
        kept.decide(question, seen_from - second)
        for at in (seen_from - 1, seen_from, seen_from + 1):
            alone = engine(FAR, effect=effect, timezone="Europe/Amsterdam")
            assert kept.decide(question, at) == alone.decide(question, at)
        assert kept.decide(question, seen_from).closes_at == flips_at


def test_nothing_is_known_of_a_question_before_and_beyond_its_segment() -> None:
    kept = engine(WEEKLY)
    question = Question("api")
    assert kept.remembered(question, NOW) is None
    kept.decide(question, NOW)
    assert kept.remembered(question, NOW + 60) is not None
    assert kept.remembered(question, NOW + 7 * DAY) is None
    assert kept.remembered(Question("web"), NOW) is None


def test_deploys_that_take_time_and_those_of_several_services_are_decided_each_time() -> None:
    kept = engine(WEEKLY)
    for question in (Question("api", duration=600), together(["api", "web"])):
        kept.decide(question, NOW)
        assert kept.remembered(question, NOW) is None


def test_merges_keep_their_kind() -> None:
    kept = engine(WEEKLY)
    for _ in range(2):
        assert kept.decide(Question("api", "main"), NOW).kind is EnvironmentKind.MERGE


def test_the_questions_kept_are_bounded_and_the_oldest_goes_first() -> None:
    kept = engine(WEEKLY)
    for number in range(ANSWERS_REMEMBERED + 1):
        kept.decide(Question(f"service-{number}"), NOW)
    kept.decide(Question(f"service-{ANSWERS_REMEMBERED}"), NOW + 7 * DAY)
    assert kept.remembered(Question("service-0"), NOW) is None
    assert kept.remembered(Question("service-1"), NOW) is not None


def test_instants_out_of_range_are_refused_though_the_question_is_kept() -> None:
    kept = engine()
    question = Question("api")
    kept.decide(question, LATEST - 1)
    with pytest.raises(OutOfRangeError):
        kept.decide(question, LATEST)
