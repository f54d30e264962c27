import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from app import __version__
from app.core.decision import Question
from app.core.errors import MalformedValueError, UnknownNameError
from app.core.instant import HOUR
from app.core.policy import Selector
from app.gate.claim import RETRIED_FOR, Claim
from app.gate.errors import (
    ForbiddenError,
    IdempotencyConflictError,
    StoreUnavailableError,
    UnauthenticatedError,
)
from app.gate.freezes import Change, StartRequest
from app.gate.ids import new_id
from app.gate.keys import KeyRequest, create, revoke
from app.gate.overrides import GrantRequest
from app.gate.record import to_json
from app.gate.store_cache import caller_of
from app.identity.caller import Caller, Role
from app.identity.credentials import digest
from app.policies.source import Snapshot
from tests.gate.conftest import AFTER, BEFORE, FRIDAY, OPS, OTHER, Gate, reload
from tests.store.records import EVERYTHING, assert_whole, count

pytestmark = pytest.mark.anyio

CI = Caller("pipeline", Role.CI)
API = Question("api")


async def claim(gate: Gate, made: Claim | None = None) -> dict[str, Any]:
    claimed = await gate.claims.claim(made or Claim(API), gate.in_force)
    body: dict[str, Any] = json.loads(claimed.body)
    return body


def change(policy_file: Path) -> None:
    policy_file.write_text(FRIDAY.replace("mon 08:00", "mon 09:00"))


async def grant(gate: Gate, **wanted: Any) -> str:
    """The hash of a token."""
    request = GrantRequest(("api",), ("production",), None, "The fix.", gate.clock.at + HOUR)
    _, token = await gate.overrides.grant(OPS, request._replace(**wanted), gate.in_force)
    return digest(token)


def gaps(answered: dict[str, Any]) -> list[tuple[str, str]]:
    """The parts of a token that do not fit, and what they should have covered."""
    return [(each["part"], each["id"]) for each in answered["override"]["uncovered"]]


def incident(**wanted: Any) -> StartRequest:
    request = StartRequest("Incident", "It burns.", Selector.model_validate({}), None, None)
    return request._replace(**wanted)


async def test_what_is_answered_is_what_was_recorded(gate: Gate) -> None:
    made = Claim(API._replace(duration=60), "v1.2", "alice", "https://ci.example/1", CI, request_id="r")
    claimed = await gate.claims.claim(made, gate.in_force)
    (stored,) = gate.store.query(lambda view: view.newest_decisions(EVERYTHING, None, 2))
    shown = to_json(stored)
    answered = json.loads(claimed.body)
    assert {name: shown[name] for name in answered} == answered
    assert not claimed.allowed
    assert claimed.outcome == answered["outcome"] == "deny"
    assert answered["opens_at"] == "2026-11-30T07:00:00Z"
    assert gate.store.query(lambda view: view.decision_rows(0, 9)[stored.seq]).duration == 60
    assert json.loads(stored.data)["freezegate"] == __version__
    told = {name: shown[name] for name in ("caller", "actor", "ref", "run_url", "request_id", "recorded_at")}
    assert told == {
        "caller": "pipeline",
        "actor": "alice",
        "ref": "v1.2",
        "run_url": "https://ci.example/1",
        "request_id": "r",
        "recorded_at": "2026-11-27T13:00:00Z",
    }
    assert_whole(gate.store)


async def test_the_policies_of_a_decision_are_kept_with_the_first_of_them(
    gate: Gate, policy_file: Path
) -> None:
    change(policy_file)
    reload(gate.policies, AFTER)
    revision = gate.in_force.revision
    assert not gate.store.keeps(revision)
    await claim(gate)
    assert gate.store.keeps(revision)
    kept = gate.store.query(lambda view: view.sources(revision))
    assert kept is not None
    assert Snapshot.from_json(kept) == gate.in_force.snapshot


