"""Gates of several checkouts of the repository, each on the first core, to be compared in turns."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.serve import wait_for

HERE = Path(__file__).parents[1]


class Build(NamedTuple):
    """A running gate."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(checkout: Path, port: int, folder: Path) -> Iterator[Build]:
    """The gate of a checkout, with the policies and the database of a folder."""
    command = [str(checkout / ".venv/bin/python"), "-m", "bench.apps", "gate", str(port), str(folder)]
    process = subprocess.Popen(command, cwd=checkout, stdout=subprocess.DEVNULL)
    os.sched_setaffinity(process.pid, {0})
    try:
        for _ in range(5):  # a busy machine takes its time
            with contextlib.suppress(RuntimeError):
                wait_for(port)
                break
        yield Build(process, port)
    finally:
        process.terminate()
        process.wait(20)


def use_other_core() -> None:
    """Run this process, the client, on another core than the gates if there is one."""
    os.sched_setaffinity(0, {1} if (os.cpu_count() or 1) > 1 else {0})
