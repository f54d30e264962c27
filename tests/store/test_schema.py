import fcntl
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from app.gate.record import to_json
from app.store.database import Database
from app.store.errors import StoreUnavailableError
from app.store.open import open_database
from app.store.postgresql import _SCHEMA_LOCK
from app.store.records import DecidedFilter
from app.store.schema import HEAD, MIGRATIONS, migrate, stored_version, upgrade
from app.store.sqlite import SQLite
from app.store.store import Store
from app.store.tables import metadata
from tests.store.older import of_version
from tests.store.records import NOW, assert_chain

ROOT = Path(__file__).parents[2]


def opened(url: str) -> Database:
    return open_database(url, lock_wait=5)


def statements(database: Database) -> set[str]:
    """What SQLite itself says that it was made by."""
    with database.engine.begin() as connection:
        rows = connection.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
        made = {" ".join(row.sql.split()) for row in rows}
    return {each for each in made if "alembic_version" not in each}


def tables(database: Database) -> set[str]:
    with database.engine.begin() as connection:
        return set(inspect(connection).get_table_names())


@pytest.fixture
def migrated(url: str) -> Database:
    database = opened(url)
    database.create()
    migrate(database, None)
    return database


def test_migrations_make_the_tables_that_are_declared(tmp_path: Path) -> None:
    one, another = (opened(f"sqlite:///{tmp_path / name}") for name in ("made.db", "migrated.db"))
    upgrade(one)
    another.create()
    migrate(another, None)
    assert statements(one) == statements(another)
    assert stored_version(one) == stored_version(another) == HEAD


def test_a_comparison_by_alembic_finds_nothing_to_migrate(migrated: Database) -> None:
    with migrated.engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    migrated.engine.dispose()


def test_the_newest_migration_is_the_present_schema() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_new_database_has_every_table_and_an_empty_record(url: str) -> None:
    store = Store.open(url)
    assert tables(store._database) == set(metadata.tables)
    assert store.query(lambda view: view.head()).seq == 0
    assert_chain(store)
    store.let_go()


def test_decisions_of_the_first_version_become_the_first_events(url: str) -> None:
    database = opened(url)
    of_version(database, "0001")
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO policy_revisions VALUES ('sha256:x', 1, '{}')"))
        for number in (2, 1):
            answer = json.dumps({"decision_id": f"dec_{number}", "allowed": True})
            connection.execute(
                text(
                    "INSERT INTO decisions VALUES "
                    "(:id, 5, 6000000, 'api', 'production', 'normal', 0, 'allow', "
                    "NULL, :body, 'v1', 'bob', NULL, 'ci', :key, 'f', 'sha256:x', '2026.6', '0.109', 'r')"
                ),
                {"id": f"dec_{number}", "body": answer, "key": f"k{number}"},
            )
    store = Store.open(url)
    assert stored_version(database) == HEAD
    found = store.query(lambda view: view.decision("dec_2"))
    assert found is not None
    assert found.seq == 2
    assert to_json(found) == {
        "decision_id": "dec_2",
        "allowed": True,
        "recorded_at": "1970-01-01T00:00:06Z",
        "caller": "ci",
        "actor": "bob",
        "ref": "v1",
        "deploy_id": None,
        "repeats": None,
        "run_url": None,
        "request_id": "r",
        "tzdata": "2026.6",
        "holidays": "0.109",
    }
    assert store.query(lambda view: view.decision_of_key("ci", "k1")) is not None
    assert_chain(store)
    store.let_go()
    database.engine.dispose()


def test_time_goes_on_from_the_latest_event_of_an_older_record(url: str) -> None:
    database = opened(url)
    of_version(database, "0003")
    with database.engine.begin() as connection:
        for seq, later in ((1, 0), (2, 90), (3, 30)):
            connection.execute(
                text("INSERT INTO events VALUES (:seq, :at, 'key-created', 'alice', '{}', '', '')"),
                {"seq": seq, "at": (NOW + later) * 1_000_000},
            )
    store = Store.open(url)
    assert store.query(lambda view: view.head().latest_at) == (NOW + 90) * 1_000_000
    store.let_go()
    database.engine.dispose()


def recorded(connection: Connection, seq: int, kind: str, **data: object) -> None:
    """Put an event into a database of the second version; nobody looks at its hash."""
    connection.execute(
        text("INSERT INTO events VALUES (:seq, :at, :kind, 'alice', :data, '', '')"),
        {"seq": seq, "at": (NOW + seq) * 1_000_000 + 5, "kind": kind, "data": json.dumps(data)},
    )


