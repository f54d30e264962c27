"""A real gate in a process of its own, as `freezegate serve` starts it."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Gate(NamedTuple):
    process: subprocess.Popen[str]
    url: str


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FREEZEGATE_")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def start(
    policies: Path,
    database: str | Path,
    *,
    port: str = "0",
    open_files: str = "",
    **environment: str,
) -> Gate:
    """Start a gate and wait until it says where it listens; it may open `open_files` files.

    Its policy file counts as written long ago.
    """
    if policies.exists():
        os.utime(policies, (0, 0))
    command = [sys.executable, "-m", "tests.patient", "serve", "--port", port, "--policies", str(policies)]
    if open_files:
        command = ["sh", "-c", f'ulimit -n {open_files} && exec "$@"', "sh", *command]
    process = subprocess.Popen(
        [*command, "--database-url", database if isinstance(database, str) else f"sqlite:///{database}"],
        env=clean_environment(**environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    while (found := re.search(r"http://\S+:\d+", said)) is None:
        line = process.stderr.readline()
        assert line, said
        said += line
    return Gate(process, found[0])


@contextlib.contextmanager
def running(
    policies: Path, database: str | Path, *, open_files: str = "", **environment: str
) -> Iterator[Gate]:
    gate = start(policies, database, open_files=open_files, **environment)
    try:
        yield gate
    finally:
        gate.process.terminate()
        gate.process.wait(20)
        assert gate.process.stderr is not None
        gate.process.stderr.close()