async def test_a_retry_gets_the_same_bytes_though_the_answer_has_changed_since(gate: Gate) -> None:
    gate.clock.at = BEFORE
    made = Claim(API, idempotency_key="k")
    first = await gate.claims.claim(made, gate.in_force)
    gate.clock.at = AFTER
    assert await gate.claims.claim(made, gate.in_force) == first
    assert first.allowed
    assert not (await claim(gate, made._replace(idempotency_key="another")))["allowed"]
    assert count(gate.store) == 2


async def test_an_allow_is_not_given_again_into_a_freeze_that_has_begun_since(gate: Gate) -> None:
    gate.clock.at = BEFORE
    made = Claim(API, idempotency_key="k")
    first = await gate.claims.claim(made, gate.in_force)
    gate.clock.at = BEFORE + RETRIED_FOR
    assert await gate.claims.claim(made, gate.in_force) == first
    gate.clock.at += 1
    with pytest.raises(IdempotencyConflictError, match="before a freeze"):
        await gate.claims.claim(made, gate.in_force)
    gate.clock.at += 3 * 86_400
    assert await gate.claims.claim(made, gate.in_force) == first


async def test_nor_into_an_ad_hoc_freeze_of_another_replica(gate: Gate, other: Gate) -> None:
    gate.clock.at = BEFORE - 86_400
    made = Claim(API, idempotency_key="k")
    await gate.claims.claim(made, gate.in_force)
    gate.clock.at += RETRIED_FOR + 1
    await other.freezes.start(OPS, incident(), other.in_force)
    with pytest.raises(IdempotencyConflictError):
        await gate.claims.claim(made, gate.in_force)


async def test_retries_that_come_together_are_one_decision(gate: Gate) -> None:
    token = await grant(gate, max_uses=3)
    made = Claim(API, idempotency_key="k", token=token)
    together = await asyncio.gather(*(gate.claims.claim(made, gate.in_force) for _ in range(5)))
    assert len(set(together)) == 1
    assert together[0].outcome == "override"
    override = gate.store.query(lambda view: view.override_of_token(token))
    assert override is not None
    assert override.uses == 1


async def test_a_key_belongs_to_its_caller(gate: Gate) -> None:
    await claim(gate, Claim(API, idempotency_key="k", caller=CI))
    await claim(gate, Claim(API, "v2", idempotency_key="k", caller=CI._replace(name="another")))
    assert count(gate.store) == 2


@pytest.mark.parametrize(
    "another",
    [
        Claim(Question("web")),
        Claim(Question("api", "staging")),
        Claim(Question("api", change="hotfix")),
        Claim(Question("api", duration=1)),
        Claim(Question("api"), ref="v1"),
        Claim(Question("api"), actor="v1"),
        Claim(Question("api"), run_url="v1"),
        Claim(Question("api"), token=""),
    ],
)
async def test_a_key_that_comes_back_with_another_request_is_a_conflict(gate: Gate, another: Claim) -> None:
    await claim(gate, Claim(API, idempotency_key="k", request_id="1"))
    await claim(gate, Claim(API, idempotency_key="k", request_id="2"))
    with pytest.raises(IdempotencyConflictError):
        await claim(gate, another._replace(idempotency_key="k"))


async def test_an_unknown_name_is_refused_and_leaves_no_record(gate: Gate) -> None:
    with pytest.raises(UnknownNameError):
        await claim(gate, Claim(Question("api", "moon")))
    assert count(gate.store) == 0


@pytest.mark.parametrize("text", ["\x00", "a\nb", "half a pair: \ud83d", "\udc00", "\x7f"])
@pytest.mark.parametrize("field", ["ref", "actor", "run_url", "idempotency_key", "request_id"])
async def test_a_text_that_cannot_be_recorded_is_refused_and_not_echoed(
    tmp_path: Path, policy_file: Path, clock: Any, field: str, text: str
) -> None:
    from tests.gate.conftest import gate_on

    gate = gate_on(f"sqlite:///{tmp_path / 'gate.db'}", policy_file, clock)
    with pytest.raises(MalformedValueError, match=f"^{field}: takes no control characters") as caught:
        await claim(gate, Claim(API)._replace(**{field: text}))  # type: ignore[arg-type]
    assert text not in str(caught.value)
    assert count(gate.store) == 0
    await gate.store.close()


