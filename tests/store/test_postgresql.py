"""PostgreSQL as it is met outside: behind a pooler, with several servers, by URLs of either form."""

import asyncio
import logging
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest

from app.store.errors import DatabaseUrlError, StoreUnavailableError
from app.store.open import open_database
from app.store.postgresql_url import connection_parameters, shown
from app.store.store import Store
from tests.store.pgbouncer import pgbouncer
from tests.store.records import PATIENT, POLICIES, assert_whole, count, recording
from tests.store.test_faults import Server, server, until

__all__ = ["server"]

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-horse"  # noqa: S105 - so that it is found where it must not be


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("postgresql://u:p@h/db", {"user": "u", "password": "p", "host": "h", "dbname": "db"}),
        ("postgres://h:5433/db", {"host": "h", "port": "5433", "dbname": "db"}),
        ("postgresql+psycopg://h/db", {"host": "h", "dbname": "db"}),
        ("postgresql://u:p%40s%2Fs@h/db", {"user": "u", "password": "p@s/s", "host": "h", "dbname": "db"}),
        ("postgresql://u:p/a:s?#s@h/db", {"user": "u", "password": "p/a:s?#s", "host": "h", "dbname": "db"}),
        ("postgresql:///db?host=/run/pg&user=u", {"host": "/run/pg", "dbname": "db", "user": "u"}),
        ("postgresql://u@%2Frun%2Fpg/db", {"host": "/run/pg", "dbname": "db", "user": "u"}),
        ("postgresql://[::1]:5433/db", {"host": "::1", "port": "5433", "dbname": "db"}),
        (
            "postgresql://h/?dbname=db&sslmode=verify-full",
            {"host": "h", "dbname": "db", "sslmode": "verify-full"},
        ),
        (
            "postgresql://a:1,b:2/db",
            {"host": "a,b", "port": "1,2", "dbname": "db", "target_session_attrs": "read-write"},
        ),
        (
            "postgresql:///db?host=a:1&host=b:2",
            {"host": "a,b", "port": "1,2", "dbname": "db", "target_session_attrs": "read-write"},
        ),
        (
            "postgresql://a,[::1]:5433/db?target_session_attrs=primary",
            {"host": "a,::1", "port": ",5433", "dbname": "db", "target_session_attrs": "primary"},
        ),
        (
            "postgresql:///db?host=a,b&port=1,2",
            {"host": "a,b", "port": "1,2", "dbname": "db", "target_session_attrs": "read-write"},
        ),
    ],
)
def test_a_url_of_either_form_is_understood(url: str, given: dict[str, str]) -> None:
    assert connection_parameters(url) == given
    # libpq understands what it is given.
    psycopg.conninfo.make_conninfo(**given)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://u:{SECRET}@x@h/db", "written with %40"),
        (f"postgresql://u:x@{SECRET}@h/db", "written with %40"),
        (f"postgresql://u:{SECRET}@h:port/db", "can't be read"),
        (f"postgresql://u:{SECRET}@h", "names no database"),
        (f"postgresql:{SECRET}", "can't be read"),
    ],
)
def test_a_url_that_is_none_is_told_without_its_password(url: str, said: str) -> None:
    with pytest.raises(DatabaseUrlError, match=said) as raised:
        open_database(url, 1)
    assert SECRET not in str(raised.value)


def test_messages_name_every_server_and_no_password() -> None:
    url = f"postgresql://u:{SECRET}@a:1,b/db?sslpassword={SECRET}"
    assert shown(connection_parameters(url)) == "postgresql://u@a:1,b/db"
    assert open_database(url, 1).name == "postgresql://u@a:1,b/db"


async def test_an_option_that_there_is_not_is_told(postgresql_url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="can't be opened: invalid connection option"):
        Store.open(f"{postgresql_url}&colour={SECRET}")


def of_both(first: str, second: str, form: str) -> str:
    name = urlsplit(first).path
    hosts = [parse_qs(urlsplit(url).query)["host"][0] for url in (first, second)]
    if form == "commas":
        return f"postgresql://postgres@{','.join(quote(host, safe='') for host in hosts)}{name}"
    return f"postgresql://postgres@{name}?host={hosts[0]}&host={hosts[1]}"


