from typing import Any

import pytest

from app.core.answer import answer
from app.core.decision import Question
from app.core.errors import UnknownNameError
from app.core.freeze import FreezeState
from app.core.instant import DAY, HOUR
from app.core.policy import Selector
from app.gate.check import Span, check, schedule, status
from app.gate.errors import InvalidFieldError, StateConflictError, UnknownRecordError
from app.gate.feeds import Wanted, badge_of, feed
from app.gate.freezes import MAX_LENGTH, StartRequest, described
from app.gate.in_force import InForce, with_freezes
from app.gate.overview import weeks
from tests.gate.conftest import AFTER, BEFORE, OPS, OTHER, Gate
from tests.store.records import assert_whole

pytestmark = pytest.mark.anyio


def request(selector: dict[str, Any] | None = None, **wanted: Any) -> StartRequest:
    made = StartRequest(
        "Incident 42", "Payments are down.", Selector.model_validate(selector or {}), None, None
    )
    return made._replace(**wanted)


def blocked(gate: Gate, service: str = "api", environment: str = "production", **at: int) -> list[str]:
    decision = gate.in_force.engine.decide(Question(service, environment), at.get("at", gate.clock.at))
    return [stretch.rule.title for stretch in decision.blocking]


@pytest.fixture(autouse=True)
def open_hours(gate: Gate) -> None:
    gate.clock.at = BEFORE - HOUR


async def test_a_freeze_holds_at_once_and_until_its_end(gate: Gate) -> None:
    start = gate.clock.at
    freeze = await gate.freezes.start(OPS, request(ends_at=start + 600), gate.in_force)
    assert blocked(gate) == ["Incident 42"]
    assert blocked(gate, at=start + 599) == ["Incident 42"]
    assert blocked(gate, at=start + 600) == []
    assert described(freeze, start)["state"] == "active"
    assert described(freeze, start + 600)["state"] == "ended"
    assert_whole(gate.store)


async def test_a_scheduled_freeze_starts_later(gate: Gate) -> None:
    start = gate.clock.at + 600
    freeze = await gate.freezes.start(OPS, request(starts_at=start, ends_at=start + 60), gate.in_force)
    assert freeze.state(gate.clock.at) is FreezeState.SCHEDULED
    assert blocked(gate) == []
    decision = gate.in_force.engine.decide(Question("api", duration=601), gate.clock.at)
    assert [stretch.rule.id for stretch in decision.blocking] == [freeze.id]
    assert decision.opens_at == start + 60


@pytest.mark.parametrize(
    ("selector", "frozen"),
    [
        ({}, {("api", "production"), ("web", "production"), ("api", "staging"), ("web", "staging")}),
        ({"services": ["api"]}, {("api", "production"), ("api", "staging")}),
        ({"tags": ["tier-*"]}, {("api", "production"), ("api", "staging")}),
        ({"environments": ["staging"], "services": ["w*"]}, {("web", "staging")}),
    ],
)
async def test_a_freeze_stops_what_it_names(
    gate: Gate, selector: dict[str, Any], frozen: set[tuple[str, str]]
) -> None:
    await gate.freezes.start(OPS, request(selector), gate.in_force)
    asked = [
        (service, environment) for service in ("api", "web") for environment in ("production", "staging")
    ]
    assert {each for each in asked if blocked(gate, *each)} == frozen


@pytest.mark.parametrize("selector", [{"environments": ["moon"]}, {"services": ["moon"]}, {"tags": ["moon"]}])
async def test_a_freeze_that_names_what_is_not_there_is_refused(gate: Gate, selector: dict[str, Any]) -> None:
    with pytest.raises(UnknownNameError):
        await gate.freezes.start(OPS, request(selector), gate.in_force)
    assert gate.in_force.engine.freezes == ()


@pytest.mark.parametrize(
    ("starts", "ends", "field"),
    [(-1, 60, "starts_at"), (0, 0, "until"), (60, 60, "until"), (0, MAX_LENGTH + 1, "until")],
)
async def test_a_freeze_ends_after_it_starts_and_within_a_year(
    gate: Gate, starts: int, ends: int, field: str
) -> None:
    now = gate.clock.at
    with pytest.raises(InvalidFieldError) as caught:
        await gate.freezes.start(OPS, request(starts_at=now + starts, ends_at=now + ends), gate.in_force)
    assert caught.value.field == field


async def test_a_freeze_is_extended_shortened_opened_and_closed_again(gate: Gate) -> None:
    now = gate.clock.at
    freeze = await gate.freezes.start(OPS, request(ends_at=now + 600), gate.in_force)
    for ends_at in (now + 900, now + 300, None, now + 60):
        extended = await gate.freezes.extend(OTHER, freeze.id, ends_at)
        assert extended.ends_at == ends_at
        assert gate.in_force.engine.freezes == (extended,)
    with pytest.raises(InvalidFieldError):
        await gate.freezes.extend(OTHER, freeze.id, now)
    with pytest.raises(InvalidFieldError):
        await gate.freezes.extend(OTHER, freeze.id, now + MAX_LENGTH + 1)
    gate.clock.at = now + 60
    with pytest.raises(StateConflictError, match="ended"):
        await gate.freezes.extend(OTHER, freeze.id, now + 900)
    assert_whole(gate.store)


