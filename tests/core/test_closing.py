"""An open answer names what will close it."""

from app.core.decision import Decision, Question
from app.core.decision_json import decision_to_json
from app.core.engine import Engine
from app.core.explain import message, state
from app.core.instant import DAY, HOUR, LOOK_AHEAD, parse_instant
from app.core.wallclock import zone
from app.policies.load import load
from app.policies.source import Snapshot

HOME = zone("Europe/Amsterdam")
MONDAY = parse_instant("2026-11-30T07:00:00Z")
FRIDAY = parse_instant("2026-12-04T13:00:00Z")

POLICIES = """version: 1
timezone: Europe/Amsterdam
policies:
  - {id: friday, title: No deploys on Friday., reason: x, when: [{weekly: {from: fri 14:00, to: mon 08:00}}]}
  - {id: note, title: Note, reason: x, effect: warn, when: [{weekly: {from: fri 14:00, to: fri 15:00}}]}
  - {id: audit, title: Audit, reason: x, when: [{dates: {from: 2026-12-04 14:00, to: 2026-12-05}}]}
  - {id: later, title: Later, reason: x, when: [{dates: {from: 2026-12-04 14:01, to: 2026-12-05}}]}
"""


def engine(policies: str = POLICIES) -> Engine:
    return load(Snapshot.of(policies)).engine


def ids(decision: Decision) -> list[str]:
    return [stretch.rule.id for stretch in decision.closing]


def test_an_open_answer_names_every_rule_that_closes_it_and_no_other() -> None:
    decision = engine().decide(Question("api"), MONDAY)
    assert decision.closes_at == FRIDAY
    assert ids(decision) == ["friday", "audit"]
    told = decision_to_json(decision, HOME, "sha256:0")
    assert [(each["id"], each["from"], each["until"]) for each in told["closing"]] == [
        ("friday", "2026-12-04T13:00:00Z", "2026-12-07T07:00:00Z"),
        ("audit", "2026-12-04T13:00:00Z", "2026-12-05T23:00:00Z"),
    ]
    assert set(told["closing"][0]) == set(decision_to_json(_frozen(), HOME, "sha256:0")["blocking"][0])


def _frozen() -> Decision:
    return engine().decide(Question("api"), FRIDAY)


def test_the_sentence_says_it() -> None:
    decision = engine().decide(Question("api"), MONDAY)
    closes = "Closes Fri 4 Dec 14:00 CET, in 4 d 6 h: No deploys on Friday; Audit."
    assert message(decision, HOME) == f"api may be deployed to production. {closes}"
    assert state(decision, HOME) == f"production is open. {closes}"


def test_the_sentence_tells_the_time_of_the_rule_that_closes_it() -> None:
    abroad = POLICIES.replace("{id: friday,", "{id: friday, timezone: America/New_York,")
    decision = engine(abroad).decide(Question("api"), parse_instant("2026-12-08T12:00:00Z"))
    assert "Closes Fri 11 Dec 14:00 EST, in 3 d 7 h: No deploys" in message(decision, HOME)


def test_a_frozen_answer_names_nothing_that_closes_it() -> None:
    assert _frozen().closing == ()
    assert decision_to_json(_frozen(), HOME, "sha256:0")["closing"] == []


def test_with_a_duration_what_the_deploy_would_run_into_is_named() -> None:
    decision = engine().decide(Question("api", duration=2 * HOUR), MONDAY)
    assert decision.closes_at == FRIDAY - 2 * HOUR + 1
    assert ids(decision) == ["friday", "audit"]


def test_a_closing_rule_two_years_ahead_is_named_and_none_beyond() -> None:
    far = engine(
        "version: 1\npolicies:\n"
        "  - {id: far, title: T, reason: R, when: [{dates: {from: 2028-12-01, to: 2028-12-01}}]}\n"
    )
    start = parse_instant("2028-12-01T00:00:00Z")
    for duration in (0, HOUR):
        # With a duration, the last start that fits lies that much before the freeze.
        closes = start - max(duration - 1, 0)
        question = Question("api", duration=duration)
        assert ids(far.decide(question, closes - LOOK_AHEAD)) == ["far"]
        beyond = far.decide(question, closes - LOOK_AHEAD - 1)
        assert (beyond.closes_at, beyond.closing) == (None, ())


def test_the_closing_rule_is_the_same_whether_or_not_its_block_is_compiled() -> None:
    apart = engine(
        "version: 1\npolicies:\n"
        "  - {id: one, title: T, reason: R, when: [{dates: {from: 2027-12-01, to: 2027-12-01}}]}\n"
        "  - {id: two, title: T, reason: R, when: [{dates: {from: 2027-11-30, to: 2027-12-03}}]}\n"
        "  - {id: three, title: T, reason: R, effect: warn, when: [{always: true}]}\n"
    )
    question, at = Question("api"), parse_instant("2026-12-01T00:00:00Z")
    fresh = apart.decide(question, at)
    assert ids(fresh) == ["two"]
    apart.decide(question, parse_instant("2027-11-30T00:00:00Z"))
    assert apart.decide(question, at + 1).closing == fresh.closing


def test_it_is_found_once_for_all_instants_of_a_segment() -> None:
    decided = engine()
    first = decided.decide(Question("api"), MONDAY)
    again = decided.decide(Question("api"), MONDAY + DAY)
    assert again.closing is first.closing
    after = decided.decide(Question("api"), MONDAY + 7 * DAY)
    assert ids(after) == ["friday"]
    assert decided.decide(Question("api"), MONDAY).closing == first.closing
