"""The console examples of a page, run in one shell, line by line."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.live.gate import ROOT, clean_environment

_DONE: Final = "<<<done>>>"
_TIMEOUT: Final = 60.0
"""Seconds that one command may take."""


class Example(NamedTuple):
    """A command of a page, and the lines that the page shows below it."""

    command: str
    shown: str


def examples(text: str) -> Iterator[Example]:
    """Yield the commands of all ``console`` blocks of a page in order."""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for command, shown in re.findall(r"^\$ (.*(?:\\\n.*)*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            yield Example(command, shown)


def matches(shown: str, printed: str) -> bool:
    """Whether output is what a page shows; ``…`` stands for anything in a line, alone for any lines."""
    parts = (
        r"(?:.*\n)*" if line.strip() == "…" else re.escape(line).replace("…", ".+") + "\n"
        for line in shown.splitlines()
    )
    return re.fullmatch("".join(parts), printed) is not None


class Shell:
    """A shell with `freezegate` on its path; ``frz_…`` in a command is the last such id that it printed."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start it in a folder."""
        programs = folder / ".bin"
        programs.mkdir()
        program = programs / "freezegate"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m app.cli "$@"\n')
        program.chmod(0o755)
        base = clean_environment()
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env={**base, "PATH": f"{programs}:{base['PATH']}", "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._ids: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.wait(_TIMEOUT)
        self._shell.stdout.close()

    def run(self, command: str) -> str:
        """Run a command and return all that it prints."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        whole = re.sub(r"\b([a-z]{3})_…", lambda match: self._ids[match[1]], command)
        self._shell.stdin.write(f'{whole}\nstatus=$?; echo "{_DONE}"; (exit $status)\n')
        self._shell.stdin.flush()
        timer = threading.Timer(_TIMEOUT, self._shell.kill)
        timer.start()
        printed = ""
        while not printed.endswith(f"{_DONE}\n"):
            line = self._shell.stdout.readline()
            assert line, printed
            printed += line
        printed = printed.removesuffix(f"{_DONE}\n")
        timer.cancel()
        self._ids.update((found[:3], found) for found in re.findall(r"\b(?:frz|ovr|dec|key)_\w+", printed))
        return printed
