"""The shipped policies.yaml does what the README and the contract say of it."""

from pathlib import Path

from app.core.decision import Decision, Outcome, Question
from app.core.explain import message
from app.core.instant import parse_instant
from app.core.wallclock import zone
from app.policies.load import load
from app.policies.selftest import run
from app.policies.source import Source

LOADED = load(Source(Path(__file__).parents[2] / "policies.yaml").read())
HOME = zone(LOADED.policy_set.timezone)


def decide(at: str, service: str = "checkout", change: str = "normal") -> Decision:
    return LOADED.engine.decide(Question(service, change=change), parse_instant(at))


def test_it_loads_without_a_warning_and_its_own_tests_pass() -> None:
    assert LOADED.warnings == ()
    results = run(LOADED)
    assert len(results) >= 8
    assert all(result.passed for result in results)


def test_it_is_open_until_friday_14_00_and_closed_from_then_on() -> None:
    assert decide("2026-11-27T12:59:59Z").outcome is Outcome.ALLOW
    closed = decide("2026-11-27T13:00:00Z")
    assert closed.outcome is Outcome.DENY
    assert closed.opens_at == parse_instant("2026-11-30T07:00:00Z")


def test_the_message_is_that_of_the_contract() -> None:
    assert message(decide("2026-11-27T13:05:00Z"), HOME) == (
        "checkout may not be deployed to production: No deploys after Friday 14:00. "
        "Opens Mon 30 Nov 08:00 CET, in 2 d 17 h 55 min."
    )


def test_rollbacks_are_let_through_but_not_while_the_books_are_being_closed() -> None:
    assert decide("2026-11-28T12:00:00Z", change="rollback").allowed
    year_end = decide("2026-12-22T12:00:00Z", change="rollback")
    assert [stretch.rule.id for stretch in year_end.blocking] == ["year-end"]
    assert year_end.blocking[0].rule.overridable == "never"


def test_late_in_the_evening_it_warns_and_allows() -> None:
    late = decide("2026-11-24T22:00:00Z")
    assert late.outcome is Outcome.WARN
    assert [stretch.rule.id for stretch in late.warnings] == ["late-evening"]
