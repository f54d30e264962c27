"""Polling is safe: a claim that is repeated for the same deploy counts once, and stands in the record."""

import asyncio
from typing import Any

import pytest

from app.core.backtest import Recorded
from app.core.decision import Question, together
from app.core.deploy_key import deploy_key
from app.core.instant import DAY, HOUR, parse_instant
from app.gate.backtest import BacktestRequest, backtest
from app.gate.claim import Claim
from app.gate.decision_rows import is_plain_row
from app.gate.insights import InsightsRequest, insights
from app.gate.outcomes import Outcomes, Report
from app.gate.record import DecisionFilter, decisions, verify
from app.identity.caller import Caller, Role
from app.store.records import DecidedFilter
from tests.gate.conftest import AFTER, Gate

pytestmark = pytest.mark.anyio

CI = Caller("pipeline", Role.CI)
OPENS = parse_instant("2026-11-30T07:00:00Z")


def claim(deploy_id: str | None = "run-1", service: str = "api", **other: Any) -> Claim:
    given = {"question": Question(service), "caller": CI, **other}
    return Claim(deploy_id=deploy_id, **given)


async def poll(gate: Gate, at: int, wanted: Claim) -> dict[str, Any]:
    gate.clock.at = at
    claimed = await gate.claims.claim(wanted, gate.in_force)
    newest = gate.store.query(lambda view: decisions(view, DecisionFilter(), None, 1)).items[0]
    assert newest["allowed"] is claimed.allowed
    assert claimed.repeats is (newest["repeats"] is not None)
    return newest


def counted(gate: Gate) -> dict[str, Any]:
    wanted = InsightsRequest(AFTER - DAY, OPENS + DAY)
    return insights(gate.store.query, gate.in_force, wanted, OPENS + DAY)


async def test_a_hundred_polls_through_deny_to_allow_are_one_deploy_with_its_wait(gate: Gate) -> None:
    step = (OPENS - AFTER) // 98
    for number in range(99):
        await poll(gate, AFTER + number * step, claim())
    allowed = await poll(gate, OPENS + 60, claim())
    again = await poll(gate, OPENS + 120, claim())
    assert (allowed["repeats"], again["repeats"]) == (None, allowed["decision_id"])
    found = counted(gate)
    assert (found["totals"]["decisions"], found["totals"]["deploys"], found["totals"]["denials"]) == (2, 1, 1)
    assert found["policies"][0]["denials"] == 1
    assert (found["waits"]["count"], found["waits"]["median_s"]) == (1, OPENS + 60 - AFTER)
    assert sum(hour["deploys"] + hour["denials"] for hour in found["hours"]) == 2
    every = gate.store.query(lambda view: decisions(view, DecisionFilter(), None, 500)).items
    assert (len(every), {each["deploy_id"] for each in every}) == (101, {"run-1"})
    once = gate.store.query(lambda view: decisions(view, DecisionFilter(once=True), None, 500)).items
    assert [each["outcome"] for each in once] == ["allow", "deny"]
    assert verify(gate.store.query).whole


async def test_a_backtest_judges_each_deploy_once(gate: Gate) -> None:
    for number in range(10):
        await poll(gate, AFTER + number, claim())
    for number in range(10):
        await poll(gate, OPENS + number, claim())
    period = BacktestRequest(AFTER - DAY, OPENS + DAY)
    found = backtest(gate.store.query, gate.in_force.engine.compiled, period)
    assert (found.progress.total, found.progress.decisions, found.found.deploys.deploys) == (2, 2, 1)
    recorded: list[Recorded] = gate.store.query(
        lambda view: view.recorded(DecidedFilter(AFTER - DAY, OPENS + DAY), (AFTER - DAY, 0), 99)
    )
    assert [each.outcome for each in recorded] == ["deny", "allow"]


@pytest.mark.parametrize(
    "other",
    [
        claim("run-2"),
        claim(None),
        claim(service="web"),
        claim(question=Question("api", "staging")),
        claim(question=Question("api", change="rollback")),
        claim(question=together(["api", "web"])),
        claim(caller=Caller("another", Role.CI)),
    ],
    ids=["id", "no id", "service", "environment", "change", "services", "caller"],
)
async def test_another_deploy_is_counted_by_itself(gate: Gate, other: Claim) -> None:
    await poll(gate, AFTER, claim())
    assert (await poll(gate, AFTER + 1, other))["repeats"] is None
    assert counted(gate)["totals"]["decisions"] == 2


