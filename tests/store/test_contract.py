"""What the store promises, on both databases."""

import asyncio

import pytest

from app.core.override import Approval
from app.gate.errors import StateConflictError
from app.store import overrides
from app.store.errors import StoreUnavailableError
from app.store.records import DecisionFilter, PolicyRevision
from app.store.store import Store
from app.store.transaction import Transaction
from tests.store.records import (
    EVERYTHING,
    NOW,
    PATIENT,
    POLICIES,
    assert_chain,
    count,
    event,
    freeze,
    ids,
    key_record,
    newest,
    override,
    recording,
    row,
)

pytestmark = pytest.mark.anyio


async def test_what_is_recorded_is_found_again_whole(store: Store) -> None:
    assert await store.write(recording(1)) == 1
    found = await store.read(lambda view: view.decision("dec_000001"))
    assert found is not None
    assert (found.recorded_at, found.caller, found.data) == (NOW * 1_000_000 + 1, "", event(1).data)
    assert await store.read(lambda view: view.decision("dec_000002")) is None


@pytest.mark.parametrize(
    "text", ["", "\u2028", "\U0001f4a9", "%s ?1 :x $[0] %%", "'); DROP TABLE decisions;--", "\\u0000"]
)
async def test_any_text_of_whole_characters_comes_back_as_it_was(store: Store, text: str) -> None:
    def work(transaction: Transaction) -> None:
        transaction.record(row(1)._replace(actor=text, service=text), event(1, text or "{}"))

    await store.write(work)
    (found,) = store.query(lambda view: view.newest_decisions(DecisionFilter(actor=text), None, 10))
    assert found.data == (text or "{}")
    assert_chain(store)


async def test_the_newest_decisions_come_first_page_by_page(store: Store) -> None:
    for number in (1, 4, 3, 2):
        await store.write(recording(number))
    assert ids(store) == ["2", "3", "4", "1"]
    last = newest(store, 3)[-1].seq
    (rest,) = store.query(lambda view: view.newest_decisions(EVERYTHING, last, 3))
    assert rest.data == event(1).data
    assert store.query(lambda view: view.newest_decisions(EVERYTHING, rest.seq, 3)) == []
    assert count(store) == 4


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (DecisionFilter(service="web"), ["2"]),
        (DecisionFilter(environment="staging"), ["3"]),
        (DecisionFilter(outcome="allow"), ["4"]),
        (DecisionFilter(actor="bob"), ["6", "5"]),
        (DecisionFilter(start=NOW + 7), ["7"]),
        (DecisionFilter(end=NOW), []),
        (DecisionFilter(service="api", outcome="allow", end=NOW + 1), ["4"]),
        (DecisionFilter(service="web", outcome="allow"), []),
    ],
)
async def test_decisions_are_found_by_what_they_were_about(
    store: Store, wanted: DecisionFilter, found: list[str]
) -> None:
    rows = [
        row(1),
        row(2)._replace(service="web"),
        row(3)._replace(environment="staging"),
        row(4)._replace(outcome="allow"),
        row(5)._replace(actor="bob"),
        row(6)._replace(caller="bob"),
        row(7)._replace(at=NOW + 7),
    ]
    for number, each in enumerate(rows, 1):
        await store.write(lambda transaction, n=number, r=each: transaction.record(r, event(n)))  # type: ignore[misc]
    listed = store.query(lambda view: view.newest_decisions(wanted, None, 10))
    assert [each.data for each in listed] == [event(int(number)).data for number in found]


async def test_a_decision_is_found_by_its_key_also_within_its_transaction(store: Store) -> None:
    def twice(transaction: Transaction) -> object:
        transaction.record(row(1, "k"), told)
        return transaction.decision_of_key("", "k")

    told = event(1, key="k")
    assert await store.write(twice) == ("f", told.data)
    assert store.query(lambda view: view.decision_of_key("", "k")) == ("f", told.data)
    assert store.query(lambda view: view.decision_of_key("somebody", "k")) is None


async def test_a_decision_whose_policies_are_not_kept_is_not_recorded(store: Store) -> None:
    unknown = row(1)._replace(policy_revision="sha256:unknown")
    with pytest.raises(StoreUnavailableError):
        await store.write(lambda transaction: transaction.record(unknown, event(1)))
    assert count(store) == 0


async def test_the_text_of_a_policy_set_is_kept_once_and_then_known(store: Store) -> None:
    new = PolicyRevision("sha256:new", 7, "first")
    assert not store.keeps(new.revision)
    assert await store.write(lambda transaction: transaction.keep_policies(new))
    assert store.keeps(new.revision)
    assert not await store.write(
        lambda transaction: transaction.keep_policies(new._replace(sources="second"))
    )
    assert store.query(lambda view: view.sources(new.revision)) == "first"
    assert store.query(lambda view: view.sources("sha256:z")) is None


