"""Deploys of several services: the fast engine against the slow twin of each service, all at once."""

import random
from typing import Any

from app.core.decision import Decision, together
from app.core.engine import Engine
from app.core.policy import PolicySet
from tests.spec.generate import Case, Question, case
from tests.spec.test_differential import CASES, FAR, FIRST_SEED
from tests.spec.twin import Rule, Twin

SERVICES = ("api", "web/shop", "docs")
PER_SET = 10


def twin_of_all(
    policy_set: dict[str, Any], question: Question, near: tuple[int, int], known: dict[Any, Rule]
) -> Twin:
    """A twin that vetoes while that of any service does."""
    twins = [
        Twin(policy_set, question._replace(service=service)._asdict(), near, known) for service in SERVICES
    ]
    joint = twins[0]
    joint.rules = [*dict.fromkeys(rule for twin in twins for rule in twin.rules)]
    joint.vetoers = [rule for rule in joint.rules if rule.effect != "warn"]
    joint.bounds = sorted({bound for rule in joint.vetoers for bound in rule.bounds()})
    return joint


def decided(engine: Engine, question: Question) -> Decision:
    asked = together(SERVICES, question.environment, question.change, question.duration)
    return engine.decide(asked, question.at)


def compare(engine: Engine, one: Case, question: Question, known: dict[Any, Rule]) -> None:
    decision = decided(engine, question)
    near, length = one.near, max(question.duration, 1)
    twin = twin_of_all(one.policy_set, question, (near[0] - 86_400, near[1] + 86_400), known)
    slow = twin.holding(question.at, question.at + length)
    for stretches, expected in zip((decision.blocking, decision.warnings), slow, strict=True):
        ids = [stretch.rule.id for stretch in stretches]
        assert len(set(ids)) == len(ids)
        assert set(ids) == set(expected)
    limit = near[1] - length
    claimed = decision.flips_at
    assert twin.next_flip(question.at, question.duration, limit) == (
        claimed if claimed is not None and claimed <= limit else None
    )
    parts = [engine.decide(part.question, question.at) for part in decision.parts]
    assert [part.question.service for part in decision.parts] == [*SERVICES]
    assert [each[1:] for each in decision.parts] == [(alone.blocking, alone.warnings) for alone in parts]
    assert [each.outcome for each in decision.parts] == [alone.outcome for alone in parts]
    order = [policy.id for policy in engine.policy_set.policies]
    for stretches in (decision.blocking, decision.warnings):
        places = [order.index(stretch.rule.id) for stretch in stretches]
        assert places == sorted(places)
    assert decision.allowed is all(part.allowed for part in parts)
    vetoing = {stretch.rule.id for part in parts for stretch in part.blocking}
    assert {stretch.rule.id for stretch in decision.blocking} == vetoing
    if claimed is None or claimed % 16:  # as for one service
        return
    there = twin_of_all(one.policy_set, question, (claimed - FAR, claimed + FAR), known)
    before, after = (there.fits(at, question.duration) for at in (claimed - 1, claimed))
    assert (before, after) == (decision.allowed, not decision.allowed)
    closing = [stretch.rule.id for stretch in decision.closing]
    expected_closing = there.closing(claimed - 1, question.duration, claimed) if decision.allowed else []
    assert sorted(closing) == sorted(set(expected_closing))


def apart(seed: int) -> Case:
    """A case in which most policies are for one or two of the services, or read in the zone of each."""
    one = case(seed, PER_SET)
    rng = random.Random(seed)
    zones = {"api": "Asia/Tokyo", "web/shop": "Europe/Lisbon", "docs": one.policy_set["timezone"]}
    one.policy_set.setdefault("services", {name: {"timezone": zone} for name, zone in zones.items()})
    for policy in one.policy_set["policies"]:
        if rng.random() < 0.6:
            policy["applies_to"] = {"services": rng.sample(SERVICES, rng.choice((1, 1, 2)))}
        if rng.random() < 0.4:
            policy["timezone"] = "service"
        policy.pop("exempt", None)
    return one


def test_the_engine_and_the_twins_of_several_services_agree() -> None:
    for number in range(max(1, CASES // 1_000)):
        one = apart(FIRST_SEED + 90_000_000 + number)
        engine = Engine(PolicySet.model_validate(one.policy_set))
        known: dict[Any, Rule] = {}
        for question in one.questions:
            compare(engine, one, question, known)
