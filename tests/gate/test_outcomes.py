"""Reports on deploys, on both databases: kept all, the last one counts, and in the record."""

import asyncio
import json

import pytest

from app.core.decision import Question
from app.core.instant import DAY, HOUR
from app.gate import keys
from app.gate.claim import Claim
from app.gate.errors import ForbiddenError, StateConflictError, UnauthenticatedError, UnknownRecordError
from app.gate.keys import KeyRequest
from app.gate.outcomes import SHOWN, Outcomes, Report
from app.gate.store_cache import caller_of
from app.identity.caller import ANONYMOUS, Caller, Role
from app.store.records import DecidedFilter
from tests.gate.conftest import AFTER, BEFORE, Gate
from tests.store.records import assert_whole

pytestmark = pytest.mark.anyio

CI = Caller("pipeline", Role.CI, ("api", "web/*"), None)


@pytest.fixture
def outcomes(gate: Gate) -> Outcomes:
    gate.clock.at = BEFORE
    return Outcomes(gate.store, gate.clock, gate.cache)


async def claimed(gate: Gate, service: str = "api", change: str = "normal") -> str:
    """The id of a decision."""
    answer = await gate.claims.claim(Claim(Question(service, change=change)), gate.in_force)
    return str(json.loads(answer.body)["decision_id"])


async def test_every_report_is_kept_and_the_last_one_counts(gate: Gate, outcomes: Outcomes) -> None:
    own_id = await claimed(gate, change="rollback")
    gate.clock.at += HOUR
    await outcomes.report(CI, Report(own_id, "succeeded"))
    gate.clock.at += 10 * DAY
    await outcomes.report(ANONYMOUS, Report(own_id, "rolled-back", "INC-42"))
    shown = await outcomes.decision(own_id)
    assert [(each["result"], each["reported_by"], each["incident"]) for each in shown["outcomes"]] == [
        ("succeeded", "pipeline", None),
        ("rolled-back", None, "INC-42"),
    ]
    assert shown["outcomes"][1]["reported_at"] == "2026-12-07T13:59:59Z"
    found = gate.store.query(lambda view: view.decided(DecidedFilter(BEFORE, BEFORE + 1), (BEFORE, 0), 9))
    assert [(decided.change, decided.result) for _, decided in found] == [("rollback", "rolled-back")]


async def test_a_report_is_an_event_of_the_record(gate: Gate, outcomes: Outcomes) -> None:
    own_id = await claimed(gate)
    await outcomes.report(CI, Report(own_id, "failed", "Ünï ☂ <b> 'quoted' \"twice\""))
    event = gate.store.query(lambda view: view.newest_events(2**62, 1))[0]
    assert (event.kind, event.actor) == ("outcome-reported", "pipeline")
    told = {"id": own_id, "result": "failed", "incident": "Ünï ☂ <b> 'quoted' \"twice\""}
    assert json.loads(event.data) == {"outcome": told}
    assert_whole(gate.store)


async def test_reports_that_cannot_be_are_refused_and_leave_no_trace(gate: Gate, outcomes: Outcomes) -> None:
    own_id, other = await claimed(gate), await claimed(gate, "web")
    gate.clock.at = AFTER
    denied = await claimed(gate)
    before = gate.store.query(lambda view: view.head()).seq
    with pytest.raises(UnknownRecordError):
        await outcomes.report(CI, Report("dec_nothing", "failed"))
    with pytest.raises(UnknownRecordError):
        await outcomes.decision("dec_nothing")
    with pytest.raises(StateConflictError):
        await outcomes.report(CI, Report(denied, "succeeded"))
    with pytest.raises(ForbiddenError):
        await outcomes.report(CI, Report(other, "failed"))
    assert gate.store.query(lambda view: view.head()).seq == before
    await outcomes.report(CI, Report(own_id, "failed"))


async def test_a_key_that_was_revoked_reports_nothing(gate: Gate, outcomes: Outcomes) -> None:
    own_id = await claimed(gate)
    record, _ = keys.create(gate.store, gate.clock, KeyRequest("pipeline", Role.CI), "root")
    gate.cache.load()
    keys.revoke(gate.store, gate.clock, record.id, "root")
    with pytest.raises(UnauthenticatedError):
        await outcomes.report(caller_of(record), Report(own_id, "failed"))


async def test_reports_at_the_same_moment_are_all_kept_in_one_order(gate: Gate, outcomes: Outcomes) -> None:
    own_id = await claimed(gate)
    refused = Report("dec_nothing", "failed")
    reports = [Report(own_id, "failed", f"INC-{number}") for number in range(40)]
    results = await asyncio.gather(
        *(outcomes.report(CI, each) for report in reports for each in (report, refused)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, UnknownRecordError) for each in results) == 40
    shown = (await outcomes.decision(own_id))["outcomes"]
    assert sorted(each["incident"] for each in shown) == sorted(each.incident or "" for each in reports)
    assert_whole(gate.store)


async def test_of_very_many_reports_the_latest_are_shown(gate: Gate, outcomes: Outcomes) -> None:
    own_id = await claimed(gate)
    await asyncio.gather(*(outcomes.report(CI, Report(own_id, "failed")) for _ in range(SHOWN)))
    await outcomes.report(CI, Report(own_id, "succeeded"))
    shown = (await outcomes.decision(own_id))["outcomes"]
    assert len(shown) == SHOWN
    assert shown[-1]["result"] == "succeeded"


async def test_pages_of_decisions_join_without_gaps_or_repeats(gate: Gate, outcomes: Outcomes) -> None:
    for step in (0, 0, 0, 1, 0, 5):  # several at the same instant, across the ends of pages
        gate.clock.at += step
        await claimed(gate)
    wanted = DecidedFilter(BEFORE, BEFORE + 6)
    seen, after = [], (BEFORE, 0)
    while page := gate.store.query(lambda view, after=after: view.decided(wanted, after, 2)):  # type: ignore[misc]
        seen += [decided.at - BEFORE for _, decided in page]
        after = (page[-1][1].at, page[-1][0])
    assert seen == [0, 0, 0, 1, 1]


async def test_decisions_are_found_by_what_they_were_for(gate: Gate, outcomes: Outcomes) -> None:
    await claimed(gate)
    await claimed(gate, "web")
    await gate.claims.claim(Claim(Question("api", "staging", "hotfix")), gate.in_force)

    def count(service: str | None, environment: str | None, change: str | None = None) -> int:
        wanted = DecidedFilter(BEFORE, BEFORE + 1, service, environment, change)
        return len(gate.store.query(lambda view: view.decided(wanted, (BEFORE, 0), 9)))

    assert [count(None, None), count("api", None), count(None, "production")] == [3, 2, 2]
    assert [count("api", "staging"), count("web", "staging")] == [1, 0]
    assert [count(None, None, "hotfix"), count("web", None, "normal"), count("web", None, "hotfix")] == [
        1,
        1,
        0,
    ]
