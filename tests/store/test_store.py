import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from app.store.engine import DatabaseUrlError, open_engine
from app.store.errors import IdempotencyConflictError, StoreUnavailableError
from app.store.records import DecisionRecord
from app.store.schema import HEAD, MIGRATIONS, _migrate, upgrade
from app.store.store import Store

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'gate.db'}")
    yield opened
    await opened.close()


def record(number: int, key: str | None = None, fingerprint: str = "f") -> DecisionRecord:
    return DecisionRecord(
        id=f"dec_{number:06}",
        at=1_795_784_700,
        recorded_at=1_795_784_700_000_000 + number,
        service="api",
        environment="production",
        change="normal",
        duration=0,
        outcome="deny",
        opens_at=None,
        body=f'{{"number": {number}}}',
        ref=None,
        actor="Ünï — ☂",
        run_url=None,
        caller="",
        idempotency_key=key,
        fingerprint=fingerprint,
        policy_revision="sha256:x",
        tzdata_version="2026f",
        holidays_version="0.109",
        request_id="r",
    )


async def test_what_is_recorded_is_found_again_whole(store: Store) -> None:
    await store.record(record(1))
    assert store.decision("dec_000001") == record(1)
    assert store.decision("dec_000002") is None


async def test_claims_that_come_together_share_their_commits(store: Store) -> None:
    batches: list[int] = []
    commit = store._writer._commit

    def counting(claims: object) -> object:
        batches.append(len(claims))  # type: ignore[arg-type]
        return commit(claims)  # type: ignore[arg-type]

    store._writer._commit = counting  # type: ignore[assignment]
    await asyncio.gather(*(store.record(record(number)) for number in range(200)))
    assert sum(batches) == 200
    assert len(batches) < 10
    assert len(store.latest_decisions(500)) == 200


async def test_the_newest_decision_comes_first(store: Store) -> None:
    for number in (1, 3, 2):
        await store.record(record(number))
    assert [each.id[-1] for each in store.latest_decisions(2)] == ["3", "2"]


async def test_a_key_gets_its_first_decision_within_a_batch_and_across(store: Store) -> None:
    together = await asyncio.gather(*(store.record(record(number, "k")) for number in range(5)))
    assert {each.body for each in together} == {'{"number": 0}'}
    later = await store.record(record(9, "k"))
    assert later.body == '{"number": 0}'
    assert len(store.latest_decisions(10)) == 1


async def test_a_key_of_another_request_is_a_conflict_and_spoils_no_other_claim(store: Store) -> None:
    results = await asyncio.gather(
        store.record(record(1, "k", "one")),
        store.record(record(2, "k", "another")),
        store.record(record(3)),
        return_exceptions=True,
    )
    assert isinstance(results[1], IdempotencyConflictError)
    assert [each.id for each in store.latest_decisions(10)] == ["dec_000003", "dec_000001"]


async def test_a_locked_database_refuses_in_time_and_recovers(store: Store, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "gate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError):
        await store.record(record(1))
    other.execute("ROLLBACK")
    other.close()
    await store.record(record(2))
    assert [each.id for each in store.latest_decisions(10)] == ["dec_000002"]


async def test_a_store_that_is_closed_takes_nothing_more(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'gate.db'}")
    waiting = [asyncio.create_task(store.record(record(number))) for number in range(3)]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*waiting)) == 3
    with pytest.raises(StoreUnavailableError):
        await store.record(record(9))


async def test_the_text_of_a_policy_set_is_kept_once(store: Store) -> None:
    store.remember_revision("sha256:x", "first", 1)
    store.remember_revision("sha256:x", "second", 2)
    assert store.sources("sha256:x") == "first"
    assert store.sources("sha256:y") is None


async def test_every_flush_reaches_the_disk(store: Store) -> None:
    with store._engine.connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_migrations_make_the_tables_that_are_declared(tmp_path: Path) -> None:
    made, migrated = (open_engine(f"sqlite:///{tmp_path / name}") for name in ("made.db", "migrated.db"))
    upgrade(made)
    _migrate(migrated)
    schemas = []
    for engine in (made, migrated):
        inspector = inspect(engine)
        schemas.append(
            {
                table: (
                    [
                        (each["name"], str(each["type"]), each["nullable"])
                        for each in inspector.get_columns(table)
                    ],
                    inspector.get_pk_constraint(table)["constrained_columns"],
                    inspector.get_indexes(table),
                )
                for table in ("decisions", "policy_revisions")
            }
        )
        engine.dispose()
    assert schemas[0] == schemas[1]


def test_the_newest_migration_is_the_present_schema() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


@pytest.mark.parametrize("url", ["nonsense", "postgresql://localhost/x", "mysql://x/y"])
def test_a_database_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUrlError):
        open_engine(url)


def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="can't be opened"):
        Store.open(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