async def test_a_caller_that_is_restricted_claims_for_its_services_only(gate: Gate) -> None:
    restricted = CI._replace(services=("api", "web/*"))
    await claim(gate, Claim(API, caller=restricted))
    with pytest.raises(ForbiddenError):
        await claim(gate, Claim(Question("web"), caller=restricted))


async def test_a_claim_with_a_key_that_was_revoked_elsewhere_is_refused_at_once(gate: Gate) -> None:
    record, _ = create(gate.store, gate.clock, KeyRequest("pipeline", Role.CI), "test")
    await gate.cache.refresh()
    caller = caller_of(record)
    await claim(gate, Claim(API, caller=caller))
    revoke(gate.store, gate.clock, record.id, "test")
    with pytest.raises(UnauthenticatedError):
        await claim(gate, Claim(API, caller=caller))
    assert count(gate.store) == 1


async def test_a_token_lets_one_deploy_through_and_is_used_up(gate: Gate) -> None:
    token = await grant(gate)
    first = await claim(gate, Claim(API, token=token, caller=CI))
    assert (first["allowed"], first["outcome"]) == (True, "override")
    assert first["override"]["result"] == "spent"
    assert first["override"]["uses_left"] == 0
    assert [each["id"] for each in first["blocking"]] == ["friday"]
    assert "by an override of Alice (The fix), in spite of: No deploys after Friday 14:00" in first["message"]
    again = await claim(gate, Claim(API, token=token, caller=CI))
    assert not again["allowed"]
    assert again["override"] == {"id": None, "result": "invalid", "uncovered": [], "uses_left": None}
    assert_whole(gate.store)


async def test_where_nothing_vetoes_no_use_is_spent(gate: Gate) -> None:
    token = await grant(gate)
    gate.clock.at = BEFORE
    answered = await claim(gate, Claim(API, token=token))
    assert (answered["outcome"], answered["override"]["result"]) == ("allow", "not-needed")
    assert answered["override"]["uses_left"] == 1
    gate.clock.at = AFTER
    assert (await claim(gate, Claim(API, token=token)))["outcome"] == "override"


@pytest.mark.parametrize(
    ("question", "wanted", "uncovered"),
    [
        (Question("web"), {}, ("service", "web")),
        (Question("api"), {"environments": ("staging",)}, ("environment", "production")),
        (Question("api"), {"policies": ("audit-week",), "expires_at": AFTER + 60}, ("policy", "friday")),
    ],
)
async def test_a_token_that_does_not_cover_spends_nothing_and_says_what_does_not_fit(
    gate: Gate, question: Question, wanted: dict[str, Any], uncovered: tuple[str, str]
) -> None:
    token = await grant(gate, **wanted)
    if "policies" in wanted:
        override = gate.store.query(lambda view: view.override_of_token(token))
        assert override is not None
        await gate.overrides.approve(OTHER, override.id, gate.in_force)
    answered = await claim(gate, Claim(question, token=token))
    assert not answered["allowed"]
    assert answered["override"]["result"] == "does-not-cover"
    assert gaps(answered) == [uncovered]
    assert answered["override"]["uses_left"] == 1
    told = f"does not cover this deploy: not the {uncovered[0]} {uncovered[1]}"
    assert told in answered["message"]
    assert "No use is spent." in answered["message"]


async def test_a_rule_that_is_never_overridden_stands_beside_one_that_is(gate: Gate) -> None:
    gate.clock.at = AFTER + 28 * 86_400
    token = await grant(gate)
    answered = await claim(gate, Claim(API, token=token))
    assert [each["id"] for each in answered["blocking"]] == ["friday", "year-end"]
    assert gaps(answered) == [("policy", "year-end")]