def test_what_older_decisions_were_about_is_found_in_the_record(url: str) -> None:
    database = opened(url)
    of_version(database, "0002")
    answers = [
        {"change": "normal", "blocking": []},
        {"change": "rollback", "blocking": []},
        {"change": "hotfix", "blocking": [{"id": "friday"}, {"id": "frz_1"}]},
        {"change": "normal", "blocking": [{"id": "friday"}]},
    ]
    many = 2_401  # more than the migration holds at a time
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO policy_revisions VALUES ('sha256:x', 1, '{}')"))
        for seq in range(1, many + 1):
            recorded(connection, seq, "decision", answer=answers[seq % 4])
        connection.execute(
            text(
                "INSERT INTO decisions VALUES (:seq, :id, :at, 'api', 'production', 'allow', '', "
                "NULL, NULL, NULL, NULL, 'sha256:x')"
            ),
            [{"seq": seq, "id": f"dec_{seq}", "at": NOW + seq} for seq in range(1, many + 1)],
        )
    store = Store.open(url)
    found = store.query(lambda view: view.decided(DecidedFilter(NOW, NOW + 9_999), (NOW, 0), 9_999))
    expected = [("normal", None), ("rollback", None), ("hotfix", "friday,frz_1"), ("normal", "friday")]
    assert [(decided.change, decided.blocking) for _, decided in found] == [
        expected[seq % 4] for seq in range(1, many + 1)
    ]
    store.let_go()
    database.engine.dispose()


def test_how_long_older_deploys_take_is_found_in_the_record(url: str) -> None:
    database = opened(url)
    of_version(database, "0005")
    told: list[dict[str, object]] = [
        {"answer": {"duration_s": 600}},
        {"answer": {"duration_s": 0}},
        {"answer": {}, "duration": 300},
        {"answer": {}},
    ]
    many = 2_401  # more than the migration holds at a time
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO policy_revisions VALUES ('sha256:x', 1, '{}')"))
        for seq in range(1, many + 1):
            recorded(connection, seq, "decision", **told[seq % 4])
        connection.execute(
            text(
                "INSERT INTO decisions VALUES (:seq, :id, :at, 'api', 'production', 'allow', '', "
                "NULL, NULL, NULL, NULL, 'sha256:x', NULL, 'normal')"
            ),
            [{"seq": seq, "id": f"dec_{seq}", "at": NOW + seq} for seq in range(1, many + 1)],
        )
    store = Store.open(url)
    rows = store.query(lambda view: view.decision_rows(0, many))
    expected = [600, 0, 300, 0]
    assert [rows[seq].duration for seq in range(1, many + 1)] == [
        expected[seq % 4] for seq in range(1, many + 1)
    ]
    store.let_go()
    database.engine.dispose()


def test_who_warned_of_older_deploys_is_found_in_the_record(url: str) -> None:
    database = opened(url)
    of_version(database, "0007")
    told: list[dict[str, object]] = [
        {"answer": {"warnings": [{"id": "month-end"}, {"id": "audit-week"}], "message": "m"}},
        {"answer": {"warnings": [], "message": '"warnings": ['}},
        {"answer": {"warnings": [{"id": "month-end"}], "message": '"warnings": []'}},
        {"answer": {}},
    ]
    many = 2_401  # more than the migration holds at a time
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO policy_revisions VALUES ('sha256:x', 1, '{}')"))
        for seq in range(1, many + 1):
            recorded(connection, seq, "decision", **told[seq % 4])
        connection.execute(
            text(
                "INSERT INTO decisions VALUES (:seq, :id, :at, 'api', 'production', 'allow', '', "
                "NULL, NULL, NULL, NULL, 'sha256:x', NULL, 'normal', 0, NULL)"
            ),
            [{"seq": seq, "id": f"dec_{seq}", "at": NOW + seq} for seq in range(1, many + 1)],
        )
    store = Store.open(url)
    rows = store.query(lambda view: view.decision_rows(0, many))
    expected = ["month-end,audit-week", None, "month-end", None]
    assert [rows[seq].warnings for seq in range(1, many + 1)] == [
        expected[seq % 4] for seq in range(1, many + 1)
    ]
    store.let_go()
    database.engine.dispose()


