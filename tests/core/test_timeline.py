"""What the timelines of single rules hand out."""

from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR, LATEST, parse_instant
from app.core.policy import PolicySet, Selector
from app.core.timeline import BLOCK_BITS, FreezeTimeline, block_span
from app.core.wallclock import zone

NOON = parse_instant("2026-11-26T12:00:00Z")
UTC = zone("UTC")


def freeze(starts_at: int, ends_at: int | None, lifted_at: int | None = None) -> Freeze:
    return Freeze(
        id="frz_1",
        title="Incident 42",
        reason="Payments are down.",
        contact=None,
        link=None,
        selector=Selector.model_validate({}),
        override="token",
        starts_at=starts_at,
        ends_at=ends_at,
        started_by="Alice",
        created_at=NOON,
        lifted_at=lifted_at,
    )


def test_a_freeze_that_was_lifted_before_it_started_hands_out_nothing() -> None:
    for ends_at in (NOON + 2 * DAY, None):
        for lifted_at in (NOON, NOON + DAY):  # well before it, and at its very start
            timeline = FreezeTimeline(freeze(NOON + DAY, ends_at, lifted_at), UTC)
            assert list(timeline.edges(NOON >> BLOCK_BITS)) == []
            assert list(timeline.stretches(NOON - DAY, LATEST)) == []
            assert [timeline.stretch(at) for at in (NOON, NOON + HOUR, NOON + DAY, NOON + 30 * HOUR)] == [
                None
            ] * 4


def test_a_freeze_holds_from_its_start_up_to_its_end() -> None:
    timeline = FreezeTimeline(freeze(NOON, NOON + DAY), UTC)
    assert list(timeline.edges(NOON >> BLOCK_BITS)) == [NOON, NOON + DAY]
    held = [timeline.stretch(at) is not None for at in (NOON - 1, NOON, NOON + DAY - 1, NOON + DAY)]
    assert held == [False, True, True, False]


def test_a_freeze_without_an_end_holds_through_every_later_block() -> None:
    timeline = FreezeTimeline(freeze(NOON, None), UTC)
    block = NOON >> BLOCK_BITS
    assert list(timeline.edges(block - 1)) == []
    assert list(timeline.edges(block)) == [NOON, block_span(block)[1]]
    assert list(timeline.edges(block + 9)) == list(block_span(block + 9))


def test_when_a_policy_let_go_last_is_known_only_while_it_holds_nothing() -> None:
    policy = {
        "id": "one",
        "title": "T",
        "reason": "R",
        "when": [
            {"dates": {"from": "2026-11-20 06:00", "to": "2026-11-21 06:00"}},
            {"dates": {"from": "2026-11-26 12:00", "to": "2026-11-26 18:00"}},
        ],
    }
    line = Engine(PolicySet.model_validate({"version": 1, "policies": [policy]})).timeline("one")
    ended = parse_instant("2026-11-21T06:00:00Z")
    asked = {
        ended - 1: None,
        ended: ended,
        NOON - 1: ended,
        NOON: None,
        NOON + 6 * HOUR: NOON + 6 * HOUR,
        NOON + 400 * DAY: NOON + 6 * HOUR,
        NOON - 7 * DAY: None,
    }
    assert {at: line.last_end(at) for at in asked} == asked


def test_an_engine_does_not_know_of_freezes_that_never_hold() -> None:
    nothing = Engine(PolicySet.model_validate({"version": 1, "policies": []}))
    assert nothing.with_freezes([freeze(NOON + DAY, None, NOON)]).freezes == ()
    assert nothing.with_freezes([freeze(NOON, None, NOON)]).freezes == ()
    lifted_later = freeze(NOON, None, NOON + 1)
    assert nothing.with_freezes([lifted_later]).freezes == (lifted_later,)