async def test_ceilings_of_a_policy_hold_for_a_token_that_names_no_policy(gate: Gate) -> None:
    gate.clock.at = AFTER + 5 * 86_400
    token = await grant(gate, expires_at=gate.clock.at + 2 * HOUR)
    answered = await claim(gate, Claim(API, token=token))
    assert gaps(answered) == [("ttl", "audit-week")]


async def test_a_token_that_waits_for_approval_is_pending_and_then_good(gate: Gate) -> None:
    gate.clock.at = AFTER + 5 * 86_400
    token = await grant(gate, policies=("audit-week",))
    assert (await claim(gate, Claim(API, token=token)))["override"]["result"] == "pending"
    override = gate.store.query(lambda view: view.override_of_token(token))
    assert override is not None
    await gate.overrides.approve(OTHER, override.id, gate.in_force)
    assert (await claim(gate, Claim(API, token=token)))["outcome"] == "override"


async def test_an_approval_counts_for_a_policy_that_asks_for_it_and_not_only_for_the_grant(
    gate: Gate,
) -> None:
    gate.clock.at = AFTER + 5 * 86_400
    token = await grant(gate)
    refused = await claim(gate, Claim(API, token=token))
    assert gaps(refused) == [("approvals", "audit-week")]
    assert "it needs 1 approval and has none" in refused["message"]
    override = gate.store.query(lambda view: view.override_of_token(token))
    assert override is not None
    approved = await gate.overrides.approve(OTHER, override.id, gate.in_force)
    assert await gate.overrides.show(override.id) == approved
    assert [each.id for each in await gate.overrides.newest(usable=True, before=None, most=9)] == [
        override.id
    ]
    assert (await claim(gate, Claim(API, token=token)))["outcome"] == "override"


async def test_a_token_granted_before_an_ad_hoc_freeze_began_does_not_lift_it(
    gate: Gate, other: Gate
) -> None:
    token = await grant(gate, expires_at=gate.clock.at + 3 * HOUR, max_uses=2)
    gate.clock.at += HOUR
    freeze = await other.freezes.start(OPS, incident(), other.in_force)
    answered = await claim(gate, Claim(API, token=token))
    assert not answered["allowed"]
    assert gaps(answered) == [("freeze", freeze.id)]
    assert "it was granted before this freeze began" in answered["message"]
    await gate.cache.refresh()
    for later in (await grant(gate), await grant(gate, policies=("friday", freeze.id))):
        assert (await claim(gate, Claim(API, token=later)))["outcome"] == "override"


@pytest.mark.parametrize(
    "change",
    [
        Change({}, {"environments": None}),
        Change({"exempt": ()}, {}),
        Change({"override": "token"}, {}),
    ],
    ids=["more environments", "no exemption", "never for a while"],
)
async def test_a_token_of_before_does_not_lift_a_freeze_that_was_widened_since(
    gate: Gate, change: Change
) -> None:
    narrow = incident(
        selector=Selector.model_validate({"environments": ["staging"]})
        if change.scope
        else Selector.model_validate({}),
        exempt=(Selector.model_validate({"services": ["api"]}),) if "exempt" in change.values else (),
        override="never" if "override" in change.values else "token",
    )
    freeze = await gate.freezes.start(OPS, narrow, gate.in_force)
    gate.clock.at += 60
    token = await grant(gate, max_uses=2)
    gate.clock.at += 60
    await gate.freezes.change(OPS, freeze.id, Change({"title": "Incident 43"}, {}), gate.in_force)
    gate.clock.at += 60
    await gate.freezes.change(OPS, freeze.id, change, gate.in_force)
    answered = await claim(gate, Claim(API, token=token))
    assert gaps(answered) == [("freeze", freeze.id)]
    assert "it was granted before the scope of this freeze changed" in answered["message"]
    later = await grant(gate)
    assert (await claim(gate, Claim(API, token=later)))["outcome"] == "override"
    assert_whole(gate.store)


