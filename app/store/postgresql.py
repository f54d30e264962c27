"""PostgreSQL: for several replicas. Every wait for it has a deadline on our side."""

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

_CONNECT_TIMEOUT: Final = 2
"""Seconds; the least that the driver takes."""

_SCHEMA_LOCK: Final = 0x667265657A65
"""The advisory lock of whoever changes the schema: "freeze" in ASCII."""

_LOST: Final = frozenset({"25006", "57P01", "57P02", "57P03", "57P05"})
"""Read-only transaction; shutdown, crash, starting up, idle for too long (PostgreSQL's Appendix A)."""

_CONNECTION_EXCEPTION: Final = "08"

_LOOKS: Final = 3
_MADE_IN: Final = "made in"

_LOCK_TRIES: Final = 600
_LOCK_PAUSE: Final = 0.1

_logger: Final = logging.getLogger("freezegate.store")


class PostgreSQL(Database):
    """A database on a server."""

    BEGIN_WRITING = "BEGIN"
    BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, parameters: dict[str, str], lock_wait: float) -> None:
        """Use a database; nothing on it takes longer than `lock_wait` seconds.

        Args:
            parameters: of a connection, as libpq names them.
            lock_wait: seconds.
        """
        self._parameters = parameters
        self._lock_wait = lock_wait
        self._behind_pooler = False
        """Whether a connection pooler such as PgBouncer stands before the server."""
        self._deadlines = Deadlines()
        self._generation = 0
        """Connections of the pool that were made in an earlier one are not used any more."""
        engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            # As the server itself writes them; see `_connect`.
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
        """Where it is, without the password."""
        return shown(self._parameters)

    def exists(self) -> bool:
        """The server knows; connecting tells."""
        return True

    def create(self) -> None:
        """Nothing: the database is made by whoever runs the server."""

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Take an advisory lock for as long as a transaction lasts; a pooler keeps no session together."""
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
        """Begin a transaction; behind a pooler the limits are said in each, for the next may be elsewhere."""
        connection.say(command)
        if self._behind_pooler:
            connection.say(_limits(self._lock_wait, for_this_transaction=True))

    def is_present(self, connection: Connection) -> bool:
        """Whether neither end has closed the connection, as far as this end has been told."""
        return _is_open(connection.raw)

    def is_lost(self, error: Exception) -> bool:
        """Whether the server has closed the connection, or has become one that only reads."""
        import psycopg

        if not isinstance(error, psycopg.Error):  # such as our own deadline
            return False
        if error.sqlstate is None:
            return isinstance(error, psycopg.OperationalError)
        return error.sqlstate in _LOST or error.sqlstate.startswith(_CONNECTION_EXCEPTION)

    def takes_writes(self, connection: Connection) -> bool:
        """Whether the server is neither a standby nor set to read only."""
        found = connection.raw.execute("SELECT current_setting('transaction_read_only')").fetchone()
        return bool(found[0] == "off")

    def renew(self) -> None:
        """Use no connection of the pool that was made before now."""
        self._generation += 1

    def pipelined(self, connection: Connection) -> contextlib.AbstractContextManager[None]:
        """Send the statements of a transaction one after the other, and wait for their results together."""
        return connection.pipelined(connection.raw.pipeline())

    def _connect(self) -> Any:
        # 0.1 s to import, and only those on PostgreSQL need it.
        import psycopg

        given: dict[str, Any] = {
            "application_name": "freezegate",
            "connect_timeout": _CONNECT_TIMEOUT,
            **self._parameters,
        }
        # The usual cursor looks through every statement for placeholders: at hundreds of them, that costs
        # more than the server takes.
        made = psycopg.connect(**given, autocommit=True, cursor_factory=psycopg.RawCursor)
        try:
            with self._deadlines.on(made.fileno(), self._lock_wait):
                self._set_up(made)
        except BaseException:
            made.close()
            raise
        return made

    def _set_up(self, made: Any) -> None:
        """Set the limits of a new connection, in a way that poolers let through.

        PgBouncer refuses the startup parameter ``options``; in its transaction mode what is set, and what is
        prepared on the server, belongs to a connection that others get as well. It is known by the number
        of the server's process: a pooler tells one of its own when a connection begins.
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
        """Break the connection if it is not through in time.

        The server's own ``statement_timeout`` does not help where the server does not run.
        """
        return self._deadlines.on(connection.raw.fileno(), self._lock_wait)


def _limits(seconds: float, *, for_this_transaction: bool) -> str:
    """The statement that bounds how long the server works on any other, or waits for a lock."""
    value, local = f"'{int(seconds * 1_000)}'", "true" if for_this_transaction else "false"
    limits = (f"set_config('{name}', {value}, {local})" for name in ("statement_timeout", "lock_timeout"))
    return f"SELECT {', '.join(limits)}"


def _is_open(raw: Any) -> bool:
    """Whether a connection of the driver on which nothing runs has not been closed by the server.

    What there is to read is its end, or something that the server says by itself, such as a setting that
    was changed; at the most it is both.
    """
    import psycopg

    if raw.closed:
        return False
    poll = select.poll()  # select.select() takes no descriptor over 1,023
    poll.register(raw.fileno(), select.POLLIN)
    for _ in range(_LOOKS):
        if not poll.poll(0):
            return True
        try:
            raw.pgconn.consume_input()
            raw.pgconn.is_busy()  # parses what has come
        except psycopg.OperationalError:
            return False
    return False
