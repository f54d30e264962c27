import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from app.store.engine import create_database, lock_file, open_engine
from app.store.errors import StoreUnavailableError
from app.store.schema import HEAD, MIGRATIONS, migrate, stored_version, upgrade
from app.store.tables import metadata

ROOT = Path(__file__).parents[2]


@pytest.fixture
def migrated(tmp_path: Path) -> Engine:
    engine = open_engine(f"sqlite:///{tmp_path / 'migrated.db'}", lock_wait=1)
    create_database(engine)
    migrate(engine, None)
    return engine


def statements(engine: Engine) -> set[str]:
    """What the database itself says that it was made by."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
        made = {" ".join(row.sql.split()) for row in rows}
    return {each for each in made if "alembic_version" not in each}


def test_migrations_make_the_tables_that_are_declared(migrated: Engine, url: str) -> None:
    made = open_engine(url, lock_wait=1)
    upgrade(made)
    assert statements(made) == statements(migrated)
    assert len(statements(made)) == 3
    assert stored_version(made) == stored_version(migrated) == HEAD


def test_a_comparison_by_alembic_finds_nothing_to_migrate(migrated: Engine) -> None:
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_migration_is_the_present_schema() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_database_of_an_older_version_is_brought_up_to_date(migrated: Engine) -> None:
    # No older version exists yet: an unfinished first one will do.
    with migrated.begin() as connection:
        for statement in (
            "DROP TABLE decisions",
            "DROP TABLE policy_revisions",
            "DELETE FROM alembic_version",
        ):
            connection.execute(text(statement))
    assert stored_version(migrated) is None
    migrate(migrated, None)
    assert stored_version(migrated) == HEAD
    assert len(statements(migrated)) == 3


def test_a_migration_that_fails_leaves_the_database_as_it_was(url: str, file: Path) -> None:
    engine = open_engine(url, lock_wait=1)
    create_database(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE decisions (id TEXT)"))
    before = statements(engine)
    with pytest.raises(Exception, match="already exists"):
        migrate(engine, None)
    with pytest.raises(Exception, match="already exists"):
        upgrade(engine)
    assert statements(engine) == before
    assert stored_version(engine) is None


def test_a_database_of_a_newer_version_is_refused_and_left_alone(url: str) -> None:
    engine = open_engine(url, lock_wait=1)
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnavailableError, match="9999, which this freezegate does not know"):
        upgrade(engine)
    assert stored_version(engine) == "9999"


def test_many_that_start_together_make_one_database(url: str) -> None:
    engines = [open_engine(url, lock_wait=5) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(upgrade, engines))
    assert {stored_version(engine) for engine in engines} == {HEAD}
    for engine in engines:
        engine.dispose()


def test_processes_that_start_together_make_one_database(url: str) -> None:
    program = f"from app.store.store import Store; Store.open({url!r}); print('open')"
    started = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert [process.communicate(timeout=60)[0] for process in started] == ["open\n"] * 6


def test_a_schema_that_somebody_changes_for_ever_is_not_waited_for(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr("app.store.schema._LOCK_TRIES", 2)
    engine = open_engine(url, lock_wait=1)
    with lock_file(engine).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailableError, match="for a minute"):
            upgrade(engine)


@pytest.mark.parametrize("start", ["first", "second"])
def test_a_start_without_a_migration_due_does_not_import_alembic(url: str, start: str) -> None:
    if start == "second":
        engine = open_engine(url, lock_wait=1)
        upgrade(engine)
        engine.dispose()
    program = (
        f"import sys; from app.store.store import Store; Store.open({url!r}); print('alembic' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


def test_records_and_errors_and_the_use_cases_load_no_database_library() -> None:
    modules = "app.store.records, app.store.errors, app.gate.claim, app.gate.replay"
    program = f"import sys, {modules}; print('sqlalchemy' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"
