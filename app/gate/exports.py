"""Exports of the record, rendered by a process of their own while any of them runs."""

import asyncio
import contextlib
import json
import logging
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from app.gate.child_process import command_of, environment
from app.gate.errors import StoreUnavailableError
from app.gate.export_worker import Form
from app.store.records import DecisionFilter

_logger: Final = logging.getLogger("freezegate")
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
            *command_of("app.gate.export_worker"),
            stdin=PIPE,
            stdout=PIPE,
            env=environment(),
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
