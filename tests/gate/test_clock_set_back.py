"""A clock that is set back makes nothing good again that has expired."""

import json
import logging

import pytest

from app.core.decision import Question
from app.core.instant import DAY, HOUR
from app.core.policy import Selector
from app.gate.claim import Claim
from app.gate.errors import StateConflictError
from app.gate.freezes import StartRequest
from app.gate.keys import KeyRequest, create
from app.gate.overrides import GrantRequest
from app.gate.replay import replay
from app.gate.sessions import LIFETIME, Sessions
from app.gate.store_cache import caller_of
from app.identity.caller import Role
from app.identity.credentials import digest
from tests.gate.conftest import AFTER, OPS, OTHER, Gate
from tests.store.records import assert_whole

pytestmark = pytest.mark.anyio

API = Question("api")
WANTED = GrantRequest(("api",), ("production",), None, "The fix.", AFTER + HOUR, 1)


async def outcome(gate: Gate, token: str) -> tuple[str, str]:
    claimed = await gate.claims.claim(Claim(API, token=token, caller=OTHER), gate.in_force)
    body = json.loads(claimed.body)
    return body["outcome"], body["override"]["result"]


async def test_an_expired_token_stays_expired(gate: Gate, other: Gate) -> None:
    override, token = await gate.overrides.grant(OPS, WANTED, gate.in_force)
    gate.clock.at = AFTER + HOUR + 1
    # Anything recorded after it expired, on any replica.
    await other.claims.claim(Claim(Question("web")), other.in_force)
    gate.clock.at = AFTER
    assert await outcome(gate, digest(token)) == ("deny", "expired")
    assert await outcome(other, digest(token)) == ("deny", "expired")
    with pytest.raises(StateConflictError, match="expired"):
        await gate.overrides.approve(OTHER, override.id, gate.in_force)
    assert await gate.overrides.newest(usable=True, before=None, most=9) == []
    assert_whole(gate.store)


async def test_a_decision_on_a_token_is_replayed_by_the_time_that_it_was_judged_by(gate: Gate) -> None:
    _, token = await gate.overrides.grant(OPS, WANTED, gate.in_force)
    gate.clock.at = AFTER + HOUR + 1
    await gate.claims.claim(Claim(Question("web")), gate.in_force)
    gate.clock.at = AFTER
    claimed = await gate.claims.claim(Claim(API, token=digest(token), caller=OTHER), gate.in_force)
    own_id = json.loads(claimed.body)["decision_id"]
    assert gate.store.query(lambda view: replay(view, own_id)).same


async def test_a_grant_lives_from_the_latest_of_the_record(gate: Gate) -> None:
    gate.clock.at = AFTER + HOUR
    await gate.claims.claim(Claim(API), gate.in_force)
    await gate.cache.refresh()
    gate.clock.at = AFTER
    now = gate.cache.steady.now()
    assert now == AFTER + HOUR - 1
    wanted = WANTED._replace(expires_at=now + 60)
    override, token = await gate.overrides.grant(OPS, wanted, gate.in_force)
    assert override.granted_at == now
    assert await outcome(gate, digest(token)) == ("override", "spent")


async def test_deploys_are_decided_by_the_clock_and_not_by_a_record_of_years_ahead(gate: Gate) -> None:
    gate.clock.at = AFTER + 400 * DAY
    await gate.claims.claim(Claim(API), gate.in_force)
    await gate.cache.refresh()
    gate.clock.at = AFTER
    claimed = await gate.claims.claim(Claim(API), gate.in_force)
    assert json.loads(claimed.body)["at"] == "2026-11-27T13:00:00Z"
    assert claimed.outcome == "deny"


async def test_an_expired_session_stays_expired(gate: Gate) -> None:
    sessions = Sessions(gate.store, gate.cache)
    record, _ = create(gate.store, gate.clock, KeyRequest("alice", Role.OPS), "test")
    gate.cache.load()
    secret = await sessions.open(caller_of(record), "a browser")
    gate.clock.at += LIFETIME
    await gate.claims.claim(Claim(API), gate.in_force)
    gate.clock.at = AFTER
    assert await sessions.caller(secret, from_memory=True) is not None, "within the second of the slack"
    gate.clock.at = AFTER + LIFETIME + 1
    await gate.claims.claim(Claim(API), gate.in_force)
    await gate.cache.refresh()
    gate.clock.at = AFTER
    assert await sessions.caller(secret, from_memory=True) is None


async def test_a_key_made_while_the_clock_is_behind_begins_at_the_latest_of_the_record(gate: Gate) -> None:
    gate.clock.at = AFTER + DAY
    await gate.claims.claim(Claim(API), gate.in_force)
    gate.clock.at = AFTER
    record, _ = create(gate.store, gate.clock, KeyRequest("alice", Role.OPS), "test")
    assert record.created_at == AFTER + DAY - 1


async def test_a_clock_that_went_back_is_told_once_and_when_it_is_over(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "freezegate")
    await gate.claims.claim(Claim(API), gate.in_force)
    for at in (AFTER, AFTER - HOUR, AFTER - HOUR + 1, AFTER, AFTER + 1):
        gate.clock.at = at
        await gate.cache.refresh()
    told = [record.getMessage() for record in caplog.records if "clock" in record.getMessage()]
    behind, caught_up = told
    assert behind.startswith("the clock is 3599.0 s behind the latest event of the record; grants and")
    assert caught_up == "the clock is no longer behind the record"


async def test_a_freeze_that_is_made_meanwhile_is_not_older_than_a_token(gate: Gate) -> None:
    gate.clock.at = AFTER + HOUR
    wanted = WANTED._replace(expires_at=AFTER + 3 * HOUR)
    _, token = await gate.overrides.grant(OPS, wanted, gate.in_force)
    gate.clock.at = AFTER
    incident = StartRequest("Incident", "It burns.", Selector.model_validate({}), None, AFTER + 2 * HOUR)
    freeze = await gate.freezes.start(OPS, incident, gate.in_force)
    assert (freeze.starts_at, freeze.created_at) == (AFTER, AFTER + HOUR + 1)
    assert await outcome(gate, digest(token)) == ("deny", "does-not-cover")


async def test_nor_is_one_that_was_scheduled_and_starts_after_the_token_was_granted(gate: Gate) -> None:
    gate.clock.at = AFTER + 3 * HOUR
    await gate.claims.claim(Claim(Question("web")), gate.in_force)
    gate.clock.at = AFTER
    planned = StartRequest(
        "Migration", "It moves.", Selector.model_validate({}), AFTER + HOUR, AFTER + 3 * HOUR
    )
    await gate.freezes.start(OPS, planned, gate.in_force)
    gate.clock.elapsed_us += 60_000_000
    gate.clock.at += 60
    wanted = WANTED._replace(expires_at=AFTER + 9 * HOUR, max_uses=2)
    _, token = await gate.overrides.grant(OPS, wanted, gate.in_force)
    gate.clock.elapsed_us += HOUR * 1_000_000
    gate.clock.at += HOUR
    claimed = await gate.claims.claim(Claim(API, token=digest(token), caller=OTHER), gate.in_force)
    body = json.loads(claimed.body)
    assert body["override"]["result"] == "does-not-cover"
    own_id = body["decision_id"]
    assert gate.store.query(lambda view: replay(view, own_id)).same
    _, token = await gate.overrides.grant(OPS, wanted, gate.in_force)
    assert await outcome(gate, digest(token)) == ("override", "spent")