@pytest.mark.parametrize("form", ["commas", "twice"])
async def test_of_several_servers_the_one_that_writes_is_used_also_after_a_failover(
    form: str, server: Server, postgresql_url: str
) -> None:
    """Both have the schema; in life the second follows the first."""
    name = urlsplit(postgresql_url).path
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name.strip('/')}")
    first = server.url.replace("/postgres?", f"{name}?")
    for url in (first, postgresql_url):
        opened = Store.open(url, deadline=PATIENT)
        opened.transact(lambda transaction: transaction.keep_policies(POLICIES))
        opened.let_go()
    store = Store.open(of_both(first, postgresql_url, form), deadline=PATIENT)
    await store.write(recording(1))
    assert await store.ping()
    server.only_reads(True)
    await until(lambda: only_reads(first))
    # The one before only reads by now: the claim goes to the other, and none is refused.
    await store.write(recording(2))
    assert await store.ping()
    assert await on(first, "SELECT count(*) FROM decisions") == 1
    assert await on(postgresql_url, "SELECT count(*) FROM decisions WHERE id = 'dec_000002'") == 1
    await store.close()


async def only_reads(url: str) -> bool:
    return await on(url, "SHOW default_transaction_read_only") == "on"


async def on(url: str, query: str) -> object:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        row = await (await connection.execute(query)).fetchone()
        assert row is not None
        return row[0]


@pytest.mark.parametrize(("mode", "size"), [("session", "20"), ("transaction", "4")])
async def test_behind_a_pooler_every_claim_is_recorded(
    mode: str, size: str, postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "freezegate.store")
    with pgbouncer(postgresql_url, mode, default_pool_size=size) as url:
        stores = [Store.open(url, deadline=PATIENT) for _ in range(2)]
        stores[0].transact(lambda transaction: transaction.keep_policies(POLICIES))
        for first in range(0, 300, 30):
            # Two replicas, readers beside writers: each transaction may get any connection of the server.
            await asyncio.gather(
                *(stores[number % 2].write(recording(number)) for number in range(first, first + 30)),
                *(stores[number % 2].read(lambda view: view.count_decisions()) for number in range(8)),
                *(store.ping() for store in stores),
            )
        assert count(stores[0]) == 300
        assert_whole(stores[1])
        for store in stores:
            await store.close()
    assert "a connection pooler stands before the database" in caplog.text
    # What bounds our statements is not left on connections that others get.
    assert await on(postgresql_url, "SHOW statement_timeout") == "0"


async def test_behind_a_pooler_limits_hold_and_are_not_left_to_others(postgresql_url: str) -> None:
    Store.open(postgresql_url, deadline=PATIENT).let_go()
    with pgbouncer(postgresql_url, "transaction", default_pool_size="1") as url:
        store = Store.open(url, deadline=PATIENT)
        limits = await store.read(lambda view: view._connection.raw.execute("SHOW lock_timeout").fetchone())
        assert limits == ("45s",)
        assert await on(url, "SHOW lock_timeout") == "0"
        await store.close()


async def test_a_pooler_that_keeps_no_transaction_together_is_refused_with_its_own_words(
    postgresql_url: str,
) -> None:
    with (
        pgbouncer(postgresql_url, "statement") as url,
        pytest.raises(StoreUnavailableError, match="can't be opened"),
    ):
        Store.open(url, deadline=PATIENT)


async def test_without_a_pooler_statements_are_bounded_and_prepared(postgresql_url: str) -> None:
    store = Store.open(postgresql_url, deadline=PATIENT)
    store.transact(lambda transaction: transaction.keep_policies(POLICIES))
    for number in range(20):
        await store.write(recording(number))
    limits = await store.read(lambda view: view._connection.raw.execute("SHOW statement_timeout").fetchone())
    assert limits == ("45s",)
    kept = store._connection._connection
    assert kept is not None
    assert kept.raw.prepare_threshold is not None
    assert kept.raw.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()[0] > 0
    await store.close()
