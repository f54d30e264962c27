"""A claim for several services: allowed only if each is, and one record, on both databases."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.core.decision import Question, joined, together
from app.core.engine import Engine
from app.core.errors import TooManyRulesError
from app.core.instant import HOUR, LATEST, MINUTE
from app.core.notification import Occasion
from app.core.policy import Selector
from app.gate.backtest import BacktestRequest, backtest
from app.gate.claim import Claim
from app.gate.denied_requests import MOST_SERVICES, Openings, Waiting, read_waiting
from app.gate.errors import ForbiddenError, IdempotencyConflictError, StateConflictError
from app.gate.freezes import StartRequest
from app.gate.insights import InsightsRequest, insights
from app.gate.outcomes import Outcomes, Report
from app.gate.overrides import GrantRequest
from app.gate.record import DecisionFilter, decisions, verify
from app.gate.replay import replay
from app.identity.caller import Caller, Role
from app.identity.credentials import digest
from app.store.records import DecidedFilter
from tests.api.fakes import FakeClock
from tests.gate.conftest import AFTER, OPS, Gate, gate_on
from tests.gate.test_notifications import notifying, told
from tests.store.records import assert_whole

pytestmark = pytest.mark.anyio

BOTH = ("api", "web")
OPEN = AFTER + 71 * HOUR
"""Monday noon."""
CI = Caller("pipeline", Role.CI)


async def claim(gate: Gate, *services: str, duration: int = 0, **rest: Any) -> dict[str, Any]:
    one = Question(services[0], duration=duration)
    question = together(services, duration=duration) if len(services) > 1 else one
    claimed = await gate.claims.claim(Claim(question, **rest), gate.in_force)
    body: dict[str, Any] = json.loads(claimed.body)
    return body


async def freeze(gate: Gate, *services: str, **rest: Any) -> str:
    selector = Selector.model_validate({"services": [*services]})
    wanted = StartRequest("Incident", "It burns.", selector, None, None)._replace(**rest)
    return (await gate.freezes.start(OPS, wanted, gate.in_force)).id


async def grant(gate: Gate, *services: str, **rest: Any) -> str:
    request = GrantRequest(services, ("production",), None, "The fix.", gate.clock.at + HOUR, 2)
    _, token = await gate.overrides.grant(OPS, request._replace(**rest), gate.in_force)
    return digest(token)


def listed(gate: Gate, service: str, most: int = 50) -> list[str]:
    """The ids of the decisions of a service, page by page."""
    found: list[str] = []
    before: int | None = None
    while True:
        page = gate.store.query(partial(decisions, wanted=DecisionFilter(service), before=before, most=most))
        found += [each["decision_id"] for each in page.items]
        if page.next is None:
            return found
        before = int(page.next)


def assert_replays(gate: Gate, *bodies: dict[str, Any]) -> None:
    for body in bodies:
        replayed = gate.store.query(lambda view, own_id=body["decision_id"]: replay(view, own_id))  # type: ignore[misc]
        assert replayed.same, replayed


def parts_of(body: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(each["service"], each["outcome"], each["allowed"], each["blocking"]) for each in body["parts"]]


async def test_it_is_one_record_that_is_found_by_each_of_its_services(gate: Gate) -> None:
    gate.clock.at = OPEN
    own_id = await freeze(gate, "web")
    alone = await claim(gate, "api")
    both = await claim(gate, *BOTH)
    web = await claim(gate, "web")
    again = await claim(gate, "web", "api", "docs")
    assert "services" not in alone
    assert (both["allowed"], both["service"], both["services"]) == (False, "api and web", [*BOTH])
    assert parts_of(both) == [("api", "allow", True, []), ("web", "deny", False, [own_id])]
    assert [each["id"] for each in both["blocking"]] == [own_id]
    assert "api and web may not be deployed to production: Incident" in both["message"]
    assert "for web. It does not open within two years." in both["message"]
    ids = [each["decision_id"] for each in (again, both, alone)]
    assert [listed(gate, "api", most) for most in (1, 2, 50)] == [ids] * 3
    assert listed(gate, "web") == [each["decision_id"] for each in (again, web, both)]
    assert listed(gate, "docs") == [again["decision_id"]]
    assert listed(gate, "checkout") == []
    rows = gate.store.query(lambda view: (view.decision_rows(0, 99), view.decision_services(0, 99)))
    places = {row.id: seq for seq, row in rows[0].items()}
    assert rows[1] == {
        places[both["decision_id"]]: BOTH,
        places[again["decision_id"]]: ("api", "docs", "web"),
    }
    assert rows[0][places[again["decision_id"]]].service == "web, api and docs"
    assert_replays(gate, alone, both, web, again)
    assert_whole(gate.store)


async def test_a_token_must_cover_each_service_that_is_vetoed_and_one_use_is_spent(gate: Gate) -> None:
    gate.clock.at = OPEN
    await freeze(gate, "web", "docs")
    first, second = await grant(gate, "web"), await grant(gate, *("web", "docs"))
    refused = await claim(gate, "api", "web", "docs", token=first)
    assert refused["override"]["result"] == "does-not-cover"
    gaps = [(each["part"], each["id"]) for each in refused["override"]["uncovered"]]
    assert gaps == [("service", "docs")]
    assert "not the service docs" in refused["message"]
    lifted = await claim(gate, "api", "web", token=first)
    assert parts_of(lifted)[0][1:3] == ("allow", True)
    assert parts_of(lifted)[1][1:3] == ("override", True)
    assert "in spite of: Incident" in lifted["message"]
    covered = await claim(gate, "docs", "web", "api", token=second)
    assert (lifted["override"]["uses_left"], covered["override"]["uses_left"]) == (1, 1)
    not_needed = await claim(gate, "api", "checkout", token=second)
    assert not_needed["override"]["result"] == "not-needed"
    assert_replays(gate, refused, lifted, covered, not_needed)
    assert_whole(gate.store)


async def test_a_step_continues_a_deploy_of_the_same_services(gate: Gate) -> None:
    gate.clock.at = OPEN - 10 * MINUTE
    first = await claim(gate, *BOTH, duration=10 * MINUTE, caller=CI)
    assert first["allowed"]
    single = await claim(gate, "api", duration=10 * MINUTE, caller=CI)
    gate.clock.at = OPEN - 5 * MINUTE
    incident = await freeze(gate, "web", running="finish")
    step = await claim(gate, "web", "api", continues=first["decision_id"], caller=CI)
    assert (step["allowed"], step["continues"]["result"]) == (True, "running")
    assert [each["id"] for each in step["continues"]["lifted"]] == [incident]
    assert all(each["allowed"] for each in step["parts"])
    others = [
        await claim(gate, "api", continues=first["decision_id"], caller=CI),
        await claim(gate, *BOTH, "docs", continues=first["decision_id"], caller=CI),
        await claim(gate, *BOTH, continues=single["decision_id"], caller=CI),
    ]
    assert {each["continues"]["result"] for each in others} == {"other-deploy"}
    stopping = await freeze(gate, "api", running="stop")
    stopped = await claim(gate, *BOTH, continues=step["decision_id"], caller=CI)
    assert parts_of(stopped) == [("api", "deny", False, [stopping]), ("web", "allow", True, [])]
    assert "for api" in stopped["message"]
    assert_replays(gate, first, step, *others, stopped)
    assert_whole(gate.store)


async def test_it_is_one_deploy_in_every_count(gate: Gate) -> None:
    gate.clock.at = OPEN
    outcomes = Outcomes(gate.store, gate.clock, gate.cache)
    both = await claim(gate, *BOTH)
    await claim(gate, "api")
    await freeze(gate, "web")
    denied = await claim(gate, *BOTH)
    await outcomes.report(CI, Report(both["decision_id"], "failed"))
    with pytest.raises(ForbiddenError):
        await outcomes.report(Caller("api only", Role.CI, ("api",)), Report(both["decision_id"], "failed"))
    with pytest.raises(StateConflictError):
        await outcomes.report(CI, Report(denied["decision_id"], "failed"))

    def totals(service: str | None) -> tuple[int, ...]:
        wanted = InsightsRequest(OPEN - HOUR, OPEN + HOUR, service)
        found = insights(gate.store.query, gate.in_force, wanted, OPEN + 1)["totals"]
        return found["deploys"], found["denials"], found["failed"]

    assert [totals(each) for each in (None, "api", "web", "docs")] == [
        (2, 1, 1),
        (2, 1, 1),
        (1, 1, 1),
        (0, 0, 0),
    ]
    decided = gate.store.query(lambda view: view.decided(DecidedFilter(OPEN, OPEN + 1), (OPEN, 0), 9))
    assert [each.service for _, each in decided] == [joined(BOTH), "api", joined(BOTH)]
    recorded = gate.store.query(
        lambda view: view.recorded(DecidedFilter(OPEN, OPEN + 1, "web"), (OPEN, 0), 9)
    )
    assert [each.service for each in recorded] == [joined(BOTH)] * 2
    judged = backtest(gate.store.query, gate.in_force.engine.compiled, BacktestRequest(OPEN, OPEN + 1)).found
    assert (judged.deploys.deploys, judged.deploys.failed, judged.denied_by_freezes) == (2, 1, 1)
    assert judged.services.keys() == {"api", "api and web"}


@pytest.fixture
def small(tmp_path: Path, policy_file: Path, clock: FakeClock) -> Gate:
    """A gate on SQLite."""
    clock.at = OPEN
    return gate_on(f"sqlite:///{tmp_path / 'gate.db'}", policy_file, clock)


async def test_credentials_must_reach_every_service(small: Gate) -> None:
    caller = Caller("pipeline", Role.CI, ("api", "web*"))
    assert (await claim(small, *BOTH, caller=caller))["allowed"]
    with pytest.raises(ForbiddenError, match="outside of it: docs"):
        await claim(small, *BOTH, "docs", caller=caller)


async def test_a_key_stands_for_the_services_that_were_claimed(small: Gate) -> None:
    first = await claim(small, *BOTH, idempotency_key="k")
    assert await claim(small, *BOTH, idempotency_key="k") == first
    for others in (("api", "docs"), ("api",)):
        with pytest.raises(IdempotencyConflictError):
            await claim(small, *others, idempotency_key="k")


async def test_a_freeze_that_came_meanwhile_is_in_every_part(small: Gate) -> None:
    before = small.in_force
    await freeze(small, "web")
    question = together(BOTH)
    claimed = await small.claims.claim(Claim(question), before)
    assert parts_of(json.loads(claimed.body))[1][1:3] == ("deny", False)


async def test_more_rules_than_a_claim_takes_are_refused(
    small: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = small.in_force
    own_id = await freeze(small, "web")
    matching = len(small.in_force.engine.scope_of(together(BOTH)).lines)
    monkeypatch.setattr("app.core.engine.MOST_RULES", matching - 1)
    # Found out only with the freeze, in the writing thread: that claim alone fails.
    with pytest.raises(TooManyRulesError):
        await small.claims.claim(Claim(together(BOTH)), before)
    assert [each["id"] for each in (await claim(small, "web"))["blocking"]] == [own_id]
    # Who waits for as many since before doesn't stop the notifications of others.
    assert Openings(Engine(before.engine.policy_set)).after(together(BOTH), OPEN) == OPEN
    monkeypatch.setattr("app.core.engine.MOST_RULES", 0)
    assert Openings(Engine(before.engine.policy_set)).after(together(BOTH), OPEN) == LATEST
    assert_whole(small.store)


async def test_many_services_are_named_in_few_words_and_found_all_the_same(small: Gate) -> None:
    names = [f"service-{number:03}" for number in range(100)]
    body = await claim(small, *names)
    assert body["service"] == f"{', '.join(names[:9])} and 91 more"
    assert body["services"] == names
    assert listed(small, "service-099") == [body["decision_id"]]
    assert_replays(small, body)
    assert_whole(small.store)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM decision_services WHERE service = 'web'", "are not the services of the decision"),
        ("UPDATE decision_services SET service = 'wab' WHERE service = 'web'", "are not the services"),
        ("INSERT INTO decision_services SELECT max(seq), 'web' FROM decisions", "are not the services"),
        ("INSERT INTO decision_services VALUES (1, 'web')", "event 1 is no decision"),
        ("INSERT INTO decision_services VALUES (99, 'web')", "stands at places outside the record"),
    ],
)
async def test_services_that_differ_from_the_record_are_named(small: Gate, statement: str, told: str) -> None:
    await claim(small, *BOTH)
    await claim(small, "api")
    raw = small.store._database.connect().raw
    raw.execute("PRAGMA foreign_keys = OFF")
    raw.execute(statement)
    raw.close()
    first, *others = verify(small.store.query).differences
    assert (first.table, told in first.what) == ("decision_services", True), first
    # What is counted from the rows differs as well.
    assert {each.table for each in others} <= {"rollups"}


async def test_who_was_denied_hears_when_all_of_them_are_open_together(small: Gate) -> None:
    clock = small.clock
    clock.at = OPEN - 4 * HOUR
    sender = notifying(small)
    await told(sender)
    for service, minutes in (("api", 10), ("web", 20)):
        await freeze(small, service, ends_at=clock.at + minutes * MINUTE)
    assert not (await claim(small, *BOTH, actor="carol"))["allowed"]
    assert not (await claim(small, *(f"s{number}" for number in range(MOST_SERVICES)), *BOTH))["allowed"]
    assert Occasion.GATE_OPEN not in [each.event for each in await told(sender)]
    clock.at += 10 * MINUTE
    assert Occasion.GATE_OPEN not in [each.event for each in await told(sender)]
    clock.at += 10 * MINUTE
    [opened] = [each for each in await told(sender) if each.event is Occasion.GATE_OPEN]
    assert opened.title == "api and web may be deployed to production again"
    assert opened.data["denied"] == [{"service": "api and web", "who": "carol", "change": ""}]


def test_waiting_requests_of_before_are_about_one_service() -> None:
    written = ["api", "normal", 0, 7, ["carol"], 0]
    assert read_waiting(written) == Waiting("api", "normal", 0, 7, ("carol",), 0)
    assert read_waiting([*written, ["a", "b"]]).services == ("a", "b")


async def test_the_notification_of_a_spent_token_names_the_services(small: Gate) -> None:
    sender = notifying(small)
    await told(sender)
    await freeze(small, "web")
    token = await grant(small, "web")
    await claim(small, *BOTH, token=token)
    [spent] = [each for each in await told(sender) if each.event is Occasion.OVERRIDE_SPENT]
    assert (spent.data["service"], spent.data["services"]) == ("api and web", [*BOTH])
