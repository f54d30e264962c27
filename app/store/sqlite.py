"""SQLite: one file in WAL mode, flushed at every commit."""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, create_engine, event
from sqlalchemy.exc import DisconnectionError

from app.store.connection import KEPT_STATEMENTS, Connection
from app.store.database import Database, too_long
from app.store.errors import DatabaseUrlError

_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    # macOS: flush the drive's cache, too. No effect elsewhere.
    "fullfsync = ON",
    "foreign_keys = ON",
    # The log grows during a long read; afterwards it shrinks to 64 MiB.
    "journal_size_limit = 67108864",
)

_LOCK_TRIES: Final = 600
_LOCK_PAUSE: Final = 0.1
"""Seconds; times the tries, this is the minute that one process may take to change the schema."""

_FILE: Final = "file"


class SQLite(Database):
    """A database file. The audit log must not continue in an empty file after its own was removed."""

    # A deferred transaction fails when it turns from reading to writing while another writes.
    BEGIN_WRITING = "BEGIN IMMEDIATE"
    BEGIN_READING = "BEGIN"

    def __init__(self, url: URL, lock_wait: float) -> None:
        """Use the file of a URL; a transaction waits `lock_wait` seconds for another process's."""
        self.file = _file(url)
        self.folder = self.file.parent
        self._connect = partial(_connect, self.file, lock_wait)
        engine = create_engine(
            url,
            creator=self._connect,
            pool_size=4,
            max_overflow=4,
            pool_timeout=lock_wait,
            # Callers' values must not appear in errors and tracebacks.
            hide_parameters=True,
        )
        event.listen(engine, "connect", partial(_note_file, self.file))
        event.listen(engine, "checkout", partial(_check_file, self.file))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(self.BEGIN_WRITING))
        super().__init__(engine)
        self._kept: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The path of the file."""
        return str(self.file)

    @property
    def lock_file(self) -> Path:
        """The file to lock while the schema changes."""
        return self.file.with_name(f"{self.file.name}.lock")

    def exists(self) -> bool:
        """Return whether the file exists and is not empty."""
        return self.file.is_file() and self.file.stat().st_size > 0

    def create(self) -> None:
        """Create the file."""
        self.file.touch()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Lock a file beside it."""
        with self.lock_file.open("w") as file:
            for _ in range(_LOCK_TRIES):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(_LOCK_PAUSE)
                else:
                    break
            else:
                raise too_long()
            yield

    def connect(self) -> Connection:
        """Open the file, and remember its identity."""
        raw = self._connect()
        self._kept = _identity(self.file)
        return Connection(raw, self.engine.dialect)

    def is_present(self, connection: Connection) -> bool:  # noqa: ARG002 - the file tells
        """Return whether the path still leads to the file that was opened.

        A removed or replaced file can still be written through an open connection; those writes are lost.

        Raises:
            OSError: the file no longer exists.
        """
        return self._kept == _identity(self.file)

    def begin_unflushed(self, connection: Connection) -> None:
        """Begin a transaction that a failure of the machine may undo; the log stays consistent."""
        connection.say("PRAGMA synchronous = NORMAL")
        super().begin_unflushed(connection)

    def end_unflushed(self, connection: Connection) -> None:
        """Flush at every commit again."""
        connection.say("PRAGMA synchronous = FULL")

    def takes_writes(self, connection: Connection) -> bool:  # noqa: ARG002 - that it could begin says the rest
        """Return whether the file system is writable: after a disk error it may turn read-only."""
        return not os.statvfs(self.file.parent).f_flag & os.ST_RDONLY

    def deadline(self, connection: Connection) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        """Do nothing: lock waits are limited already, and a disk can't be interrupted."""
        return contextlib.nullcontext()


def refuse_odd(url: URL) -> None:
    """Raise `DatabaseUrlError` unless a URL names a file and nothing else."""
    path = url.database or ""
    if path in ("", ":memory:") or path.startswith("file:"):
        raise DatabaseUrlError(
            "decisions must survive a restart: name a file, such as sqlite:///freezegate.db"
        )
    if url.query or url.host:
        raise DatabaseUrlError("the database URL takes the path of a file and nothing else: sqlite:///…")


def _file(url: URL) -> Path:
    return Path(url.database or "")


def _connect(file: Path, lock_wait: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(file))}?mode=rw",
        uri=True,
        timeout=lock_wait,
        # The driver must not begin transactions of its own: they would be deferred.
        isolation_level=None,
        # The pool gives a connection to one thread at a time.
        check_same_thread=False,
        cached_statements=KEPT_STATEMENTS,
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _identity(file: Path) -> tuple[int, int]:
    status = os.stat(file)  # noqa: PTH116 - once a commit: half the time of Path.stat
    return status.st_dev, status.st_ino


def _note_file(file: Path, _: Any, entry: Any) -> None:
    entry.info[_FILE] = _identity(file)


def _check_file(file: Path, _: Any, entry: Any, __: Any) -> None:
    if entry.info[_FILE] != _identity(file):
        raise DisconnectionError("the database file was replaced")
