import importlib
import re
from pathlib import Path

import click
import pytest

from app.cli import COMMANDS, run
from app.core.instant import parse_instant

PAGE = Path("docs/reference/command-line.md").read_text(encoding="utf-8")


def _section(command: str) -> str:
    return PAGE.split(f"\n## {command}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_option_is_told_in_the_section_of_its_command(command: str) -> None:
    found: click.Command = importlib.import_module(f"app.cli.commands.{command}").command
    parts = found.commands.values() if isinstance(found, click.Group) else [found]
    parameters = [each for part in parts for each in part.params]
    options = {name for each in parameters for name in each.opts if name.startswith("--")}
    shared = _section("test") if command == "lint" else ""
    told = set(re.findall(r"--[a-z][a-z-]*", _section(command) + shared))
    assert options <= told
    assert told - options <= (
        {"--claim"} if command == "wait" else {"--junit"} if command == "lint" else set()
    )


def test_the_check_on_the_page_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.search(r"\$ freezegate (check .*)\n((?:.*\n)*?)\$ echo \$\?\n1\n", PAGE)
    assert shown is not None
    assert run(shown[1].split()) == 1
    assert capsys.readouterr().out == shown[2]


def test_the_calendar_on_the_page_prints_what_the_page_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.clock.SystemClock.now", lambda _: parse_instant("2026-11-27T13:00:00Z"))
    shown = re.search(r"\$ freezegate (calendar .*)\n((?:.*\n)*?)```", PAGE)
    assert shown is not None
    assert run(shown[1].split()) == 0
    assert capsys.readouterr().out == shown[2]
