"""Shell completion, by the shells themselves where they are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import COMMANDS, run
from tests.test_architecture import loaded_by

BASH = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_freezegate_completion freezegate
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = 'source $argv[1]; complete -C "$argv[2..]"'
ZSH = """
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell "autoload -U compinit; compinit -u -D; source $1; bindkey '^I' complete-word; print rea''dy"
zpty -r shell output '*ready*'
zpty -w -n shell "${*[2,-1]}"$'\\t'
zpty -r shell output '*'"$EXPECTED"'*'
print -r -- $output
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with the command."""
    command = tmp_path / "bin" / "freezegate"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m app.cli "$@"\n')
    command.chmod(0o755)
    return f"{command.parent}:{os.environ['PATH']}"


def script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The file of the script that the command prints."""
    assert run(["completion", shell]) == 0
    file = tmp_path / f"completion.{shell}"
    file.write_text(capsys.readouterr().out)
    return str(file)


def complete(shell: str, arguments: list[str], path: str, expected: str) -> str:
    name = shutil.which(shell)
    if name is None:
        pytest.skip(f"{shell} is not installed")
    code = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]
    head = [name, "-c", code] if shell == "fish" else [name, "-c", code, shell]
    environment = {**os.environ, "PATH": path, "EXPECTED": expected, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [*head, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cal"], "calendar"),
        (["freeze", "st"], "start"),
        (["init", "--style", "work"], "working-hours"),
        (["check", "--envi"], "--environment"),
    ],
)
def test_the_shell_completes(
    shell: str, words: list[str], expected: str, path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = script(shell, tmp_path, capsys)
    assert expected in complete(shell, [file, "freezegate", *words], path, expected)


def test_all_commands_are_completed_without_loading_them() -> None:
    code = f"""
import contextlib, io, os
os.environ.update(_FREEZEGATE_COMPLETE="fish_complete", COMP_WORDS="freezegate ", COMP_CWORD="")
from app.cli import run
terminal = io.TextIOWrapper(io.BytesIO())
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(terminal):
    run([])
terminal.flush()
written = terminal.buffer.getvalue().decode()
assert all(f"plain,{{name}}" in written for name in {list(COMMANDS)!r}), written
"""
    assert not loaded_by(code) & {"pydantic", "yaml", "holidays", "fastapi", "sqlalchemy"}


def test_other_shells_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "tcsh"]) == 2
    assert "bash" in capsys.readouterr().err
