import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app.store.errors import DatabaseUrlError, StoreUnavailableError
from app.store.store import Store
from app.store.transaction import Transaction
from app.store.writer import DEADLINE
from tests.store.records import POLICIES, assert_whole, count, event, ids, recording, row

pytestmark = pytest.mark.anyio


async def test_claims_that_come_together_share_their_commits(store: Store) -> None:
    batches: list[int] = []
    commit = store._writer._commit

    def counting(works: Sequence[Any]) -> Any:
        batches.append(len(works))
        return commit(works)

    store._writer._commit = counting
    assert await asyncio.gather(*(store.write(recording(number)) for number in range(200))) == [*range(200)]
    assert batches == [200]
    assert count(store) == 200
    assert_whole(store)


async def test_a_batch_of_many_more_than_a_statement_takes_is_recorded_whole(store: Store) -> None:
    await asyncio.gather(*(store.write(recording(number)) for number in range(1_200)))
    assert count(store) == 1_200
    assert_whole(store)


async def test_a_claim_that_no_database_takes_spoils_no_other_one(store: Store) -> None:
    odd = [
        row(1)._replace(actor="half a pair: \ud83d"),
        row(2)._replace(at=2**63),
        row(3)._replace(policy_revision="sha256:unknown"),
        row(4)._replace(service=None),  # type: ignore[arg-type]
        row(5)._replace(actor=object()),  # type: ignore[arg-type]
        row(10),
    ]

    def work(each: Any) -> Any:
        return lambda transaction: transaction.record(each, event(7))

    works = [recording(10), *map(work, odd), recording(11, "k"), recording(12)]
    results = await asyncio.gather(*map(store.write, works), return_exceptions=True)
    assert [isinstance(each, StoreUnavailableError) for each in results] == [False, *[True] * 6, False, False]
    assert ids(store) == ["12", "11", "10"]
    assert_whole(store)


async def test_what_is_waiting_when_it_closes_is_recorded_first(url: str) -> None:
    store = Store.open(url)
    store.transact(lambda transaction: transaction.keep_policies(POLICIES))
    waiting = [asyncio.create_task(store.write(recording(number))) for number in range(700)]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*waiting)) == 700
    again = Store.open(url)
    assert count(again) == 700
    await again.close()


async def test_closing_leaves_one_file_behind(file: Path) -> None:
    store = Store.open(f"sqlite:///{file}")
    await store.write(lambda transaction: transaction.keep_policies(POLICIES))
    await store.close()
    assert not file.with_name("gate.db-wal").exists()


async def test_a_store_that_was_never_written_to_closes_too(url: str) -> None:
    await Store.open(url).close()


async def test_a_connection_in_use_while_it_closes_is_closed_when_it_is_given_back(url: str) -> None:
    store = Store.open(url)
    with store._database.reading() as connection:
        await store.close()
    with pytest.raises(store._database.failures):
        connection.say("SELECT 1")


async def test_what_another_process_kept_is_not_taken_for_kept(store: Store, url: str) -> None:
    another = Store.open(url)
    assert not another.keeps(POLICIES.revision)
    await another.write(
        lambda transaction: transaction.keep_policies(POLICIES._replace(sources="of another"))
    )
    assert another.keeps(POLICIES.revision)
    await another.close()
    assert store.query(lambda view: view.sources(POLICIES.revision)) == POLICIES.sources


async def test_two_stores_write_one_chain(store: Store, url: str) -> None:
    another = Store.open(url)
    works = [each.write(recording(number)) for number, each in enumerate([store, another] * 50)]
    await asyncio.gather(*works)
    await another.close()
    assert count(store) == 100
    assert_whole(store)


async def test_what_one_writes_the_other_sees_in_its_next_transaction(store: Store, url: str) -> None:
    another = Store.open(url)
    await store.write(recording(1, "k"))
    assert await another.write(lambda transaction: transaction.decision_of_key("", "k")) is not None
    await another.close()


def test_every_commit_reaches_the_disk(file: Path) -> None:
    store = Store.open(f"sqlite:///{file}", deadline=DEADLINE)
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 1_500}
    raw = store._database.connect().raw
    assert {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in expected} == expected
    raw.close()
    store.let_go()


async def test_reading_sees_one_state_throughout(store: Store) -> None:
    def look_twice(view: Any) -> tuple[int, int]:
        before = view.count_decisions()
        store.transact(recording(1))
        return before, view.count_decisions()

    assert store.query(look_twice) == (0, 0)
    assert count(store) == 1


def test_errors_do_not_repeat_what_was_to_be_written(url: str) -> None:
    store = Store.open(url)

    def work(transaction: Transaction) -> None:
        transaction.record(row(1)._replace(policy_revision="private", actor="private"), event(1))

    with pytest.raises(StoreUnavailableError) as caught:
        store.transact(work)
    assert "private" not in str(caught.value)
    store.let_go()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "can't be read"),
        ("postgresql://host", "names no database"),
        ("mysql://user:secret@host/x", "mysql are not supported"),
        ("sqlite://", "must survive a restart"),
        ("sqlite:///:memory:", "must survive a restart"),
        ("sqlite:///file:x?mode=memory", "must survive a restart"),
        ("sqlite:///x.db?timeout=0", "nothing else"),
        ("sqlite://host/x.db", "nothing else"),
        ("postgresql://host:port/x", "can't be read"),
    ],
)
async def test_a_database_that_cannot_be_used_is_refused(url: str, said: str) -> None:
    with pytest.raises(DatabaseUrlError, match=said) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)


async def test_odd_characters_in_the_path_are_those_of_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c%41?d=e"
    folder.mkdir()
    store = Store.open(f"sqlite:///{quote(str(folder))}/gate.db")
    assert await store.ping()
    await store.close()
    assert [each.name for each in folder.iterdir() if each.suffix == ".db"] == ["gate.db"]


@pytest.mark.parametrize("content", [None, b"this is no database, but a text that somebody put there" * 99])
async def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "no such folder" / "gate.db"
    if content is not None:
        file = tmp_path / "gate.db"
        file.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match=r"gate\.db can't be opened"):
        Store.open(f"sqlite:///{file}")


async def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="can't be opened") as caught:
        Store.open(f"postgresql://somebody:secret@/gate?host={tmp_path}")
    assert "secret" not in str(caught.value)
