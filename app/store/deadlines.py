"""Deadlines for sockets: shut down a socket whose server doesn't answer in time."""

import contextlib
import heapq
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Final

_IDLE: Final = 3_600.0


class Deadlines:
    """Shut down sockets that exceed their deadline; one thread watches all of them."""

    def __init__(self) -> None:
        """Start without a thread; the first deadline starts it."""
        self._changed = threading.Condition()
        self._due: list[tuple[float, int]] = []
        self._watched: dict[int, int] = {}
        """File descriptors, by the number under which they are watched."""
        self._number = 0
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def on(self, descriptor: int, seconds: float) -> Iterator[None]:
        """Shut down the socket of a descriptor if this block takes longer.

        Raises:
            TimeoutError: the block failed because its socket was shut down; the driver reports that as
                the server's error.
        """
        number = self._watch(descriptor, seconds)
        try:
            yield
        except Exception as error:
            if not self._let_be(number):
                raise TimeoutError(f"it took longer than {seconds:g} seconds") from error
            raise
        finally:
            self._let_be(number)

    def _let_be(self, number: int) -> bool:
        """Stop watching; return whether it was still watched."""
        with self._changed:
            return self._watched.pop(number, None) is not None

    def _watch(self, descriptor: int, seconds: float) -> int:
        due = time.monotonic() + seconds
        with self._changed:
            self._number += 1
            self._watched[self._number] = descriptor
            earliest = not self._due or due < self._due[0][0]
            heapq.heappush(self._due, (due, self._number))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="freezegate-deadlines", daemon=True)
                self._thread.start()
            elif earliest:
                self._changed.notify()
            return self._number

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                while self._due and (self._due[0][0] <= now or self._due[0][1] not in self._watched):
                    self._break_off(heapq.heappop(self._due)[1])
                self._changed.wait(self._due[0][0] - now if self._due else _IDLE)

    def _break_off(self, number: int) -> None:
        """Shut down a socket unless its block has ended; under the lock, so that it is still open."""
        descriptor = self._watched.pop(number, None)
        if descriptor is None:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as stuck:
            stuck.shutdown(socket.SHUT_RDWR)
