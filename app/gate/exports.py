"""Exports of the record, rendered by a process of their own while any of them runs."""

import asyncio
import contextlib
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

from app.gate.errors import StoreUnavailableError
from app.gate.export_worker import Form
from app.store.records import DecisionFilter

_logger: Final = logging.getLogger("freezegate")
_ROOT: Final = Path(__file__).parents[2]
_PASSED_ON: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONTZPATH", "PYTHONHOME", "LD_LIBRARY_PATH"),
    *("TMPDIR", "SQLITE_TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "KRB5CCNAME", "KRB5_CONFIG"),
)
"""The variables that the other process gets, beside those that lead libpq to its database (``PG…``)."""

_BUFFERED: Final = 256 * 1024
"""Bytes of a page that wait in this process before the other one is paused."""


class Rendered(NamedTuple):
    """A part of an export."""

    body: bytes
    next: str | None
    """The cursor of the next part; None if it is the last."""


class Exports:
    """The use case of exports.

    Rendering 200,000 decisions takes seconds of the interpreter. In a thread, questions would wait for it
    each time they need it; another process leaves them alone. All exports share one, a page at a time.
    """

    def __init__(self, url: str) -> None:
        """Export from the database of a URL."""
        self._url = url
        self._turn = asyncio.Lock()
        self._running = 0
        self._process: Process | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep the process for the length of an export."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                await self._end()

    async def page(self, wanted: DecisionFilter, before: int | None, form: Form) -> Rendered:
        """Return the next part of an export, from a place in the record backwards.

        Raises:
            StoreUnavailableError: the database can't be read, or the process can't run.
        """
        asked = {"wanted": wanted, "before": before, "columns": form.columns}
        async with self._turn:
            try:
                return await self._ask(json.dumps(asked).encode() + b"\n")
            except (OSError, ValueError, EOFError) as error:
                await self._end()
                _logger.warning("an export was cut off: %s", error)
                raise StoreUnavailableError("the export can't go on") from error
            except asyncio.CancelledError:
                # Half an answer may be on the way.
                await self._end()
                raise

    async def _ask(self, line: bytes) -> Rendered:
        process = self._process or await self._start()
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101 - as above
        process.stdin.write(line)
        await process.stdin.drain()
        head = json.loads(await process.stdout.readline())
        return Rendered(await process.stdout.readexactly(head["size"]), head["next"])

    async def _start(self) -> Process:
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            # The working directory may hold packages and modules of the same names.
            "-P",
            "-m",
            "app.gate.export_worker",
            stdin=PIPE,
            stdout=PIPE,
            env=_environment(),
            limit=_BUFFERED,
            # Ctrl-C is for the gate, which ends it.
            start_new_session=True,
        )
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write(json.dumps(self._url).encode() + b"\n")
        return process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _environment() -> dict[str, str]:
    """Return the variables of the other process: no secrets, and the path that this one imports from."""
    passed = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name[:2] == "PG"}
    return {**passed, "PYTHONPATH": os.pathsep.join([str(_ROOT), *_elsewhere()])}


def _elsewhere() -> list[str]:
    """Return the folders that this process imports from, without the working directory."""
    left_out = (str(_ROOT), str(Path.cwd()))
    return [each for each in sys.path if Path(each).is_absolute() and each not in left_out]
