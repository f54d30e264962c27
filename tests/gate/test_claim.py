import json

import pytest

from app.core.decision import Question
from app.core.errors import MalformedValueError, UnknownNameError
from app.core.instant import parse_instant
from app.gate.claim import Claim, Claims, decision_id
from app.gate.errors import IdempotencyConflictError, StoreUnavailableError
from app.gate.in_force import InForce
from app.policies.load import load
from app.policies.source import Snapshot
from tests.api.fakes import FakeClock
from tests.store.memory import MemoryStore

pytestmark = pytest.mark.anyio

FRIDAY = """version: 1
timezone: Europe/Amsterdam
policies:
  - id: friday
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    when:
      - weekly: {from: fri 14:00, to: mon 08:00}
"""
BEFORE = parse_instant("2026-11-27T12:59:59Z")
AFTER = parse_instant("2026-11-27T13:00:00Z")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(BEFORE)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def claims(store: MemoryStore, clock: FakeClock) -> Claims:
    return Claims(store, clock)


def in_force(text: str = FRIDAY) -> InForce:
    snapshot = Snapshot.of(text)
    return InForce(load(snapshot).engine, snapshot, 1_795_000_000, ())


POLICIES = in_force()


async def test_what_is_answered_is_what_was_recorded(claims: Claims, store: MemoryStore) -> None:
    claim = Claim(Question("api", duration=60), "v1.2", "alice", "https://ci.example/1", "ci", request_id="r")
    claimed = await claims.claim(claim, POLICIES)
    (record,) = store.latest_decisions(2)
    answered = json.loads(claimed.body)
    assert claimed.body.decode() == record.body
    assert answered["decision_id"] == record.id
    assert not claimed.allowed
    assert answered["opens_at"] == "2026-11-30T07:00:00Z"
    assert claimed.opens_at == record.opens_at == parse_instant("2026-11-30T07:00:00Z")
    assert record[1:9] == (
        BEFORE,
        BEFORE * 1_000_000,
        "api",
        "production",
        "normal",
        60,
        "deny",
        claimed.opens_at,
    )
    assert record[10:16] == ("v1.2", "alice", "https://ci.example/1", "ci", None, None)
    assert record.policy_revision == answered["policy_revision"] == POLICIES.revision
    assert record.request_id == "r"


async def test_the_policies_of_a_decision_are_kept_with_the_first_of_them(
    claims: Claims, store: MemoryStore
) -> None:
    await claims.claim(Claim(Question("api")), POLICIES)
    kept = store.policies[POLICIES.revision]
    assert Snapshot.from_json(kept.sources) == POLICIES.snapshot
    assert kept.first_loaded_at == POLICIES.loaded_at
    changed = in_force(FRIDAY.replace("mon 08:00", "mon 09:00"))
    await claims.claim(Claim(Question("api")), changed)
    await claims.claim(Claim(Question("api")), POLICIES)
    assert set(store.policies) == {POLICIES.revision, changed.revision}


async def test_a_retry_gets_the_same_bytes_though_the_answer_has_changed_since(
    claims: Claims, clock: FakeClock
) -> None:
    claim = Claim(Question("api"), idempotency_key="k")
    first = await claims.claim(claim, POLICIES)
    clock.at = AFTER
    assert await claims.claim(claim, POLICIES) == first
    assert first.allowed
    assert not (await claims.claim(claim._replace(idempotency_key="another"), POLICIES)).allowed


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
        Claim(Question("api"), token_presented=True),
    ],
)
async def test_a_key_that_comes_back_with_another_request_is_a_conflict(
    claims: Claims, another: Claim
) -> None:
    policies = in_force(FRIDAY.replace("policies:", "environments: [production, staging]\npolicies:"))
    await claims.claim(Claim(Question("api"), idempotency_key="k", request_id="1"), policies)
    await claims.claim(Claim(Question("api"), idempotency_key="k", request_id="2"), policies)
    with pytest.raises(IdempotencyConflictError):
        await claims.claim(another._replace(idempotency_key="k"), policies)


async def test_a_decision_that_could_not_be_recorded_is_none(claims: Claims, store: MemoryStore) -> None:
    store.available = False
    with pytest.raises(StoreUnavailableError):
        await claims.claim(Claim(Question("api")), POLICIES)


async def test_policies_that_could_not_be_kept_are_kept_with_the_next_decision(
    claims: Claims, store: MemoryStore
) -> None:
    store.available = False
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            await claims.claim(Claim(Question("api")), POLICIES)
    store.available = True
    await claims.claim(Claim(Question("api")), POLICIES)
    assert set(store.policies) == {POLICIES.revision}


async def test_an_unknown_name_is_refused_and_leaves_no_record(claims: Claims, store: MemoryStore) -> None:
    with pytest.raises(UnknownNameError):
        await claims.claim(Claim(Question("api", "moon")), POLICIES)
    assert store.count_decisions() == 0


@pytest.mark.parametrize("text", ["\x00", "a\nb", "half a pair: \ud83d", "\udc00", "\x7f"])
@pytest.mark.parametrize("field", ["ref", "actor", "run_url", "caller", "idempotency_key", "request_id"])
async def test_a_text_that_cannot_be_recorded_is_refused_and_not_echoed(
    claims: Claims, store: MemoryStore, field: str, text: str
) -> None:
    with pytest.raises(MalformedValueError, match=f"^{field}: takes no control characters") as caught:
        await claims.claim(Claim(Question("api"))._replace(**{field: text}), POLICIES)  # type: ignore[arg-type]
    assert text not in str(caught.value)
    assert store.count_decisions() == 0


async def test_a_token_that_nobody_granted_is_invalid_and_changes_nothing(
    claims: Claims, clock: FakeClock
) -> None:
    clock.at = AFTER
    claimed = await claims.claim(Claim(Question("api"), token_presented=True), POLICIES)
    assert not claimed.allowed
    assert json.loads(claimed.body)["override"] == {
        "id": None,
        "result": "invalid",
        "uncovered": [],
        "uses_left": None,
    }


def test_ids_are_distinct_and_sort_by_time() -> None:
    ids = [decision_id(1_795_784_700_000_000 + number * 1_000) for number in range(1_000)]
    assert sorted(set(ids)) == ids
    assert {len(each) for each in ids} == {30}
    assert len({decision_id(0) for _ in range(1_000)}) == 1_000
