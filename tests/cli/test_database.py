"""Commands on a missing database: none of them creates one."""

from pathlib import Path

import psycopg
import pytest

from app.cli import run
from app.store.store import Store

COMMANDS = [
    ["audit", "verify"],
    ["audit", "export"],
    ["keys", "list"],
    ["keys", "create", "--name", "alice", "--role", "ops"],
    ["keys", "revoke", "key_1"],
    ["decisions", "replay", "dec_1"],
]

EVERY_COMMAND = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


@EVERY_COMMAND
def test_a_typo_in_the_path_is_wrong_usage_and_makes_no_file(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Store.open(f"sqlite:///{tmp_path / 'freezegate.db'}").let_go()
    before = sorted(tmp_path.iterdir())
    missing = tmp_path / "freezgate.db"
    assert run([*command, "--database-url", f"sqlite:///{missing}"]) == 2
    assert sorted(tmp_path.iterdir()) == before
    said = capsys.readouterr()
    assert said.out == ""
    assert f'there is no freezegate database at {missing}; did you mean "freezegate.db"?' in said.err


@EVERY_COMMAND
def test_where_nothing_is_near_it_is_told_what_makes_a_database(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(command) == 2
    assert list(tmp_path.iterdir()) == []
    assert "set the gate's with --database-url or FREEZEGATE_DATABASE_URL" in capsys.readouterr().err


def test_an_empty_file_is_no_database_and_stays_empty(tmp_path: Path) -> None:
    empty = tmp_path / "gate.db"
    empty.touch()
    assert run(["audit", "verify", "--database-url", f"sqlite:///{empty}"]) == 2
    assert empty.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [empty]


def test_an_empty_postgresql_stays_empty(postgresql_url: str) -> None:
    assert run(["audit", "verify", "--database-url", postgresql_url]) == 2
    with psycopg.connect(postgresql_url) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert found == (0,)


def test_nothing_is_copied_from_a_database_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "gate.db", tmp_path / "new.db"
    assert run(["store", "copy", f"sqlite:///{source}", f"sqlite:///{target}"]) == 2
    assert list(tmp_path.iterdir()) == []
    assert f"there is no freezegate database at {source}" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/x", "sqlite://"])
def test_a_url_that_names_no_database_is_wrong_usage(url: str) -> None:
    assert run(["audit", "verify", "--database-url", url]) == 2
