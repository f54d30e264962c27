"""What happens to the disk and the file of a store at work: refused in time, well again without a restart."""

import asyncio
import contextlib
import os
import resource
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app.store.errors import StoreUnavailableError
from app.store.store import Store
from tests.store.records import POLICIES, decision

pytestmark = pytest.mark.anyio


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def move(file: Path, target: str) -> None:
    """The database with its log, as somebody does who does not know that it is in use."""
    for part in file.parent.glob(f"{file.name}*"):
        part.rename(part.with_name(part.name.replace(file.name, target)))


def remove(file: Path) -> None:
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()


def damage(file: Path) -> bytes:
    """Write nonsense over a file; gives what was there."""
    whole = file.read_bytes()
    file.write_bytes(b"damaged" * (len(whole) // 7 + 1))
    return whole


async def refused(store: Store) -> None:
    """Several claims together and one after the other: none is recorded, none is lost without a word."""
    before = {each.id for each in store.latest_decisions(100)} if store.ping() else None
    claims = [store.record(decision(number)) for number in range(900, 910)]
    for each in await asyncio.gather(*claims, return_exceptions=True):
        assert isinstance(each, StoreUnavailableError)
    with pytest.raises(StoreUnavailableError):
        await store.record(decision(910))
    assert before is None or {each.id for each in store.latest_decisions(100)} == before


async def test_a_locked_database_refuses_in_time_and_recovers(hasty: Store, file: Path) -> None:
    await hasty.record(decision(1))
    with locked(file):
        assert not hasty.ping()
        await refused(hasty)
        with pytest.raises(StoreUnavailableError):
            hasty.remember_revision("sha256:y", "", 1)
    assert hasty.ping()
    await hasty.record(decision(2))
    assert [each.id for each in hasty.latest_decisions(10)] == ["dec_000002", "dec_000001"]


async def test_a_locked_database_is_read_all_the_same(hasty: Store, file: Path) -> None:
    await hasty.record(decision(1))
    with locked(file):
        assert hasty.decision("dec_000001") == decision(1)
        assert hasty.sources(POLICIES.revision) == POLICIES.sources
        assert hasty.count_decisions() == 1


async def test_a_full_database_refuses_and_recovers(store: Store, file: Path) -> None:
    def fill(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    await store.record(decision(1))
    event.listen(store._engine, "connect", fill)
    store._connection.drop()
    store._engine.dispose()
    large = decision(2)._replace(ref="x" * 100_000)
    odd = decision(3)._replace(ref="half a pair: \ud83d")
    results = await asyncio.gather(*map(store.record, (odd, large)), return_exceptions=True)
    assert [type(each) for each in results] == [StoreUnavailableError] * 2
    event.remove(store._engine, "connect", fill)
    store._engine.dispose()
    await store.record(large)
    assert store.count_decisions() == 2


async def test_a_disk_that_takes_no_more_refuses_and_recovers(store: Store, file: Path) -> None:
    await store.record(decision(1))
    log = file.with_name("gate.db-wal")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, limits[1]))
    try:
        await refused(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    await store.record(decision(2))
    assert store.count_decisions() == 2


async def test_a_read_only_database_refuses_and_recovers(store: Store) -> None:
    def protect(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    await store.record(decision(1))
    event.listen(store._engine, "connect", protect)
    store._connection.drop()
    await refused(store)
    event.remove(store._engine, "connect", protect)
    store._engine.dispose()
    await store.record(decision(2))
    assert store.count_decisions() == 2


async def test_a_file_that_was_removed_is_not_written_to_nor_made_anew(store: Store, file: Path) -> None:
    await store.record(decision(1))
    move(file, "away.db")
    assert not store.ping()
    with pytest.raises(StoreUnavailableError):
        store.count_decisions()
    await refused(store)
    assert "gate.db" not in os.listdir(file.parent)  # noqa: PTH208 - neither waits
    move(file.with_name("away.db"), "gate.db")
    assert store.ping()
    await store.record(decision(2))
    assert store.count_decisions() == 2


async def test_a_file_that_was_replaced_is_the_one_that_is_written_to(store: Store, file: Path) -> None:
    backup = file.with_name("backup.db")
    with (
        contextlib.closing(sqlite3.connect(file)) as source,
        contextlib.closing(sqlite3.connect(backup)) as target,
    ):
        source.backup(target)
    await store.record(decision(1))
    assert store.count_decisions() == 1
    remove(file)
    shutil.move(backup, file)
    assert store.count_decisions() == 0
    await store.record(decision(2), POLICIES)
    assert [each.id for each in store.latest_decisions(10)] == ["dec_000002"]


async def test_policies_that_a_restored_backup_lacks_are_kept_again(
    store: Store, file: Path, tmp_path: Path
) -> None:
    await store.record(decision(1))
    remove(file)
    empty = Store.open(f"sqlite:///{tmp_path / 'empty.db'}")
    await empty.close()
    shutil.move(tmp_path / "empty.db", file)
    with pytest.raises(StoreUnavailableError):
        await store.record(decision(2))
    assert not store.keeps(POLICIES.revision)
    await store.record(decision(3), POLICIES)
    assert store.keeps(POLICIES.revision)


async def test_a_table_that_is_gone_refuses_every_claim_and_ping_of_an_empty_file_fails(
    store: Store, file: Path
) -> None:
    await store.record(decision(1))
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("DROP TABLE decisions")
        other.execute("DROP TABLE alembic_version")
    assert not store.ping()
    with pytest.raises(StoreUnavailableError):
        await store.record(decision(2))


async def test_a_damaged_file_refuses_and_says_so_once(
    store: Store, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await store.record(decision(1))
    store._connection.drop()
    store._engine.dispose()
    whole = damage(file)
    await refused(store)
    assert [each.message for each in caplog.records] == [
        "decisions can't be recorded: file is not a database"
    ]
    store._engine.dispose()
    await asyncio.to_thread(file.write_bytes, whole)
    caplog.set_level("INFO")
    await store.record(decision(2))
    assert caplog.records[-1].message == "decisions are recorded again"


async def test_a_disk_that_answers_no_more_is_not_waited_for_at_the_end(hasty: Store) -> None:
    stuck = threading.Event()
    commit = hasty._writer._commit

    def hang(claims: Sequence[Any]) -> Any:
        stuck.wait(30)
        return commit(claims)

    hasty._writer._commit = hang
    with pytest.raises(StoreUnavailableError, match="in time"):
        await hasty.record(decision(1))
    await hasty.close()
    stuck.set()
    await asyncio.to_thread(hasty._writer._thread.join, 30)
    assert hasty.count_decisions() == 1
