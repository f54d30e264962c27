"""No unlisted service is missed: every short name is asked for, of sets with few policies and many globs."""

import random
from itertools import product
from typing import Any

import pytest

from app.core.decision import Question
from app.core.diff import diff
from app.core.engine import Engine
from app.core.instant import DAY, HOUR, parse_instant
from app.core.policy import PolicySet

MONDAY = parse_instant("2026-11-30T00:00:00Z")
NAMES = [
    name
    for length in range(1, 5)
    for name in map("".join, product("ab/x", repeat=length))
    if not name.startswith("/")
]
WINDOWS = (
    {"always": True},
    {"weekly": {"from": "mon 00:00", "to": "mon 12:00"}},
    {"weekly": {"from": "mon 06:00", "to": "tue 00:00"}},
    {"weekly": {"from": "tue 00:00", "to": "wed 00:00"}},
)
INSTANTS = [MONDAY + hours * HOUR for hours in (1, 7, 13, 25, 50)]
"""One in each piece of the week that the windows cut."""


def some_policy(rng: random.Random, number: int) -> dict[str, Any]:
    policy: dict[str, Any] = {"id": f"p{number}", "title": "T", "reason": "R", "when": [rng.choice(WINDOWS)]}
    if rng.random() < 0.3:
        policy["effect"] = rng.choice(("allow-only", "warn"))
    if rng.random() < 0.85:
        policy["applies_to"] = {"services": [some_glob(rng) for _ in range(rng.choice((1, 1, 2)))]}
    if rng.random() < 0.4:
        policy["exempt"] = {"services": [some_glob(rng)]}
    return policy


def some_glob(rng: random.Random) -> str:
    glob = "".join(rng.choices("ab/**", k=rng.randrange(1, 5))).lstrip("/")
    return glob or "*"


def an_engine(policies: list[dict[str, Any]], refuses: bool) -> Engine:  # noqa: FBT001
    catalogue = {"services": {"a": {}}, "unknown_services": "refuse"} if refuses else {}
    return Engine(PolicySet.model_validate({"version": 1, "policies": policies, **catalogue}))


def denies(engine: Engine, name: str, at: int) -> bool:
    if engine.policy_set.refuses_unknown and name != "a":
        return True
    return not engine.decide(Question(name), at).allowed


@pytest.mark.parametrize("seed", range(40))
def test_every_short_name_gets_the_hours_that_both_engines_say(seed: int) -> None:
    rng = random.Random(seed)
    policies = [some_policy(rng, number) for number in range(6)]
    first, second = (rng.sample(policies, rng.randrange(1, 6)) for _ in range(2))
    old, new = an_engine(first, refuses=rng.random() < 0.1), an_engine(second, refuses=rng.random() < 0.1)
    found = diff(old, new, (MONDAY, MONDAY + 7 * DAY))
    assert not found.limits
    for name in NAMES:
        hours = found.hours_of(name, "production", "normal")
        for at in INSTANTS:
            was, is_now = denies(old, name, at), denies(new, name, at)
            told = [each.opens for each in hours if each.start <= at < each.end]
            assert told == ([was] if was != is_now else []), (name, at, first, second)
