import pytest

from app.core.decision import Question
from app.core.engine import Engine
from app.core.explain import message
from app.core.instant import parse_instant
from app.core.wallclock import zone
from app.policies.load import load
from app.policies.source import Snapshot

POLICIES = """version: 1
timezone: Europe/Amsterdam
policies:
  - {id: friday, title: Friday, reason: x, when: [{weekly: {from: fri 14:00, to: mon 08:00}}]}
  - {id: closing, title: The books are closed, reason: x, when: [{dates: {from: 2026-11-29, to: 2026-12-02}}]}
  - {id: never, title: Elsewhere, reason: x, when: [{dates: {from: 2027-11-29, to: 2027-12-02}}]}
"""


def engine() -> Engine:
    return load(Snapshot.of(POLICIES)).engine


def test_a_rule_that_prolongs_a_freeze_is_named() -> None:
    decision = engine().decide(Question("api"), parse_instant("2026-11-27T13:00:00Z"))
    assert [stretch.rule.id for stretch in decision.blocking] == ["friday"]
    assert [stretch.rule.id for stretch in decision.following] == ["closing"]
    assert message(decision, zone("Europe/Amsterdam")) == (
        "api may not be deployed to production: Friday; then The books are closed. "
        "Opens Thu 3 Dec 00:00 CET, in 5 d 10 h."
    )


@pytest.mark.parametrize(
    ("until", "then"),
    [("14:59:59", []), ("15:00", []), ("15:00:01", ["second"])],
    ids=["ends before the first", "ends with the first", "outlasts the first by a second"],
)
def test_a_later_rule_that_does_not_prolong_it_is_not_named(until: str, then: list[str]) -> None:
    policies = f"""version: 1
policies:
  - {{id: first, title: A, reason: R., when: [{{dates: {{from: 2026-11-27 13:00, to: 2026-11-27 15:00}}}}]}}
  - id: second
    title: B
    reason: R.
    when: [{{dates: {{from: 2026-11-27 14:00, to: "2026-11-27 {until}"}}}}]
"""
    decision = load(Snapshot.of(policies)).engine.decide(
        Question("api"), parse_instant("2026-11-27T13:30:00Z")
    )
    assert [stretch.rule.id for stretch in decision.following] == then


def test_where_nothing_follows_nothing_is_said_of_it() -> None:
    decision = engine().decide(Question("api"), parse_instant("2026-12-04T13:00:00Z"))
    assert decision.following == ()
    assert "then" not in message(decision, zone("Europe/Amsterdam"))


def test_the_present_is_remembered_all_the_same() -> None:
    decided = engine()
    at = parse_instant("2026-11-27T13:00:00Z")
    scope = decided.scope("api", "production", "normal")
    decided.decide(Question("api"), at)
    assert scope._present.start <= at < scope._present.end


def test_a_deploy_that_something_blocks_now_is_not_said_to_run_into_it() -> None:
    question = Question("api", duration=2 * 86_400)
    decision = engine().decide(question, parse_instant("2026-11-27T13:00:00Z"))
    assert [stretch.rule.id for stretch in decision.blocking] == ["friday", "closing"]
    assert "run into" not in message(decision, zone("Europe/Amsterdam"))
    earlier = engine().decide(question, parse_instant("2026-11-27T12:59:59Z"))
    assert "a deploy of 2d would run into: Friday; The books are closed." in message(
        earlier, zone("Europe/Amsterdam")
    )