async def test_an_id_that_exists_is_not_recorded_again(store: Store) -> None:
    await store.write(recording(1))
    with pytest.raises(StoreUnavailableError):
        await store.write(lambda transaction: transaction.record(row(1), event(2)))
    assert ids(store) == ["1"]
    assert_chain(store)


async def test_an_override_is_found_by_its_id_and_its_token_and_spent_so_often(store: Store) -> None:
    granted = override(1, max_uses=2)
    await store.write(lambda transaction: transaction.add_override(granted, "digest"))
    assert store.query(lambda view: view.override_of_token("digest")) == granted
    assert store.query(lambda view: view.override_of_token("another")) is None
    spent = []
    for number in range(4):

        def work(transaction: Transaction, own_id: str = f"dec_{number}") -> bool:
            standing = transaction.override(granted.id)
            assert standing is not None
            return transaction.spend(standing, own_id, NOW)

        spent.append(await store.write(work))
    assert spent == [True, True, False, False]
    assert store.query(lambda view: view.override(granted.id)) == granted._replace(uses=2)
    assert store.query(lambda view: view.newest_overrides(NOW, None, 9)) == []


async def test_an_override_that_was_read_before_another_spend_is_not_spent(store: Store) -> None:
    granted = override(1, max_uses=3)
    await store.write(lambda transaction: transaction.add_override(granted, "digest"))
    assert await store.write(lambda transaction: transaction.spend(granted, "dec_1", NOW))
    assert not await store.write(lambda transaction: transaction.spend(granted, "dec_2", NOW))


@pytest.mark.parametrize("spoilt", ["expired", "revoked"])
async def test_what_has_expired_or_was_revoked_is_not_spent(store: Store, spoilt: str) -> None:
    granted = override(1)
    await store.write(lambda transaction: transaction.add_override(granted, "digest"))
    if spoilt == "revoked":
        assert await store.write(lambda transaction: transaction.revoke_override(granted.id, "bob", NOW))
        assert not await store.write(lambda transaction: transaction.revoke_override(granted.id, "eve", NOW))
    at = granted.expires_at if spoilt == "expired" else NOW
    assert not await store.write(lambda transaction: transaction.spend(granted, "dec_1", at))
    assert store.query(lambda view: view.newest_overrides(at, None, 9)) == []
    assert len(store.query(lambda view: view.newest_overrides(None, None, 9))) == 1


async def test_approvals_are_kept_in_their_order_one_for_each_person(store: Store) -> None:
    await store.write(lambda transaction: transaction.add_override(override(1), "digest"))
    for number, person in enumerate(("bob", "carol")):
        given = Approval(person.title(), NOW + number, person)
        await store.write(lambda transaction, g=given: transaction.approve("ovr_000001", g))  # type: ignore[misc]
    with pytest.raises(StoreUnavailableError):
        await store.write(lambda transaction: transaction.approve("ovr_000001", Approval("B", NOW, "bob")))
    found = store.query(lambda view: view.override("ovr_000001"))
    assert found is not None
    assert found.approvals == (Approval("Bob", NOW, "bob"), Approval("Carol", NOW + 1, "carol"))


async def test_a_use_that_was_spent_stays_spent_when_its_override_is_changed_in_the_same_batch(
    store: Store,
) -> None:
    granted = override(1)
    await store.write(lambda transaction: transaction.add_override(granted, "digest"))

    def work(transaction: Transaction) -> tuple[int, bool]:
        assert transaction.spend(granted, "dec_1", NOW)
        transaction.approve(granted.id, Approval("bob", NOW, "bob"))
        changed = transaction.override(granted.id)
        assert changed is not None
        return changed.uses, transaction.spend(changed, "dec_2", NOW)

    assert await store.write(work) == (1, False)
    found = store.query(lambda view: view.override(granted.id))
    assert found is not None
    assert found.uses == 1


async def test_a_key_of_a_claim_is_found_in_the_batch_that_records_it(store: Store) -> None:
    def work(transaction: Transaction) -> object:
        recording(1, "k")(transaction)
        return transaction.decision_of_key(row(1).caller, "k")

    assert await store.write(work) is not None


async def test_overrides_are_listed_newest_first_page_by_page(store: Store) -> None:
    for number in range(5):
        granted = override(number)
        await store.write(lambda transaction, g=granted: transaction.add_override(g, g.id))  # type: ignore[misc]
    page = store.query(lambda view: view.newest_overrides(NOW, None, 3))
    assert [each.id[-1] for each in page] == ["4", "3", "2"]
    rest = store.query(lambda view: view.newest_overrides(NOW, page[-1].id, 3))
    assert [each.id[-1] for each in rest] == ["1", "0"]