def test_each_decision_of_before_deploy_ids_counts_by_itself(url: str) -> None:
    database = opened(url)
    of_version(database, "0010")
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO policy_revisions VALUES ('sha256:x', 1, '{}')"))
        for seq in (1, 2):
            recorded(connection, seq, "decision", answer={})
            connection.execute(
                text(
                    "INSERT INTO decisions VALUES (:seq, :id, :at, 'api', 'production', 'deny', '', "
                    "NULL, NULL, NULL, NULL, 'sha256:x', NULL, 'normal', 0, NULL, NULL)"
                ),
                {"seq": seq, "id": f"dec_{seq}", "at": NOW + seq},
            )
    store = Store.open(url)
    rows = store.query(lambda view: view.decision_rows(0, 9))
    assert {(row.deploy, row.repeats) for row in rows.values()} == {(None, None)}
    assert len(store.query(lambda view: view.decided(DecidedFilter(NOW, NOW + 9), (NOW, 0), 9))) == 2
    store.let_go()
    database.engine.dispose()


def test_when_older_freezes_were_changed_is_found_in_the_record(url: str) -> None:
    database = opened(url)
    of_version(database, "0002")
    with database.engine.begin() as connection:
        for number in (1, 2, 3):
            connection.execute(
                text(
                    "INSERT INTO freezes VALUES "
                    "(:id, 't', 'r', NULL, NULL, '{}', 'token', 5, NULL, 'alice', 5, NULL, NULL)"
                ),
                {"id": f"frz_{number}"},
            )
        recorded(connection, 1, "freeze-started", freeze={"id": "frz_1"})
        recorded(connection, 2, "freeze-extended", freeze="frz_1", ends_at=None)
        recorded(connection, 3, "freeze-extended", freeze="frz_2", ends_at=None)
        recorded(connection, 4, "freeze-extended", freeze="frz_1", ends_at=None)
        recorded(connection, 5, "freeze-lifted", freeze="frz_2")
    store = Store.open(url)
    kept = {each.id: each for each in store.query(lambda view: view.newest_freezes(None, 9))}
    assert {own_id: each.changed_at for own_id, each in kept.items()} == {
        "frz_1": NOW + 4,
        "frz_2": NOW + 5,
        "frz_3": None,
    }
    assert kept["frz_3"].revised_at == kept["frz_3"].created_at == 5
    store.let_go()
    database.engine.dispose()


def test_a_migration_that_fails_leaves_the_database_as_it_was(url: str) -> None:
    database = opened(url)
    database.create()
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE decisions (id TEXT)"))
    with pytest.raises(Exception, match="already exists"):
        migrate(database, None)
    with pytest.raises(Exception, match="already exists"):
        upgrade(database)
    assert tables(database) == {"decisions"}
    assert stored_version(database) is None
    database.engine.dispose()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(url: str) -> None:
    database = opened(url)
    upgrade(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnavailableError, match="9999, which this freezegate does not know"):
        upgrade(database)
    assert stored_version(database) == "9999"
    database.engine.dispose()


def test_many_that_start_together_make_one_database(url: str) -> None:
    databases = [opened(url) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(upgrade, databases))
    assert {stored_version(database) for database in databases} == {HEAD}
    for database in databases:
        database.engine.dispose()


def test_processes_that_start_together_make_one_database(url: str) -> None:
    program = f"from app.store.store import Store; Store.open({url!r}); print('open')"
    started = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert [process.communicate(timeout=60)[0] for process in started] == ["open\n"] * 6


def test_a_schema_that_somebody_changes_for_ever_is_not_waited_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.sqlite._LOCK_TRIES", 2)
    database = opened(f"sqlite:///{file}")
    assert isinstance(database, SQLite)
    with database.lock_file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailableError, match="for a minute"):
            upgrade(database)


def test_nor_is_it_on_postgresql(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.postgresql._LOCK_TRIES", 2)
    with psycopg.connect(postgresql_url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [_SCHEMA_LOCK])
        database = opened(postgresql_url)
        with pytest.raises(StoreUnavailableError, match="for a minute"):
            upgrade(database)
        database.engine.dispose()


@pytest.mark.parametrize("start", ["first", "second"])
def test_a_start_without_a_migration_due_does_not_import_alembic(file: Path, start: str) -> None:
    url = f"sqlite:///{file}"
    if start == "second":
        database = opened(url)
        upgrade(database)
        database.engine.dispose()
    program = (
        f"import sys; from app.store.store import Store; Store.open({url!r}); "
        "print({'alembic', 'psycopg'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "set()\n"


def test_records_and_errors_and_the_use_cases_load_no_database_library() -> None:
    modules = "app.store.records, app.store.errors, app.gate.claim, app.gate.replay, app.gate.record"
    program = f"import sys, {modules}; print('sqlalchemy' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"
