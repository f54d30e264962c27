"""PostgreSQL, for several replicas. Every wait has a client-side deadline."""

import contextlib
import logging
import select
import time
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DisconnectionError

from app.store.connection import Connection
from app.store.database import Database, too_long
from app.store.deadlines import Deadlines
from app.store.postgresql_url import shown
from app.store.tables import complete_for_postgresql

_CONNECT_TIMEOUT: Final = 2
"""Seconds; the driver's minimum."""

_SCHEMA_LOCK: Final = 0x667265657A65
"""The advisory lock for schema changes: "freeze" in ASCII."""

_LOST: Final = frozenset({"25006", "57P01", "57P02", "57P03", "57P05"})
"""Read-only transaction; shutdown, crash, starting up, idle for too long (PostgreSQL's Appendix A)."""

_CONNECTION_EXCEPTION: Final = "08"

_LOOKS: Final = 3
_MADE_IN: Final = "made in"

_LOCK_TRIES: Final = 600
_LOCK_PAUSE: Final = 0.1

_logger: Final = logging.getLogger("freezegate.store")


class PostgreSQL(Database):
    """A PostgreSQL database."""

    BEGIN_WRITING = "BEGIN"
    BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, parameters: dict[str, str], lock_wait: float) -> None:
        """Use a database on a server; no call takes longer than `lock_wait` seconds.

        Args:
            parameters: of a connection, by libpq's names.
            lock_wait: seconds.
        """
        self._parameters = parameters
        self._lock_wait = lock_wait
        self._behind_pooler = False
        """Whether a connection pooler such as PgBouncer is in front of the server."""
        self._deadlines = Deadlines()
        self._generation = 0
        """Pooled connections of an earlier generation are no longer used."""
        complete_for_postgresql()
        engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            # The server's own parameter style; see `_connect`.
            paramstyle="numeric_dollar",
            pool_size=4,
            max_overflow=4,
            pool_timeout=lock_wait,
            pool_pre_ping=False,
            hide_parameters=True,
        )
        event.listen(engine, "connect", self._note_generation)
        event.listen(engine, "checkout", self._check_usable)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(self.BEGIN_WRITING))
        super().__init__(engine)

    @property
    def name(self) -> str:
        """The URL without the password."""
        return shown(self._parameters)

    def exists(self) -> bool:
        """Return True: connecting shows whether the database exists."""
        return True

    def create(self) -> None:
        """Do nothing: an administrator creates the database."""

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Take an advisory lock for the length of a transaction: a pooler doesn't keep sessions."""
        connection = self.connect()
        take = "SELECT pg_try_advisory_xact_lock($1)"
        try:
            connection.say("BEGIN")
            connection.say("SET LOCAL idle_in_transaction_session_timeout = 0")
            for _ in range(_LOCK_TRIES):
                if connection.raw.execute(take, [_SCHEMA_LOCK]).fetchone()[0]:
                    break
                time.sleep(_LOCK_PAUSE)
            else:
                raise too_long()
            yield
        finally:
            connection.raw.close()

    def connect(self) -> Connection:
        """Connect to the server."""
        return Connection(self._connect(), self.engine.dialect)

    def begin(self, connection: Connection, command: str) -> None:
        """Begin a transaction; behind a pooler, set its limits, as the server connection may change."""
        connection.say(command)
        if self._behind_pooler:
            connection.say(_limits(self._lock_wait, for_this_transaction=True))

    def begin_unflushed(self, connection: Connection) -> None:
        """Begin a transaction that a failure of the server may undo."""
        super().begin_unflushed(connection)
        connection.say("SET LOCAL synchronous_commit = off")

    def is_present(self, connection: Connection) -> bool:
        """Return whether the connection is open at both ends, as far as is known here."""
        return _is_open(connection.raw)

    def is_lost(self, error: Exception) -> bool:
        """Return whether the server has closed the connection, or has turned read-only."""
        import psycopg

        if not isinstance(error, psycopg.Error):  # such as our own deadline
            return False
        if error.sqlstate is None:
            return isinstance(error, psycopg.OperationalError)
        return error.sqlstate in _LOST or error.sqlstate.startswith(_CONNECTION_EXCEPTION)

    def takes_writes(self, connection: Connection) -> bool:
        """Return whether the server is neither a standby nor read-only."""
        found = connection.raw.execute("SELECT current_setting('transaction_read_only')").fetchone()
        return bool(found[0] == "off")

    def renew(self) -> None:
        """Stop using pooled connections made before now."""
        self._generation += 1

    def pipelined(self, connection: Connection) -> contextlib.AbstractContextManager[None]:
        """Send the statements of a transaction without waiting between them."""
        return connection.pipelined(connection.raw.pipeline())

    def _connect(self) -> Any:
        # 0.1 s to import, and only those on PostgreSQL need it.
        import psycopg

        given: dict[str, Any] = {
            "application_name": "freezegate",
            "connect_timeout": _CONNECT_TIMEOUT,
            **self._parameters,
        }
        # The default cursor searches every statement for placeholders: with hundreds of them, that costs
        # more than the server's work.
        made = psycopg.connect(**given, autocommit=True, cursor_factory=psycopg.RawCursor)
        try:
            with self._deadlines.on(made.fileno(), self._lock_wait):
                self._set_up(made)
        except BaseException:
            made.close()
            raise
        return made

    def _set_up(self, made: Any) -> None:
        """Set the limits of a new connection, in a way that works through poolers.

        PgBouncer refuses the startup parameter ``options``; in its transaction mode, settings and prepared
        statements belong to a server connection that others share. It is recognised by the process id of
        the server: a pooler sends one of its own when a connection begins.
        """
        pooled = made.execute("SELECT pg_backend_pid()").fetchone()[0] != made.info.backend_pid
        if pooled:
            made.prepare_threshold = None
        else:
            made.execute(_limits(self._lock_wait, for_this_transaction=False))
        if pooled and not self._behind_pooler:
            _logger.info("a connection pooler stands before the database: no statement is prepared on it")
        self._behind_pooler = pooled

    def _note_generation(self, _: Any, entry: Any) -> None:
        entry.info[_MADE_IN] = self._generation

    def _check_usable(self, raw: Any, entry: Any, _: Any) -> None:
        if entry.info[_MADE_IN] != self._generation or not _is_open(raw):
            raise DisconnectionError("the connection leads to a server that is gone, or only reads")

    def deadline(self, connection: Connection) -> contextlib.AbstractContextManager[None]:
        """Break the connection if the block exceeds the deadline.

        The server's ``statement_timeout`` doesn't help when the server is not running.
        """
        return self._deadlines.on(connection.raw.fileno(), self._lock_wait)


def _limits(seconds: float, *, for_this_transaction: bool) -> str:
    """Return the statement that limits statements and lock waits on the server."""
    value, local = f"'{int(seconds * 1_000)}'", "true" if for_this_transaction else "false"
    limits = (f"set_config('{name}', {value}, {local})" for name in ("statement_timeout", "lock_timeout"))
    return f"SELECT {', '.join(limits)}"


def _is_open(raw: Any) -> bool:
    """Return whether an idle connection has not been closed by the server.

    Readable data is either its end, or an asynchronous message such as a changed setting, or both.
    """
    import psycopg

    if raw.closed:
        return False
    poll = select.poll()  # select.select() doesn't take descriptors over 1,023
    poll.register(raw.fileno(), select.POLLIN)
    for _ in range(_LOOKS):
        if not poll.poll(0):
            return True
        try:
            raw.pgconn.consume_input()
            raw.pgconn.is_busy()  # parses the received data
        except psycopg.OperationalError:
            return False
    return False
