"""The fast engine against the slow twin, on generated policies, zones and instants."""

import os
from typing import Any

import pytest
import yaml

from app.core.decision import Decision
from app.core.decision import Question as Asked
from app.core.engine import Engine
from app.core.policy import PolicySet
from tests.spec.generate import Case, Question, case
from tests.spec.twin import LATEST, LOOK_AHEAD, Rule, Twin

# Counted line by line, it takes twice as long and covers no line that nothing else does.
pytestmark = pytest.mark.no_cover

CASES = int(os.environ.get("FREEZEGATE_CASES", "8000"))
FIRST_SEED = int(os.environ.get("FREEZEGATE_SEED", "1"))
PER_SET = 40
SHARDS = 8
FAR = 2 * 86_400
"""How far the twin looks for itself; beyond it, it checks what the engine claims."""


def fast(engine: Engine, question: Question) -> Decision:
    asked = Asked(question.service, question.environment, question.change, question.duration)
    return engine.decide(asked, question.at)


def disagreement(one: Case, policy_set: dict[str, Any], question: Question) -> str | None:
    """What the two say differently about a question, in words; None if they agree."""
    engine = Engine(PolicySet.model_validate(policy_set))
    return _compare(engine, one, policy_set, question)


def _compare(engine: Engine, one: Case, policy_set: dict[str, Any], question: Question) -> str | None:
    decision = fast(engine, question)
    twin = _twin(policy_set, question, one.near)
    length = max(question.duration, 1)
    slow = twin.holding(question.at, question.at + length)
    quick = ([s.rule.id for s in decision.blocking], [s.rule.id for s in decision.warnings])
    if quick != slow:
        return f"engine {quick}, twin {slow}"
    if apart := _bounds_apart(decision, twin, one.near):
        return apart
    limit = one.near[1]
    expected = twin.next_flip(question.at, question.duration, limit - length)
    claimed = decision.flips_at
    if expected != (claimed if claimed is not None and claimed <= limit - length else None):
        return f"engine flips at {claimed}, twin at {expected} (looked until {limit - length})"
    if claimed is not None and not question.at < claimed <= min(question.at + LOOK_AHEAD, LATEST - 1):
        return f"engine flips at {claimed}, which is out of range"
    return _far_claim(engine, policy_set, question, claimed)


def _bounds_apart(decision: Decision, twin: Twin, near: tuple[int, int]) -> str | None:
    """What the two say differently about the bounds of what blocks and warns, as far as they are near."""
    question = decision.question
    slow = twin.stretches(decision.at, decision.at + max(question.duration, 1))
    for stretch in (*decision.blocking, *decision.warnings):
        known = slow[stretch.rule.id]
        quick = tuple(
            bound if bound is not None and near[0] <= bound <= near[1] else None
            for bound in stretch.bounds(decision.at)
        )
        if quick != tuple(b if b is not None and near[0] <= b <= near[1] else None for b in known):
            return f"{stretch.rule.id}: engine from {stretch.start} to {stretch.end}, twin {known}"
    return None


def _far_claim(
    engine: Engine, policy_set: dict[str, Any], question: Question, claimed: int | None
) -> str | None:
    """Check the flip that is claimed at its own place, by the twin made for the days around it."""
    if claimed is None or claimed % 16:  # one in sixteen: making a twin for other days is slow
        return None
    there = _twin(policy_set, question, (claimed - FAR, claimed + FAR))
    before, after = there.fits(claimed - 1, question.duration), there.fits(claimed, question.duration)
    decision = fast(engine, question)
    now = not decision.blocking
    if (before, after) != (now, not now):
        return f"engine flips at {claimed}; the twin says {before} before and {after} from then on"
    closing = [stretch.rule.id for stretch in decision.closing]
    expected = there.closing(claimed - 1, question.duration, claimed) if now else []
    if closing != expected:
        return f"engine says that {closing} close it at {claimed}, the twin {expected}"
    return None


_KNOWN: dict[tuple[str, str, tuple[int, int]], Rule] = {}
"""The rules of the set that is compared now, so that each is read but once."""


def _twin(policy_set: dict[str, Any], question: Question, near: tuple[int, int]) -> Twin:
    wide = (near[0] - 86_400, near[1] + 86_400)
    return Twin(policy_set, question._asdict(), wide, _KNOWN)


def report(seed: int, one: Case, question: Question, said: str) -> str:
    """Everything to paste into a case file: the set, as small as it still disagrees."""
    smallest = dict(one.policy_set)
    for policy in one.policy_set["policies"]:
        fewer = {**smallest, "policies": [each for each in smallest["policies"] if each is not policy]}
        _KNOWN.clear()
        if fewer["policies"] and (less := disagreement(one, fewer, question)):
            smallest, said = fewer, less
    return f"seed {seed}: {said}\n{question}\n{yaml.safe_dump(smallest, sort_keys=False)}"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_engine_and_the_twin_agree(shard: int) -> None:
    sets = max(1, CASES // PER_SET // SHARDS)
    compared = 0
    for number in range(sets):
        seed = FIRST_SEED + shard * 10_000_000 + number
        one = case(seed, PER_SET)
        engine = Engine(PolicySet.model_validate(one.policy_set))
        _KNOWN.clear()
        for question in one.questions:
            said = _compare(engine, one, one.policy_set, question)
            assert said is None, report(seed, one, question, said or "")
            compared += 1
    assert compared == sets * PER_SET


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_state_is_constant_up_to_the_flip_and_flipped_at_it(shard: int) -> None:
    for number in range(30):
        one = case(FIRST_SEED + shard * 10_000_000 + 5_000_000 + number, 10)
        engine = Engine(PolicySet.model_validate(one.policy_set))
        for question in one.questions:
            decision = fast(engine, question)
            flips_at = decision.flips_at
            if flips_at is None:
                continue
            steps = {question.at + (flips_at - question.at) * part // 7 for part in range(7)}
            for at in {*steps, flips_at - 1}:
                there = fast(engine, question._replace(at=at))
                assert (there.allowed, there.flips_at) == (decision.allowed, flips_at), (one, question, at)
            assert fast(engine, question._replace(at=flips_at)).allowed is not decision.allowed
