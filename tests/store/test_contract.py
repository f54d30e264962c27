"""What every store promises; the one in memory, which other tests use, is held to it as well."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.store.errors import IdempotencyConflictError, StoreUnavailableError
from app.store.records import PolicyRevision, Recorded
from app.store.store import Store
from tests.store.memory import MemoryStore
from tests.store.records import POLICIES, decision

pytestmark = pytest.mark.anyio
AnyStore = Store | MemoryStore


@pytest.fixture(params=["sqlite", "memory"])
async def any_store(request: pytest.FixtureRequest, url: str) -> AsyncIterator[AnyStore]:
    opened: AnyStore = MemoryStore() if request.param == "memory" else Store.open(url)
    yield opened
    await opened.close()


@pytest.fixture
def store(any_store: AnyStore) -> AnyStore:
    any_store.remember_revision(POLICIES.revision, POLICIES.sources, POLICIES.first_loaded_at)
    return any_store


async def test_what_is_recorded_is_found_again_whole(store: AnyStore) -> None:
    recorded = await store.record(decision(1))
    assert recorded == Recorded('{"number": 1}', "deny", 1_796_022_001)
    assert store.decision("dec_000001") == decision(1)
    assert store.decision("dec_000002") is None


@pytest.mark.parametrize(
    "text",
    ["", "\u2028", "\x00", "a\x00b", "\U0001f4a9", "%s ?1 :x $[0]", "'); DROP TABLE decisions;--", "\\u0000"],
)
async def test_any_text_of_whole_characters_comes_back_as_it_was(store: AnyStore, text: str) -> None:
    claim = decision(1)._replace(ref=text, actor=text, body=text)
    assert (await store.record(claim)).body == text
    assert store.decision(claim.id) == claim


async def test_the_newest_decisions_come_first_page_by_page(store: AnyStore) -> None:
    for number in (1, 4, 3, 2):
        await store.record(decision(number))
    assert [each.id[-1] for each in store.latest_decisions(3)] == ["4", "3", "2"]
    assert [each.id[-1] for each in store.latest_decisions(3, "dec_000002")] == ["1"]
    assert store.latest_decisions(3, "dec_000001") == []
    assert store.count_decisions() == 4


async def test_a_key_gets_its_first_decision_again_together_and_later(store: AnyStore) -> None:
    together = await asyncio.gather(*(store.record(decision(number, "k")) for number in range(5)))
    assert together == [Recorded('{"number": 0}', "deny", 1_796_022_000)] * 5
    assert await store.record(decision(9, "k")) == together[0]
    assert store.count_decisions() == 1


async def test_a_key_belongs_to_its_caller(store: AnyStore) -> None:
    await store.record(decision(1, "k")._replace(caller="one"))
    another = await store.record(decision(2, "k", "another request")._replace(caller="another"))
    assert another.body == '{"number": 2}'


async def test_a_key_of_another_request_is_a_conflict_and_spoils_no_other_claim(store: AnyStore) -> None:
    results = await asyncio.gather(
        store.record(decision(1, "k", "one")),
        store.record(decision(2, "k", "another")),
        store.record(decision(3)),
        return_exceptions=True,
    )
    assert isinstance(results[1], IdempotencyConflictError)
    assert [each.id for each in store.latest_decisions(10)] == ["dec_000003", "dec_000001"]


async def test_a_decision_whose_policies_are_not_kept_is_not_recorded(store: AnyStore) -> None:
    unknown = decision(1)._replace(policy_revision="sha256:unknown")
    with pytest.raises(StoreUnavailableError):
        await store.record(unknown)
    assert store.decision(unknown.id) is None


async def test_policies_go_in_together_with_their_first_decision(store: AnyStore) -> None:
    new = PolicyRevision("sha256:new", 7, "text")
    assert not store.keeps(new.revision)
    claims = [decision(number)._replace(policy_revision=new.revision) for number in range(3)]
    await asyncio.gather(*(store.record(claim, new) for claim in claims))
    assert store.keeps(new.revision)
    assert store.sources(new.revision) == "text"
    assert store.count_decisions() == 3


async def test_the_text_of_a_policy_set_is_kept_once(store: AnyStore) -> None:
    store.remember_revision("sha256:y", "first", 1)
    store.remember_revision("sha256:y", "second", 2)
    assert store.keeps("sha256:y")
    assert store.sources("sha256:y") == "first"
    assert store.sources("sha256:z") is None


async def test_an_id_that_exists_is_not_recorded_again(store: AnyStore) -> None:
    await store.record(decision(1))
    with pytest.raises(StoreUnavailableError):
        await store.record(decision(1)._replace(body="another"))
    assert store.decision("dec_000001") == decision(1)


async def test_a_store_that_is_closed_takes_nothing_more(store: AnyStore) -> None:
    await store.record(decision(1))
    assert store.ping()
    await store.close()
    with pytest.raises(StoreUnavailableError):
        await store.record(decision(2))