async def test_a_freeze_is_lifted_once_and_the_record_stays(gate: Gate) -> None:
    now = gate.clock.at
    freeze = await gate.freezes.start(OPS, request(), gate.in_force)
    gate.clock.at += 60
    lifted = await gate.freezes.lift(OTHER, freeze.id)
    assert blocked(gate) == []
    assert blocked(gate, at=now + 59) == ["Incident 42"]
    assert (lifted.lifted_by, lifted.lifted_at) == ("Bob", now + 60)
    gate.clock.at += 60
    assert await gate.freezes.lift(OPS, freeze.id) == lifted
    assert await gate.freezes.show(freeze.id) == lifted
    assert await gate.freezes.newest(None, 9) == [lifted]
    with pytest.raises(StateConflictError):
        await gate.freezes.extend(OPS, freeze.id, None)


async def test_a_freeze_that_is_lifted_before_it_starts_leaves_no_trace_in_any_answer(gate: Gate) -> None:
    now = gate.clock.at = BEFORE - 2 * DAY  # it starts in an hour; Friday's own freeze comes in two days
    before = _seen(gate, now)
    closed_before = gate.in_force.engine.decide(Question("api"), now).closes_at
    freeze = await gate.freezes.start(
        OPS, request(starts_at=now + HOUR, ends_at=now + 4 * HOUR), gate.in_force
    )
    assert gate.in_force.engine.decide(Question("api"), now).closes_at == now + HOUR
    assert _seen(gate, now) != before
    await gate.freezes.lift(OPS, freeze.id)
    assert gate.in_force.engine.decide(Question("api"), now).closes_at == closed_before
    for at in (now, now + 1, now + HOUR, now + 2 * HOUR, AFTER):
        with_it, without = gate.in_force, with_freezes(gate.in_force, (), 0)
        assert _seen(gate, at, with_it) == _seen(gate, at, without)


def _seen(gate: Gate, at: int, in_force: InForce | None = None) -> list[object]:
    """Every kind of answer that is given of an instant, without the instants of loading."""
    in_force = in_force or gate.in_force
    question = Question("api")
    decision = check(in_force, question, at)
    shown = status(in_force, None, None, at, gate.clock.at)
    span = Span(at, at + 7 * DAY)
    return [
        answer(decision, in_force.home, in_force.revision),
        answer(check(in_force, question._replace(duration=2 * HOUR), at), in_force.home, in_force.revision),
        [shown["environments"], shown["freezes"], shown["warnings"]],
        schedule(in_force, question, span),
        badge_of(in_force, Wanted("production"), None, at),
        feed(in_force, Wanted("production", "api"), span, 0),
        weeks(in_force, "production", at),
        in_force.engine.freezes_for(question, at),
    ]


async def test_a_freeze_stands_in_the_schedule_and_the_status(gate: Gate) -> None:
    now = gate.clock.at
    freeze = await gate.freezes.start(OPS, request(starts_at=now + 60, ends_at=now + 120), gate.in_force)
    segments = schedule(gate.in_force, Question("api"), Span(now, now + 180))["segments"]
    assert [(segment["allowed"], [each["id"] for each in segment["blocking"]]) for segment in segments] == [
        (True, []),
        (False, [freeze.id]),
        (True, []),
    ]
    upcoming = status(gate.in_force, None, None, now, now)["freezes"]["upcoming"]
    assert upcoming[0]["id"] == freeze.id
    active = status(gate.in_force, None, None, now + 60, now)["freezes"]["active"]
    assert active[0]["kind"] == "freeze"


async def test_an_open_ended_freeze_is_pointed_out_after_a_day(gate: Gate) -> None:
    start = gate.clock.at
    await gate.freezes.start(OPS, request(), gate.in_force)
    told = [status(gate.in_force, None, None, at, at)["warnings"] for at in (start + DAY - 1, start + DAY)]
    assert told[0] == []
    assert told[1] == [
        "Incident 42: this freeze has no end, and Alice started it 1 d ago. Is it still needed?"
    ]


async def test_what_nobody_started_is_unknown(gate: Gate) -> None:
    with pytest.raises(UnknownRecordError):
        await gate.freezes.show("frz_0")
    with pytest.raises(UnknownRecordError):
        await gate.freezes.lift(OPS, "frz_0")
    with pytest.raises(UnknownRecordError):
        await gate.freezes.extend(OPS, "frz_0", None)
