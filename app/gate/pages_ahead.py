"""Pages of the record, verified out of order by this process and another one, and handed on in order."""

import contextlib
import json
import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from app.gate.child_process import READY, command_of, environment
from app.gate.page_check import PageCheck, PageFound, PageRequest

if TYPE_CHECKING:
    from app.store.view import View

Found = TypeVar("Found")

_logger: Final = logging.getLogger("freezegate")

_WORTH_IT: Final = 40_000
"""Events, below which the other process has hardly started when this one is done."""

_ASKED: Final = 2
"""Pages that the other process has at a time: it works on one, and begins with the next one at once."""

_AHEAD: Final = 8
"""Pages that may wait for one before them."""


class RunQuery(Protocol):
    """Runs a query on one state of the store; `app.store.store.Store.query` does."""

    def __call__(self, query: "Callable[[View], Found]", /) -> Found:
        """Return the result of `query`."""
        ...


class Helper(Protocol):
    """Verifies pages meanwhile."""

    @property
    def is_free(self) -> bool:
        """Whether it can be asked for another page."""

    def ask(self, request: PageRequest) -> None:
        """Ask for a page."""

    def answers(self, *, wait: bool) -> dict[int, PageFound | None]:
        """Return the pages that are verified, by position; with `wait`, at least one.

        Raises:
            EOFError: it has ended.
        """


HelperFor = Callable[[int, bytes], contextlib.AbstractContextManager[Helper | None]]
"""Starts a helper for so many events, if it is worth it, and ends it; the bytes are the key of `Weights`."""


class HelperProcess:
    """A process that verifies pages; see `app.gate.verify_worker`."""

    def __init__(self, url: str, key: bytes) -> None:
        """Start it, on the database of a URL, with the key of `Weights`.

        Raises:
            OSError: it can't be started.
        """
        self._process = subprocess.Popen(  # noqa: S603 - a module of our own
            command_of("app.gate.verify_worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            # Ctrl-C is for this process, which ends it.
            start_new_session=True,
        )
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._asked: list[int] = []
        self._is_ready = False
        self._listener = Thread(target=self._listen, daemon=True)
        try:
            self._listener.start()
        except RuntimeError as error:
            # The system gives this process no thread more.
            self._process.kill()
            self._process.communicate()
            raise OSError(str(error)) from error
        self._say(json.dumps([url, key.hex()]))

    @property
    def is_free(self) -> bool:
        """Whether it has started, and waits for more."""
        return self._is_ready and len(self._asked) < _ASKED

    def ask(self, request: PageRequest) -> None:
        """Ask for a page."""
        self._asked.append(request.after)
        self._say(json.dumps(request))

    def answers(self, *, wait: bool) -> dict[int, PageFound | None]:
        """Return the pages that are verified, by position; see `Helper`."""
        found: dict[int, PageFound | None] = {}
        while not self._lines.empty() or (wait and not found):
            line = self._lines.get()
            if not line:
                raise EOFError
            if line == READY:
                self._is_ready = True
                break
            said = json.loads(line)
            found[self._asked.pop(0)] = None if said is None else PageFound.from_json(said)
        return found

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in filter(None, (self._process.stdin, self._process.stdout)):
            # What it was still to be asked is in the buffer.
            with contextlib.suppress(OSError):
                pipe.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        # One that has ended is found at its answers.
        with contextlib.suppress(OSError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")


@contextlib.contextmanager
def helper_for(url: str, events: int, key: bytes) -> Iterator[Helper | None]:
    """Start a process that helps to verify so many events.

    None where that takes longer than it saves, or can't be started.
    """
    helper = None if events < _WORTH_IT or _cores() < 2 else _started(url, key)  # noqa: PLR2004 - one for each
    try:
        yield helper
    finally:
        if helper is not None:
            helper.end()


def _started(url: str, key: bytes) -> HelperProcess | None:
    try:
        return HelperProcess(url, key)
    except OSError as error:
        _logger.warning("no process that helps to verify can be started (%s); going on without it", error)
        return None


def _cores() -> int:
    """Return how many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def without_helper(_: int, __: bytes) -> contextlib.AbstractContextManager[Helper | None]:
    """Start none."""
    return contextlib.nullcontext()


def verified_ahead(
    query: "RunQuery", pages: PageCheck, helper: Helper, first: PageRequest, last: int
) -> Iterator[PageFound]:
    """Yield the whole pages from `first` up to a position, in order; end early where one can't be verified.

    A page is yielded whatever is wrong with it: that may be what was wrong before it.
    """
    done: dict[int, PageFound | None] = {}
    wanted, size = first.after, first.most
    next_one = wanted
    end = last - size
    while wanted <= end:
        while helper.is_free and next_one <= end:
            helper.ask(first._replace(after=next_one))
            next_one += size
        is_ahead = next_one > end or next_one - wanted >= _AHEAD * size
        try:
            done |= helper.answers(wait=is_ahead and wanted not in done)
        except EOFError:
            _logger.warning("the process that helps to verify has ended; going on without it")
            return
        if not is_ahead:
            request = first._replace(after=next_one)
            done[next_one] = query(partial(pages.check_ahead, request=request))
            next_one += size
        while wanted in done:
            page = done.pop(wanted)
            if page is None:
                return
            yield page
            wanted += size
