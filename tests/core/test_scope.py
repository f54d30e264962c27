"""Looking far ahead stays cheap enough, and off the loop where it is not."""

import pytest

from app.core.decision import Question
from app.core.engine import Engine
from app.core.instant import DAY, HOUR, MINUTE, parse_instant
from app.policies.load import load
from app.policies.source import Snapshot

FRIDAY = parse_instant("2026-11-27T13:00:00Z")


def engine(when: str) -> Engine:
    policy = f"{{id: rule, title: T, reason: R., when: [{when}]}}"
    return load(Snapshot.of(f"version: 1\npolicies:\n  - {policy}\n")).engine


WEEKEND = "{weekly: {from: fri 13:00, to: mon 08:00}}"
HOURLY = '{cron: {start: "0 * * * *", duration: 30m}}'


def test_what_fits_before_the_next_freeze_needs_no_thread() -> None:
    friday = engine(WEEKEND)
    question = Question("api", duration=HOUR)
    friday.decide(question, FRIDAY - DAY)
    assert friday.is_prepared(question, FRIDAY - DAY)
    assert friday.is_prepared(question, FRIDAY - HOUR)


@pytest.mark.parametrize("at", [FRIDAY - HOUR + 1, FRIDAY, FRIDAY + DAY])
def test_what_does_not_fit_is_looked_for_in_a_thread(at: int) -> None:
    friday = engine(WEEKEND)
    question = Question("api", duration=HOUR)
    friday.decide(question, at)
    assert not friday.is_prepared(question, at)
    assert friday.is_prepared(Question("api"), at)


def test_a_deploy_that_never_fits_has_no_start_within_two_years() -> None:
    decision = engine(HOURLY).decide(Question("api", duration=31 * MINUTE), FRIDAY)
    assert (decision.allowed, decision.opens_at) == (False, None)


def test_a_deploy_that_just_fits_starts_when_the_freeze_ends() -> None:
    decision = engine(HOURLY).decide(Question("api", duration=30 * MINUTE), FRIDAY + MINUTE)
    assert decision.opens_at == FRIDAY + 30 * MINUTE


def test_what_follows_is_found_once_for_all_instants_of_a_segment() -> None:
    first = "{id: first, title: A, reason: R., when: [{weekly: {from: fri 13:00, to: fri 14:00}}]}"
    then = "{id: then, title: B, reason: R., when: [{weekly: {from: fri 14:00, to: mon 08:00}}]}"
    both = load(Snapshot.of(f"version: 1\npolicies:\n  - {first}\n  - {then}\n")).engine
    one, two, later = (
        both.decide(Question("api"), FRIDAY + at) for at in (0, 30 * MINUTE, HOUR + 30 * MINUTE)
    )
    assert [each.rule.id for each in one.following] == ["then"]
    assert two.following is one.following
    assert later.following == ()
    assert both.decide(Question("api"), FRIDAY).following == one.following
