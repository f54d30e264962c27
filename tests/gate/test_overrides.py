from typing import Any

import pytest

from app.core.instant import DAY, HOUR
from app.core.override import OverrideState
from app.core.policy import Selector
from app.gate.errors import (
    ForbiddenError,
    InvalidFieldError,
    StateConflictError,
    UnauthenticatedError,
    UnknownRecordError,
)
from app.gate.freezes import StartRequest
from app.gate.keys import KeyRequest, create, revoke
from app.gate.overrides import GrantRequest, to_json
from app.gate.store_cache import caller_of
from app.identity.caller import Role
from app.identity.credentials import digest, is_token
from tests.gate.conftest import ADMIN, AFTER, OPS, OTHER, Gate
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
        "reason": "The fix.",
        "ticket": "https://x.example/1",
        "granted_by": "Alice",
        "granter": "alice",
        "granted_at": "2026-11-27T13:00:00Z",
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
