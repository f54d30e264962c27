"""The vetoes over very many requests agree with the engine, and with the rules of running deploys."""

import random

import pytest

from app.core.continuation import LONGEST_RUN, continued
from app.core.decision import Question
from app.core.engine import Engine
from app.core.instant import DAY, HOUR, MINUTE, parse_instant
from app.core.vetoes import Vetoes
from app.policies.load import load
from app.policies.source import Snapshot

POLICIES = """\
version: 1
timezone: Europe/Amsterdam
services:
  api: {tags: [tier-1]}
policies:
  - {id: friday, title: t, reason: r, when: [{weekly: {from: fri 14:00, to: mon 08:00}}]}
  - {id: noon, title: t, reason: r, running: stop, when: [{daily: {from: "12:00", to: "13:00"}}]}
  - {id: night, title: t, reason: r, effect: warn, when: [{daily: {from: "22:00", to: "06:00"}}]}
  - {id: tea, title: t, reason: r, override: never, applies_to: {tags: [tier-1]},
     when: [{daily: {from: "15:00", to: "15:20"}}]}
"""
PERIOD = parse_instant("2026-11-02T00:00:00Z"), parse_instant("2026-11-30T00:00:00Z")


def test_they_are_those_of_the_engine_for_deploys_and_for_later_steps() -> None:
    engine = Engine(load(Snapshot.of(POLICIES)).policy_set)
    vetoes, rng = Vetoes(engine.compiled, PERIOD), random.Random(1)
    ids = [policy.id for policy in engine.policy_set.policies]
    for _ in range(600):
        service = rng.choice(["api", "web"])
        question = Question(service, duration=rng.choice([0, 1, 600, 2 * HOUR, DAY, 3 * DAY]))
        at = rng.randrange(*PERIOD)
        coverage = vetoes.coverage(*question[:3])
        decision = engine.decide(question, at)
        veto = vetoes.of_deploy(coverage, at, question.duration)
        assert [ids[number] for number in veto.policies] == [each.rule.id for each in decision.blocking]
        assert veto.for_good is any(each.rule.overridable == "never" for each in decision.blocking)

        running = rng.choice([HOUR, 5 * HOUR, DAY, 3 * DAY])
        first_at = at - rng.randrange(min(running, LONGEST_RUN))
        until = first_at + min(running, LONGEST_RUN)
        everything = engine.scope(*question[:3])
        step, _ = continued(everything, engine.stopping(question), decision, until)
        veto = vetoes.of_step(coverage, at, question.duration, (first_at, running))
        assert [ids[number] for number in veto.policies] == [each.rule.id for each in step.blocking]


def test_few_sets_of_vetoes_are_held_and_those_that_were_dropped_are_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(load(Snapshot.of(POLICIES)).policy_set)
    vetoes = Vetoes(engine.compiled, PERIOD)
    coverage = vetoes.coverage("api", "production", "normal")
    friday = parse_instant("2026-11-27T13:10:00Z")
    monkeypatch.setattr("app.core.vetoes._MOST_VETOES", 1)
    for _ in range(2):
        assert vetoes.of_deploy(coverage, friday, 0).policies == (0,)
        assert vetoes.of_deploy(coverage, friday, 2 * HOUR).policies == (0, 3)
        assert not vetoes.of_deploy(coverage, friday - HOUR, 10 * MINUTE)