async def test_another_title_of_a_freeze_does_not_spoil_a_token(gate: Gate) -> None:
    freeze = await gate.freezes.start(OPS, incident(), gate.in_force)
    token = await grant(gate)
    gate.clock.at += 60
    await gate.freezes.change(OPS, freeze.id, Change({"title": "Incident 43"}, {}), gate.in_force)
    assert (await claim(gate, Claim(API, token=token)))["outcome"] == "override"


async def test_a_token_may_name_a_freeze_that_is_yet_to_begin(gate: Gate) -> None:
    planned = incident(starts_at=AFTER + HOUR)
    freeze = await gate.freezes.start(OPS, planned, gate.in_force)
    naming = await grant(gate, expires_at=AFTER + 3 * HOUR, policies=("friday", freeze.id))
    not_naming = await grant(gate, expires_at=AFTER + 3 * HOUR)
    gate.clock.at += HOUR
    assert not (await claim(gate, Claim(API, token=not_naming)))["allowed"]
    assert (await claim(gate, Claim(API, token=naming)))["allowed"]


async def test_an_allow_is_not_given_again_into_a_freeze_that_is_never_overridden(
    gate: Gate, other: Gate
) -> None:
    gate.clock.at = BEFORE - HOUR
    made = Claim(API, idempotency_key="k")
    first = await gate.claims.claim(made, gate.in_force)
    freeze = await other.freezes.start(OPS, incident(), other.in_force)
    gate.clock.at += 1
    assert await gate.claims.claim(made, gate.in_force) == first
    await other.freezes.lift(OPS, freeze.id)
    await other.freezes.start(OPS, incident(override="never"), other.in_force)
    with pytest.raises(IdempotencyConflictError, match="of before a freeze that is never overridden; make a"):
        await gate.claims.claim(made, gate.in_force)


async def test_a_deny_is_given_again_into_a_freeze_that_is_never_overridden(gate: Gate) -> None:
    made = Claim(API, idempotency_key="k")
    first = await gate.claims.claim(made, gate.in_force)
    await gate.freezes.start(OPS, incident(override="never"), gate.in_force)
    assert await gate.claims.claim(made, gate.in_force) == first


async def test_an_allow_by_a_token_is_not_given_again_after_the_token_was_revoked(
    gate: Gate, other: Gate
) -> None:
    token = await grant(gate, max_uses=2)
    made = Claim(API, idempotency_key="k", token=token)
    first = await gate.claims.claim(made, gate.in_force)
    assert first.outcome == "override"
    assert await gate.claims.claim(made, gate.in_force) == first
    override = gate.store.query(lambda view: view.override_of_token(token))
    assert override is not None
    await other.overrides.revoke(OPS, override.id)
    with pytest.raises(IdempotencyConflictError, match="an allow by an override that was revoked since"):
        await gate.claims.claim(made, gate.in_force)
    assert count(gate.store) == 1


async def test_an_allow_by_a_token_is_given_again_though_the_token_has_expired(gate: Gate) -> None:
    token = await grant(gate, expires_at=AFTER + 60)
    made = Claim(API, idempotency_key="k", token=token)
    first = await gate.claims.claim(made, gate.in_force)
    gate.clock.at = AFTER + RETRIED_FOR
    assert await gate.claims.claim(made, gate.in_force) == first
    gate.clock.at += 1
    with pytest.raises(IdempotencyConflictError, match="of before a freeze"):
        await gate.claims.claim(made, gate.in_force)


async def test_nothing_is_given_again_to_a_key_that_was_revoked(gate: Gate) -> None:
    gate.clock.at = BEFORE
    record, _ = create(gate.store, gate.clock, KeyRequest("pipeline", Role.CI), "test")
    await gate.cache.refresh()
    made = Claim(API, caller=caller_of(record), idempotency_key="k")
    await gate.claims.claim(made, gate.in_force)
    revoke(gate.store, gate.clock, record.id, "test")
    with pytest.raises(UnauthenticatedError):
        await gate.claims.claim(made, gate.in_force)


