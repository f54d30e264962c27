import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.store.engine import open_engine, reading
from app.store.schema import upgrade
from app.store.store import Store


def test_every_commit_reaches_the_disk(url: str) -> None:
    store = Store.open(url)
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 1_500}
    with store._engine.connect() as connection:
        found = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in expected}
    assert found == expected
    store._engine.dispose()


def test_a_transaction_that_writes_takes_its_lock_at_once_and_one_that_reads_takes_none(
    url: str, file: Path
) -> None:
    engine = open_engine(url, lock_wait=0.01)
    upgrade(engine)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="locked"), engine.begin():
        pytest.fail("it did not take the lock")
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM decisions")).scalar() == 0
    other.execute("ROLLBACK")
    other.close()
    engine.dispose()


def test_a_transaction_that_reads_sees_one_state_throughout(url: str) -> None:
    engine = open_engine(url, lock_wait=1)
    upgrade(engine)
    count = text("SELECT count(*) FROM policy_revisions")
    with reading(engine) as connection:
        assert connection.execute(count).scalar() == 0
        with engine.begin() as writing:
            writing.execute(text("INSERT INTO policy_revisions VALUES ('sha256:x', 1, '')"))
        assert connection.execute(count).scalar() == 0
    with reading(engine) as connection:
        assert connection.execute(count).scalar() == 1
    engine.dispose()


def test_errors_do_not_repeat_what_was_to_be_written(url: str) -> None:
    engine = open_engine(url, lock_wait=1)
    upgrade(engine)
    with pytest.raises(OperationalError) as caught, engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (?)", ("private",))
    assert "private" not in str(caught.value)
    engine.dispose()
