"""A connection that runs statements compiled by SQLAlchemy.

SQLAlchemy compiles each statement once, so that one text serves both databases; the driver runs it, for
executing through SQLAlchemy costs more than an insert.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy import ClauseElement, Table
from sqlalchemy.engine import Dialect

_ROWS_TOGETHER: Final = 64
"""Rows per statement. Each number of rows is a statement of its own, prepared once and kept."""

KEPT_STATEMENTS: Final = 256

Row = tuple[Any, ...]


class Connection:
    """Run statements within the transaction that the database began on it."""

    __slots__ = ("_dialect", "_execute", "_pipeline", "raw")

    def __init__(self, raw: Any, dialect: Dialect) -> None:
        """Wrap a connection of the driver; `dialect` is SQLAlchemy's."""
        self.raw = raw
        self._dialect = dialect
        self._execute = raw.execute
        self._pipeline: Any = None

    @contextlib.contextmanager
    def pipelined(self, pipeline: contextlib.AbstractContextManager[Any]) -> Iterator[None]:
        """Send statements without waiting for each; wait at a fetch and at the end."""
        with pipeline as self._pipeline:
            yield
        self._pipeline = None

    def rows(self, statement: ClauseElement, **values: object) -> list[Row]:
        """Return the rows of a query; `values` are those of its bound parameters."""
        found: list[Row] = self._run(statement, values).fetchall()
        return found

    def row(self, statement: ClauseElement, **values: object) -> Row | None:
        """Return the first row of a query."""
        found: Row | None = self._run(statement, values).fetchone()
        return found

    def change(self, statement: ClauseElement, **values: object) -> int:
        """Insert, update or delete; return the number of rows."""
        return self.change_later(statement, **values)()

    def change_later(self, statement: ClauseElement, **values: object) -> Callable[[], int]:
        """Like `change`, but return a function that tells the number of rows."""
        cursor = self._run(statement, values)

        def changed() -> int:
            if self._pipeline is not None and cursor.rowcount < 0:
                self._pipeline.sync()
            return int(cursor.rowcount)

        return changed

    def say(self, command: str) -> None:
        """Run a command without values, such as ``COMMIT``."""
        self._execute(command)

    def insert(self, table: Table, columns: tuple[str, ...], rows: Sequence[Row], conflict: str = "") -> None:
        """Insert rows, many with one statement; their values have the order of `columns`.

        `conflict` is the clause that says what becomes of rows that are there already.

        The driver releases the interpreter lock at every statement, and under load each one waits to get it
        back: one statement of many rows waits once.
        """
        for first in range(0, len(rows), _ROWS_TOGETHER):
            together = rows[first : first + _ROWS_TOGETHER]
            statement = _insertion(table, columns, len(together), self._dialect.paramstyle)
            self._execute(f"{statement} {conflict}", tuple(chain.from_iterable(together)))

    def add(self, table: Table, row: Mapping[str, object]) -> None:
        """Insert one row, given by column names."""
        self.insert(table, tuple(row), [tuple(row.values())])

    def _run(self, statement: ClauseElement, values: dict[str, object]) -> Any:
        compiled = _compiled(statement, self._dialect)
        given = {**compiled.values, **values} if compiled.values else values
        return self._execute(compiled.text, [given[name] for name in compiled.order])


class _Compiled(NamedTuple):
    text: str
    order: Sequence[str]
    values: dict[str, object]
    """Values fixed in the statement."""


@lru_cache(maxsize=KEPT_STATEMENTS)
def _compiled(statement: ClauseElement, dialect: Dialect) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect)
    values = {name: value for name, value in compiled.params.items() if value is not None}
    return _Compiled(str(compiled), compiled.positiontup or (), values)


@lru_cache(maxsize=KEPT_STATEMENTS)
def _insertion(table: Table, columns: tuple[str, ...], rows: int, paramstyle: str) -> str:
    names = ", ".join(f'"{table.c[name].name}"' for name in columns)
    width = len(columns)
    places = ["?"] * (rows * width) if paramstyle == "qmark" else [f"${n + 1}" for n in range(rows * width)]
    values = ", ".join(f"({', '.join(places[row * width : (row + 1) * width])})" for row in range(rows))
    return f"INSERT INTO {table.name} ({names}) VALUES {values}"  # noqa: S608 - our own names