async def test_the_services_of_one_deploy_may_be_named_in_any_order(gate: Gate) -> None:
    first = await poll(gate, AFTER, claim(question=together(["api", "web"])))
    again = await poll(gate, AFTER + 1, claim(question=together(["web", "api"])))
    assert again["repeats"] == first["decision_id"]
    assert verify(gate.store.query).whole


async def test_the_duration_and_the_ref_may_change_meanwhile(gate: Gate) -> None:
    first = await poll(gate, AFTER, claim(ref="a"))
    again = await poll(gate, AFTER + 1, claim(question=Question("api", duration=600), ref="b"))
    assert again["repeats"] == first["decision_id"]


async def test_polls_of_the_same_batch_and_of_another_replica_are_seen(gate: Gate, other: Gate) -> None:
    gate.clock.at = AFTER
    many = [gate.claims.claim(claim(), gate.in_force) for _ in range(20)]
    many += [other.claims.claim(claim(), other.in_force) for _ in range(20)]
    answers = await asyncio.gather(*many)
    assert sum(not each.repeats for each in answers) == 1


async def test_a_report_on_a_repeated_claim_is_one_on_the_deploy(gate: Gate) -> None:
    first = await poll(gate, OPENS, claim())
    again = await poll(gate, OPENS + 1, claim())
    outcomes = Outcomes(gate.store, gate.clock, gate.cache)
    reported = await outcomes.report(CI, Report(again["decision_id"], "failed"))
    assert reported.decision_id == first["decision_id"]
    for decision_id in (first["decision_id"], again["decision_id"]):
        [shown] = (await outcomes.decision(decision_id))["outcomes"]
        assert shown["result"] == "failed"
    assert (counted(gate)["totals"]["reported"], counted(gate)["totals"]["failed"]) == (1, 1)


async def test_those_who_are_told_of_the_opening_are_counted_once(gate: Gate) -> None:
    for number in range(5):
        await poll(gate, AFTER + number, claim(caller=Caller("", Role.CI)))
    denials = gate.store.query(lambda view: view.denials(0, 99))
    assert len(denials) == 1


async def test_an_idempotency_key_stands_for_the_deploy_id_too(gate: Gate) -> None:
    one, same, other = (claim(each, idempotency_key="k") for each in ("run-1", "run-1", "run-2"))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert claim(None).fingerprint != one.fingerprint


async def test_each_row_is_proven_by_its_event(gate: Gate) -> None:
    await poll(gate, AFTER, claim())
    await poll(gate, AFTER + HOUR, claim(None))
    rows = gate.store.query(lambda view: view.decision_rows(0, 9))
    links = gate.store.query(lambda view: view.events_after(0, 9))
    plain = [is_plain_row(link, rows[link.seq]) for link in links if link.seq in rows]
    assert plain == [False, True]
    hidden = next(iter(rows.values()))._replace(deploy=None)
    assert not is_plain_row(next(link for link in links if link.seq in rows), hidden)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE decisions SET deploy = NULL", "deploy"),
        ("UPDATE decisions SET repeats = 'dec_1' WHERE repeats IS NULL", "repeats"),
        ("UPDATE decisions SET repeats = NULL WHERE repeats IS NOT NULL", "repeats"),
    ],
)
async def test_a_count_that_was_tampered_with_is_found(gate: Gate, statement: str, what: str) -> None:
    await poll(gate, AFTER, claim())
    await poll(gate, AFTER + 1, claim())
    connection = gate.store._database.connect()
    connection.raw.execute(statement)
    connection.raw.commit()
    connection.raw.close()
    found = verify(gate.store.query)
    # What is counted from the rows may differ as well.
    assert {each.table for each in found.differences} - {"rollups"} == {"decisions"}
    assert what in found.differences[0].what


def test_a_key_tells_apart_what_could_be_written_the_same() -> None:
    keys = {
        deploy_key("1", "a", ["api"], "production", "normal"),
        deploy_key("1", "a", ["api", "b"], "production", "normal"),
        deploy_key("1a", "", ["api"], "production", "normal"),
        deploy_key("1", "a", ["api"], "normal", "production"),
    }
    assert len(keys) == 4
    assert deploy_key(None, "a", ["api"], "production", "normal") is None
