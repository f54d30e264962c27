import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from app import __version__
from app.cli import COMMANDS, SECTIONS, run
from tests.cli.conftest import POLICIES, CannedServer

HEAVY = ("fastapi", "starlette", "uvicorn", "sqlalchemy", "alembic", "httpx")

_LISTING = """
import json, sys
from app.cli import run
status = run(sys.argv[1:])
print(json.dumps([status, sorted({name.split(".")[0] for name in sys.modules})]))
"""


@pytest.mark.parametrize(
    "command", ["check", "wait", "lint", "test", "backtest", "calendar", "override", "freeze"]
)
@pytest.mark.parametrize("against", ["file", "server"])
def test_client_commands_load_neither_the_web_framework_nor_the_database_library(
    command: str, against: str, tmp_path: Path, server: CannedServer
) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    server.reply(503, b"")
    target = ["--policies", str(path)] if against == "file" else ["--server", server.url]
    arguments = {
        "check": ["check", "api", *target],
        "wait": ["wait", "api", "--timeout", "0s", *target],
        "calendar": ["calendar", *target],
        "backtest": ["backtest", str(path), "--server", server.url],
        "override": ["override", "list", "--server", server.url],
        "freeze": ["freeze", "list", "--server", server.url],
    }.get(command, [command, str(path)])
    done = subprocess.run(
        [sys.executable, "-c", _LISTING, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    status, loaded = json.loads(done.stdout.splitlines()[-1])
    assert status in ((3,) if "--server" in arguments else (0, 1))
    assert not set(HEAVY) & set(loaded)


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "api", "--duration", "20m", "--at", "2026-11-27T12:00:00Z"],
        ["wait", "api", "--timeout", "0s"],
        ["calendar", "--from", "2026-11-27", "--timezone", "Europe/Amsterdam"],
        ["override", "grant", "--service", "api", "--reason", "because", "--ttl", "1h"],
        ["freeze", "start", "--title", "Incident", "--reason", "because", "--ttl", "1h"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_asking_a_server_loads_none_of_what_reads_policies(
    server: CannedServer, arguments: list[str]
) -> None:
    server.reply(503, b"")
    done = subprocess.run(
        [sys.executable, "-c", _LISTING, *arguments, "--server", server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    status, loaded = json.loads(done.stdout.splitlines()[-1])
    assert status == 3
    assert len(server.received) == 1
    assert not {"yaml", "pydantic", "holidays", "icalendar"} & set(loaded)


def test_help_lists_every_command_and_loads_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in COMMANDS)


def test_help_has_sections(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    printed = capsys.readouterr().out
    assert [printed.count(f"\n{title}:\n") for title in SECTIONS] == [1] * len(SECTIONS)
    assert printed.index("Ask before a deploy:") < printed.index("  check ") < printed.index("  serve ")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert f"Usage: freezegate {command} " in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"freezegate, version {__version__}\n"
    project = tomllib.loads(Path("pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"] == {"path": "app/__init__.py"}
    versions = re.findall(r"^## (\S+)", Path("CHANGELOG.md").read_text(), re.MULTILINE)
    assert next(each for each in versions if each != "Unreleased") == __version__
    assert "Unreleased" not in versions[1:]


@pytest.mark.parametrize("arguments", [[], ["deploy"], ["check", "--bogus"], ["--bogus"]])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert run(arguments) == 2


def test_the_process_exits_with_the_status(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    ask = [sys.executable, "-m", "app.cli", "check", "api", "--policies", str(path), "--at"]
    for at, status in (("2026-11-27T12:00:00Z", 0), ("2026-11-27T13:00:00Z", 1), ("1999-01-01T00:00:00Z", 2)):
        assert subprocess.run([*ask, at], capture_output=True, check=False).returncode == status


def test_no_color_is_honoured_even_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.cli.report import colours

    assert colours() is None
    monkeypatch.setenv("NO_COLOR", "1")
    assert colours() is False
    monkeypatch.setenv("NO_COLOR", "")
    assert colours() is None