async def test_a_freeze_comes_back_whole_and_every_change_is_counted(store: Store) -> None:
    started = freeze(1)
    await store.write(lambda transaction: transaction.add_freeze(started))
    assert store.query(lambda view: view.freeze(started.id)) == started
    lifted = started._replace(lifted_by="bob", lifted_at=NOW + 60, ends_at=None, changed_at=NOW + 61)
    await store.write(lambda transaction: transaction.change_freeze(lifted))
    assert store.query(lambda view: view.freeze(started.id)) == lifted
    assert store.query(lambda view: view.head()).freezes_version == 2


async def test_freezes_that_are_over_are_left_out_and_stay_on_record(store: Store) -> None:
    lasting = [freeze(1), freeze(2, ends_at=None)]
    over = [freeze(3, ends_at=NOW + 10), freeze(4)._replace(lifted_at=NOW + 10, lifted_by="bob")]
    for each in (*lasting, *over):
        await store.write(lambda transaction, f=each: transaction.add_freeze(f))  # type: ignore[misc]
    assert store.query(lambda view: view.freezes_after(NOW + 10)) == lasting
    everything = store.query(lambda view: view.newest_freezes(None, 3))
    assert [each.id[-1] for each in everything] == ["4", "3", "2"]
    assert len(store.query(lambda view: view.newest_freezes(everything[-1].id, 3))) == 1


async def test_a_key_is_found_by_its_hash_and_stays_on_record_when_it_is_revoked(store: Store) -> None:
    await store.write(lambda transaction: transaction.add_key(key_record(1), "digest"))
    assert store.query(lambda view: view.keys_by_digest()) == {"digest": key_record(1)}
    assert await store.write(lambda transaction: transaction.revoke_key("key_000001", NOW))
    assert not await store.write(lambda transaction: transaction.revoke_key("key_000001", NOW + 1))
    revoked = key_record(1)._replace(revoked_at=NOW)
    assert store.query(lambda view: view.keys()) == [revoked]
    assert store.query(lambda view: view.key("key_000001")) == revoked
    assert store.query(lambda view: view.head()).keys_version >= 2


async def test_what_is_refused_before_it_writes_spoils_no_other(store: Store) -> None:
    def refuse(transaction: Transaction) -> None:
        raise StateConflictError("no")

    results = await asyncio.gather(
        *map(store.write, (recording(1), refuse, recording(2))), return_exceptions=True
    )
    assert [type(each) for each in results] == [int, StateConflictError, int]
    assert ids(store) == ["2", "1"]


async def test_what_is_refused_after_it_wrote_leaves_nothing_and_spoils_no_other(store: Store) -> None:
    def refuse(transaction: Transaction) -> None:
        transaction.add_freeze(freeze(1))
        transaction.append(event(9))
        raise StateConflictError("no")

    results = await asyncio.gather(
        *map(store.write, (recording(1), refuse, recording(2))), return_exceptions=True
    )
    assert [type(each) for each in results] == [int, StateConflictError, int]
    assert ids(store) == ["2", "1"]
    assert store.query(lambda view: view.freeze("frz_000001")) is None
    assert store.query(lambda view: view.head()).seq == 2
    assert_chain(store)


async def test_a_transaction_that_changes_nothing_leaves_no_trace(store: Store) -> None:
    before = store.query(lambda view: view.head())
    assert await store.write(lambda transaction: transaction.freezes_version) == 0
    assert store.query(lambda view: view.head()) == before


async def test_the_latest_event_of_a_kind_is_found(store: Store) -> None:
    for number, kind in enumerate(("policies-loaded", "key-created", "policies-loaded", "decision")):
        told = event(number)._replace(kind=kind)
        await store.write(lambda transaction, e=told: transaction.append(e))  # type: ignore[misc]
    found = store.query(lambda view: view.latest_of_kind("policies-loaded"))
    assert found is not None
    assert found.seq == 3
    assert store.query(lambda view: view.latest_of_kind("freeze-lifted")) is None


async def test_a_store_that_is_closed_takes_nothing_more(url: str) -> None:
    store = Store.open(url, deadline=PATIENT)
    store.transact(lambda transaction: transaction.keep_policies(POLICIES))
    await store.write(recording(1))
    assert await store.ping()
    await store.close()
    with pytest.raises(StoreUnavailableError):
        await store.write(recording(2))
    with pytest.raises(StoreUnavailableError):
        await store.read(lambda view: view.head())
    assert not await store.ping()


async def test_the_database_itself_refuses_a_use_too_many(store: Store) -> None:
    await store.write(lambda transaction: transaction.add_override(override(1, max_uses=1), "digest"))
    first, another = (overrides.Spend("ovr_000001", number, f"dec_{number}", NOW) for number in (1, 2))
    with store._database.writing() as connection:
        overrides.spend(connection, [first])
    refused = pytest.raises(StoreUnavailableError, match="changed under the lock")
    with refused, store._database.writing() as connection:
        overrides.spend(connection, [another])
    found = store.query(lambda view: view.override("ovr_000001"))
    assert found is not None
    assert found.uses == 1