TOLD = {
    "expired": "The override token has expired. Ask for a new one.",
    "revoked": "The override token was revoked. Ask the person who granted it.",
    "used-up": "The override token is used up. Ask for a new one, with a use for each deploy.",
    "unknown": "The override token is unknown to this gate. Check that all of it was copied",
}


@pytest.mark.parametrize("spoilt", TOLD)
async def test_the_sentence_says_what_became_of_a_token_whoever_presents_it(gate: Gate, spoilt: str) -> None:
    token = await grant(gate)
    override = gate.store.query(lambda view: view.override_of_token(token))
    assert override is not None
    if spoilt == "used-up":
        await claim(gate, Claim(API, token=token))
    if spoilt == "revoked":
        await gate.overrides.revoke(OTHER, override.id)
    if spoilt == "expired":
        gate.clock.at += HOUR
    presented = "" if spoilt == "unknown" else token
    # Of a granter that is known as a person, a key of the same name is a stranger.
    for stranger in (CI, Caller(OPS.name, Role.CI), Caller(OPS.name, Role.CI, person="mallory")):
        strangers = await claim(gate, Claim(API, token=presented, caller=stranger))
        assert strangers["override"] == {"id": None, "result": "invalid", "uncovered": [], "uses_left": None}
        assert TOLD[spoilt] in strangers["message"]
        assert not strangers["allowed"]
    granters = await claim(
        gate, Claim(API, token=presented, caller=Caller("laptop", Role.CI, person="alice"))
    )
    assert granters["override"]["result"] == ("invalid" if spoilt == "unknown" else spoilt)
    ops = await claim(gate, Claim(API, token=presented, caller=OTHER))
    assert ops["override"]["result"] == ("invalid" if spoilt == "unknown" else spoilt)


async def test_a_freeze_on_one_replica_denies_claims_on_the_other_at_once(gate: Gate, other: Gate) -> None:
    gate.clock.at = BEFORE
    assert (await claim(other))["allowed"]
    await gate.freezes.start(OPS, incident(ends_at=BEFORE + HOUR), gate.in_force)
    assert other.in_force.engine.freezes == ()
    denied = await claim(other)
    assert not denied["allowed"]
    assert [each["kind"] for each in denied["blocking"]] == ["freeze"]
    # Reads follow when the replica looks.
    await other.cache.refresh()
    assert len(other.in_force.engine.freezes) == 1
    (freeze,) = other.in_force.engine.freezes
    await other.freezes.lift(OPS, freeze.id)
    assert (await claim(gate))["allowed"]


async def test_a_revocation_on_one_replica_holds_on_the_other_at_once(gate: Gate, other: Gate) -> None:
    token = await grant(gate)
    override = gate.store.query(lambda view: view.override_of_token(token))
    assert override is not None
    await gate.overrides.revoke(OPS, override.id)
    assert not (await claim(other, Claim(API, token=token)))["allowed"]


async def test_a_decision_that_could_not_be_recorded_is_none(policy_file: Path, clock: Any) -> None:
    from tests.gate.conftest import gate_on

    file = policy_file.with_name("gate.db")
    gate = gate_on(f"sqlite:///{file}", policy_file, clock)
    token = await grant(gate)
    raw = sqlite3.connect(file)
    raw.execute("DROP TABLE decisions")
    raw.close()
    with pytest.raises(StoreUnavailableError):
        await claim(gate)
    with pytest.raises(StoreUnavailableError):
        await claim(gate, Claim(API, token=token))
    override = gate.store.query(lambda view: view.override_of_token(token))
    assert override is not None
    assert override.uses == 0
    await gate.store.close()


def test_ids_are_distinct_and_sort_by_time() -> None:
    ids = [new_id("dec", 1_795_784_700_000_000 + number * 1_000) for number in range(1_000)]
    assert sorted(set(ids)) == ids
    assert {len(each) for each in ids} == {30}
    assert len({new_id("dec", 0) for _ in range(1_000)}) == 1_000
