"""The timelines of single rules."""

from app.core.decision import Question
from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR, LATEST, LOOK_AHEAD, format_instant, parse_instant
from app.core.policy import PolicySet, Selector
from app.core.timeline import BLOCK_BITS, BlockBudget, FreezeTimeline, block_span
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


def _engine(*policies: str) -> Engine:
    windows = [{"id": f"p{number}", "title": "T", "reason": "R"} for number in range(len(policies))]
    data = [
        {**each, "when": [{"dates": {"from": f"{when} 00:00", "to": f"{when} 12:00"}}]}
        for each, when in zip(windows, policies, strict=True)
    ]
    return Engine(PolicySet.model_validate({"version": 1, "policies": data}))


def test_a_stretch_that_begins_where_the_period_ends_is_not_of_it() -> None:
    line, begins = _engine("2026-11-27").timeline("p0"), parse_instant("2026-11-27T00:00:00Z")
    assert list(line.stretches(NOON, begins)) == []
    assert [stretch.start for stretch in line.stretches(NOON, begins + 1)] == [begins]
    assert list(line.stretches(begins + 12 * HOUR, LATEST)) == []


def test_a_flip_is_found_up_to_the_last_second_of_two_years_from_anywhere_in_a_block() -> None:
    begins = parse_instant("2028-11-27T00:00:00Z")
    question = Question("api")
    for shift in range(0, 1 << BLOCK_BITS, 1 << (BLOCK_BITS - 3)):
        begins_on = format_instant((begins + shift) // DAY * DAY)[:10]
        engine = _engine(begins_on)
        flips_at = parse_instant(f"{begins_on}T00:00:00Z")
        assert engine.decide(question, flips_at - LOOK_AHEAD).closes_at == flips_at
        assert engine.decide(question, flips_at - LOOK_AHEAD - 1).closes_at is None
        lasting = Question("api", duration=2)
        assert engine.decide(lasting, flips_at - LOOK_AHEAD - 1).closes_at == flips_at - 1
        assert engine.decide(lasting, flips_at - LOOK_AHEAD - 2).closes_at is None


class _Remembered:
    def __init__(self) -> None:
        self.forgotten: list[int] = []

    def forget(self, block: int) -> None:
        self.forgotten.append(block)


def test_a_budget_is_used_up_by_empty_blocks_too() -> None:
    budget, owner = BlockBudget(40), _Remembered()
    for block in range(5):
        budget.charge(owner, block, 0)
    assert owner.forgotten == [0, 1, 2]


def test_freezes_are_named_before_policies() -> None:
    engine = _engine("2026-11-26").with_freezes([freeze(NOON - HOUR, None)])
    decision = engine.decide(Question("api"), NOON - HOUR)
    assert [stretch.rule.id for stretch in decision.blocking] == ["frz_1", "p0"]


def test_a_question_does_not_run_into_a_freeze_that_is_over() -> None:
    engine = _engine("2026-11-26").with_freezes([freeze(NOON, NOON + HOUR)])
    found = {at: len(engine.freezes_for(Question("api"), at)) for at in (NOON + HOUR - 1, NOON + HOUR)}
    assert found == {NOON + HOUR - 1: 1, NOON + HOUR: 0}
