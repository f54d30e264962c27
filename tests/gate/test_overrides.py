import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.core.decision import Question
from app.core.instant import DAY, HOUR
from app.core.override import OverrideState
from app.core.policy import Selector
from app.gate.claim import Claim
from app.gate.errors import (
    ForbiddenError,
    InvalidFieldError,
    StateConflictError,
    UnauthenticatedError,
    UnknownRecordError,
)
from app.gate.freezes import StartRequest
from app.gate.in_force import InForce
from app.gate.keys import KeyRequest, create, revoke
from app.gate.overrides import GrantRequest, to_json
from app.gate.record import verify
from app.gate.replay import replay
from app.gate.store_cache import caller_of
from app.identity.caller import Role
from app.identity.credentials import digest, is_token
from app.policies.source import Source
from tests.gate.conftest import ADMIN, AFTER, FRIDAY, OPS, OTHER, Gate
from tests.store.records import assert_whole

pytestmark = pytest.mark.anyio

WANTED = GrantRequest(("api",), ("production",), None, "The fix.", AFTER + HOUR)


async def test_a_grant_gives_a_token_that_is_stored_as_a_hash_only(gate: Gate) -> None:
    override, token = await gate.overrides.grant(
        OPS, WANTED._replace(ticket="https://x.example/1"), gate.in_force
    )
    assert is_token(token)
    assert gate.store.query(lambda view: view.override_of_token(digest(token))) == override
    assert to_json(override, AFTER) == {
        "id": override.id,
        "state": "active",
        "services": ["api"],
        "environments": ["production"],
        "policies": None,
        "ref": None,
        "reason": "The fix.",
        "ticket": "https://x.example/1",
        "granted_by": "Alice",
        "granter": "alice",
        "granted_at": "2026-11-27T13:00:00Z",
        "starts_at": None,
        "expires_at": "2026-11-27T14:00:00Z",
        "max_uses": 1,
        "uses": 0,
        "uses_left": 1,
        "approvals": {"needed": 0, "given": []},
        "revoked_by": None,
        "revoked_at": None,
    }


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"expires_at": AFTER}, "expires_at"),
        ({"expires_at": AFTER + DAY + 1}, "ttl"),
        ({"max_uses": 6}, "max_uses"),
        ({"policies": ("audit-week",), "expires_at": AFTER + HOUR + 1}, "ttl"),
        ({"policies": ("audit-week",), "max_uses": 2}, "max_uses"),
        ({"policies": ("year-end",)}, "policies"),
        ({"policies": ("nothing",)}, "policies"),
    ],
)
async def test_a_token_keeps_to_the_ceilings(gate: Gate, wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        await gate.overrides.grant(OPS, WANTED._replace(**wanted), gate.in_force)
    assert caught.value.field == field
    assert await gate.overrides.newest(usable=False, before=None, most=9) == []


@pytest.mark.parametrize(
    ("wanted", "field", "sentence"),
    [
        ({"starts_at": AFTER - 1}, "starts_at", "lies in the past"),
        (
            {"starts_at": AFTER + 31 * DAY + 1, "expires_at": AFTER + 32 * DAY},
            "starts_at",
            "31d ahead at most",
        ),
        ({"starts_at": AFTER + HOUR}, "expires_at", "must lie after its start"),
        ({"starts_at": AFTER + HOUR, "expires_at": AFTER + HOUR + DAY + 1}, "ttl", "1d at most"),
    ],
)
async def test_a_token_starts_within_a_month_and_lives_from_its_start(
    gate: Gate, wanted: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(InvalidFieldError, match=sentence) as caught:
        await gate.overrides.grant(OPS, WANTED._replace(**wanted), gate.in_force)
    assert caught.value.field == field


async def test_a_token_for_later_and_for_a_ref_is_kept_listed_and_spent(gate: Gate) -> None:
    start = AFTER + 2 * DAY
    wanted = WANTED._replace(starts_at=start, expires_at=start + DAY, ref="v1.4.2")
    override, token = await gate.overrides.grant(OPS, wanted, gate.in_force)
    assert override == await gate.overrides.show(override.id)
    shown = to_json(override, AFTER)
    assert (shown["state"], shown["starts_at"], shown["ref"]) == (
        "scheduled",
        "2026-11-29T13:00:00Z",
        "v1.4.2",
    )
    assert [each.id for each in await gate.overrides.newest(usable=True, before=None, most=9)] == [
        override.id
    ]
    counted = gate.store.query(lambda view: view.count_overrides(AFTER))
    assert (counted.active, counted.pending) == (0, 1)
    results = []
    for at, ref in ((start - 1, "v1.4.2"), (start, "v1.4.1"), (start, "v1.4.2")):
        gate.clock.at = at
        claim = Claim(Question("api"), ref=ref, token=digest(token))
        answer = json.loads((await gate.claims.claim(claim, gate.in_force)).body)
        results.append(
            (answer["override"]["result"], [each["id"] for each in answer["override"]["uncovered"]])
        )
        assert gate.store.query(lambda view, answer=answer: replay(view, answer["decision_id"])).same  # type: ignore[misc]
    assert results == [("pending", []), ("does-not-cover", ["v1.4.1"]), ("spent", [])]
    counted = gate.store.query(lambda view: view.count_overrides(start))
    assert (counted.active, counted.pending) == (0, 0)
    assert_whole(gate.store)


@pytest.mark.parametrize(("column", "value"), [("ref", "'v2'"), ("starts_at", "1"), ("ref", "NULL")])
async def test_a_start_or_a_ref_that_was_changed_is_named(gate: Gate, column: str, value: str) -> None:
    wanted = WANTED._replace(starts_at=AFTER, ref="v1" if value == "NULL" else None)
    override, _ = await gate.overrides.grant(OPS, wanted, gate.in_force)
    assert_whole(gate.store)
    with gate.store._database.engine.begin() as connection:
        connection.execute(text(f"UPDATE overrides SET {column} = {value}"))  # noqa: S608 - ours
    (difference,) = verify(gate.store.query).differences
    assert (difference.table, difference.id) == ("overrides", override.id)
    assert column in difference.what


def _with(gate: Gate, policy_file: Path, new: str, old: str) -> InForce:
    policy_file.write_text(FRIDAY.replace(old, new))
    return gate.policies.load(Source(policy_file), AFTER)


async def test_a_ticket_is_required_by_the_file_or_by_a_policy_that_is_named(
    gate: Gate, policy_file: Path
) -> None:
    in_force = _with(gate, policy_file, "approvals: 1, require_ticket: true}", "approvals: 1}")
    await gate.overrides.grant(OPS, WANTED, in_force)
    named = WANTED._replace(policies=("audit-week",))
    with pytest.raises(InvalidFieldError, match="the policy audit-week requires a ticket of every token"):
        await gate.overrides.grant(OPS, named, in_force)
    await gate.overrides.grant(OPS, named._replace(ticket="PAY-1"), in_force)
    in_force = _with(gate, policy_file, "max_uses: 5, require_ticket: true}", "max_uses: 5}")
    with pytest.raises(InvalidFieldError, match="the policies require a ticket of every token") as caught:
        await gate.overrides.grant(OPS, WANTED, in_force)
    assert caught.value.field == "ticket"


async def test_a_token_at_its_ceilings_is_granted(gate: Gate) -> None:
    wanted = WANTED._replace(expires_at=AFTER + DAY, max_uses=5)
    override, _ = await gate.overrides.grant(OPS, wanted, gate.in_force)
    assert (override.ttl, override.max_uses) == (DAY, 5)


async def test_patterns_are_for_admins(gate: Gate) -> None:
    wanted = WANTED._replace(services=("a*",))
    with pytest.raises(ForbiddenError):
        await gate.overrides.grant(OPS, wanted, gate.in_force)
    await gate.overrides.grant(ADMIN, wanted, gate.in_force)


@pytest.mark.parametrize(
    ("wanted", "field", "sentence"),
    [
        (
            {"environments": ("prodction",)},
            "environments",
            'unknown environment "prodction"; did you mean "production"?',
        ),
        (
            {"policies": ("fridy",)},
            "policies",
            'no policy or freeze "fridy" is in force; did you mean "friday"?',
        ),
        ({"policies": ("x",)}, "policies", 'no policy or freeze "x" is in force'),
    ],
)
async def test_a_name_that_does_not_exist_is_named_with_a_suggestion(
    gate: Gate, wanted: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(InvalidFieldError) as refused:
        await gate.overrides.grant(OPS, WANTED._replace(**wanted), gate.in_force)
    assert (refused.value.field, str(refused.value)) == (field, sentence)


async def test_a_token_may_name_a_freeze_and_not_one_that_is_never_overridden(gate: Gate) -> None:
    request = StartRequest("Incident", "It burns.", Selector.model_validate({}), None, AFTER + HOUR)
    may = await gate.freezes.start(OPS, request, gate.in_force)
    never = await gate.freezes.start(OPS, request._replace(override="never"), gate.in_force)
    await gate.overrides.grant(OPS, WANTED._replace(policies=(may.id,)), gate.in_force)
    with pytest.raises(InvalidFieldError, match="never overridden"):
        await gate.overrides.grant(OPS, WANTED._replace(policies=(never.id,)), gate.in_force)


async def test_the_same_person_behind_another_name_does_not_approve(gate: Gate) -> None:
    wanted = WANTED._replace(policies=("audit-week",))
    override, _ = await gate.overrides.grant(OPS, wanted, gate.in_force)
    assert override.state(AFTER) is OverrideState.PENDING
    for name in ("Alice", "alice-2", "github:acme/other@alice"):
        with pytest.raises(ForbiddenError, match="another person than the one who granted it"):
            await gate.overrides.approve(OPS._replace(name=name), override.id, gate.in_force)
    # Names may be alike, or the same: people count.
    namesake = OTHER._replace(name="Alice")
    approved = await gate.overrides.approve(namesake, override.id, gate.in_force)
    assert approved.state(AFTER) is OverrideState.ACTIVE
    assert approved == await gate.overrides.show(override.id)
    assert await gate.overrides.approve(OTHER._replace(name="laptop"), override.id, gate.in_force) == approved
    assert_whole(gate.store)


async def test_credentials_of_no_person_approve_nothing(gate: Gate) -> None:
    override, _ = await gate.overrides.grant(OPS, WANTED, gate.in_force)
    with pytest.raises(ForbiddenError, match="belong to no person: make a key with freezegate keys create"):
        await gate.overrides.approve(ADMIN._replace(person=None), override.id, gate.in_force)


async def test_credentials_of_no_person_grant_nothing_that_needs_approval(gate: Gate) -> None:
    nobodys = OPS._replace(person=None)
    with pytest.raises(
        ForbiddenError, match="ask for approvals of such a token, and these credentials belong"
    ):
        await gate.overrides.grant(nobodys, WANTED._replace(policies=("audit-week",)), gate.in_force)
    override, _ = await gate.overrides.grant(nobodys, WANTED, gate.in_force)
    with pytest.raises(StateConflictError, match="granted with credentials that belong to no person"):
        await gate.overrides.approve(OTHER, override.id, gate.in_force)


async def test_two_keys_of_a_person_are_that_person(gate: Gate) -> None:
    callers = []
    for name, person in (("laptop", "Ada Lovelace"), ("phone", "ada  lovelace"), ("laptop", "Bob")):
        record, _ = create(gate.store, gate.clock, KeyRequest(name, Role.OPS, person=person), "test")
        callers.append(caller_of(record))
    await gate.cache.refresh()
    laptop, phone, bob = callers
    override, _ = await gate.overrides.grant(laptop, WANTED, gate.in_force)
    assert override.granter == "ada lovelace"
    with pytest.raises(ForbiddenError):
        await gate.overrides.approve(phone, override.id, gate.in_force)
    approved = await gate.overrides.approve(bob, override.id, gate.in_force)
    assert [each.person for each in approved.approvals] == ["bob"]


@pytest.mark.parametrize(
    "wanted", [{"policies": ("friday",)}, {"max_uses": 2}, {"expires_at": AFTER + HOUR + 1}]
)
async def test_an_approval_that_nothing_asks_for_is_refused(gate: Gate, wanted: dict[str, Any]) -> None:
    override, _ = await gate.overrides.grant(OPS, WANTED._replace(**wanted), gate.in_force)
    with pytest.raises(StateConflictError, match="nothing that this override may lift asks for an approval"):
        await gate.overrides.approve(OTHER, override.id, gate.in_force)
    assert (await gate.overrides.show(override.id)).approvals == ()


async def test_an_approval_more_than_is_asked_for_is_refused(gate: Gate) -> None:
    override, _ = await gate.overrides.grant(OPS, WANTED, gate.in_force)
    await gate.overrides.approve(OTHER, override.id, gate.in_force)
    with pytest.raises(StateConflictError, match="has the approvals that it needs: 1"):
        await gate.overrides.approve(ADMIN, override.id, gate.in_force)


async def test_what_policies_ask_for_is_shown_beside_what_the_grant_needs(gate: Gate) -> None:
    override, _ = await gate.overrides.grant(OPS, WANTED, gate.in_force)
    assert to_json(override, AFTER)["approvals"]["needed"] == 0
    assert to_json(override, AFTER, gate.in_force)["approvals"]["needed"] == 1


async def test_what_is_over_is_not_approved(gate: Gate) -> None:
    override, _ = await gate.overrides.grant(OPS, WANTED, gate.in_force)
    await gate.overrides.revoke(OTHER, override.id)
    with pytest.raises(StateConflictError, match="revoked"):
        await gate.overrides.approve(OTHER, override.id, gate.in_force)


async def test_revoking_twice_changes_nothing(gate: Gate) -> None:
    override, _ = await gate.overrides.grant(OPS, WANTED, gate.in_force)
    first = await gate.overrides.revoke(OTHER, override.id)
    before = gate.store.query(lambda view: view.head())
    gate.clock.at += 5
    assert await gate.overrides.revoke(OPS, override.id) == first
    assert gate.store.query(lambda view: view.head()) == before
    assert (first.revoked_by, first.revoked_at) == ("Bob", AFTER)


async def test_what_nobody_granted_is_unknown(gate: Gate) -> None:
    for attempt in (gate.overrides.show("ovr_0"), gate.overrides.approve(OPS, "ovr_0", gate.in_force)):
        with pytest.raises(UnknownRecordError):
            await attempt
    with pytest.raises(UnknownRecordError):
        await gate.overrides.revoke(OPS, "ovr_0")


async def test_whoever_lost_their_key_grants_nothing(gate: Gate) -> None:
    record, _ = create(gate.store, gate.clock, KeyRequest("Alice", Role.OPS), "test")
    await gate.cache.refresh()
    revoke(gate.store, gate.clock, record.id, "test")
    with pytest.raises(UnauthenticatedError):
        await gate.overrides.grant(caller_of(record), WANTED, gate.in_force)
    assert await gate.overrides.newest(usable=True, before=None, most=9) == []


async def test_usable_overrides_are_listed_and_the_others_when_asked_for(gate: Gate) -> None:
    one, _ = await gate.overrides.grant(OPS, WANTED, gate.in_force)
    gate.clock.at += 1
    two, _ = await gate.overrides.grant(OPS, WANTED._replace(expires_at=AFTER + 2 * HOUR), gate.in_force)
    gate.clock.at = AFTER + HOUR
    assert [each.id for each in await gate.overrides.newest(usable=True, before=None, most=9)] == [two.id]
    everything = await gate.overrides.newest(usable=False, before=None, most=9)
    assert [each.id for each in everything] == [two.id, one.id]
