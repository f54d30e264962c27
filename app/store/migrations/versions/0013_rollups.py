"""Add the rollups of decisions, and count the decisions that are there.

A hundred thousand decisions take some two seconds. Read in pages, so that memory stays the same.
"""

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from app.core.decision import joined
from app.core.instant import DAY
from app.core.rollup import Cell, Decided, Place, counts_of, follow, place_of
from app.core.waits import Request, Waiting

revision = "0013"
down_revision = "0012"

_TOGETHER: Final = 20_000


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns))


_PAGE: Final = sa.text(
    "SELECT seq, at, service, environment, change, outcome, blocking, "
    "(SELECT result FROM outcomes WHERE decision_id = decisions.id ORDER BY seq DESC LIMIT 1) "
    "FROM decisions WHERE seq > :after AND repeats IS NULL AND (continues IS NULL OR outcome = 'deny') "
    "ORDER BY seq LIMIT :most"
)
_SERVICES: Final = sa.text(
    "SELECT seq, service FROM decision_services WHERE seq BETWEEN :first AND :last ORDER BY seq, service"
)

_COUNTS: Final = ("decisions", "reported", "failed")
_ADD: Final = sa.text(
    "INSERT INTO rollups (day, cell, minute, decisions, reported, failed) "
    "VALUES (:day, :cell, :minute, :decisions, :reported, :failed) "
    "ON CONFLICT (day, cell, minute) DO UPDATE SET decisions = rollups.decisions + excluded.decisions, "
    "reported = rollups.reported + excluded.reported, failed = rollups.failed + excluded.failed"
)

rollup_requests: Final = _table("rollup_requests", "id", "service", "environment", "change")
rollup_cells: Final = _table("rollup_cells", "id", "request", "outcome", "blocking")
rollup_days: Final = _table("rollup_days", "day", "changed")
waits: Final = _table("waits", "since", "seq", "request", "policies", "ends")


def upgrade() -> None:
    """Add the tables, and fill them."""
    op.create_table(
        "rollup_requests",
        sa.Column("id", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("environment", sa.String(128), nullable=False),
        sa.Column("change", sa.String(128), nullable=False),
    )
    op.create_table(
        "rollup_cells",
        sa.Column("id", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("request", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("blocking", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["request"], ["rollup_requests.id"]),
    )
    op.create_table(
        "rollups",
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("cell", sa.Integer(), nullable=False),
        sa.Column("minute", sa.SmallInteger(), nullable=False),
        sa.Column("decisions", sa.Integer(), nullable=False),
        sa.Column("reported", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "cell", "minute"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_days",
        sa.Column("day", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "waits",
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.Integer(), nullable=False),
        sa.Column("policies", sa.Text(), nullable=False),
        sa.Column("ends", sa.BigInteger()),
        sa.PrimaryKeyConstraint("since", "seq"),
        sqlite_with_rowid=False,
    )
    _Filling(op.get_bind()).fill()
    standing = sa.text("ends IS NULL")
    op.create_index("waits_standing", "waits", ["request"], sqlite_where=standing, postgresql_where=standing)


class _Filling:
    """The rollups of the decisions that are there, read and written in pages."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._waiting = Waiting()
        self._requests: dict[Request, int] = {}
        self._cells: dict[Cell, int] = {}

    def fill(self) -> None:
        """Count all decisions."""
        after, days = 0, set()
        while page := self._connection.execute(_PAGE, {"after": after, "most": _TOGETHER}).fetchall():
            names = self._names(after, page[-1].seq)
            decided = [(seq, Decided(at, names.get(seq, name), *rest)) for seq, at, name, *rest in page]
            after = page[-1].seq
            days.update(self._count(each for _, each in decided))
            follow(self._waiting, decided)
        days.update(since // DAY for since, _ in self._waiting.changed)
        self._write_waits()
        self._insert(rollup_days, [{"day": day, "changed": after} for day in sorted(days)])

    def _names(self, after: int, last: int) -> dict[int, str]:
        """Return the services of decisions on several, by position."""
        found: dict[int, list[str]] = {}
        for seq, service in self._connection.execute(_SERVICES, {"first": after + 1, "last": last}):
            found.setdefault(seq, []).append(service)
        return {seq: joined(names) for seq, names in found.items()}

    def _count(self, decided: Iterable[Decided]) -> set[int]:
        """Count decisions; return their days."""
        counts: dict[Place, list[int]] = {}
        for each in decided:
            sums = counts.setdefault(place_of(each), [0, 0, 0])
            for column, more in enumerate(counts_of(each.result)):
                sums[column] += more
        rows = [
            {"day": day, "cell": self._cell(cell), "minute": minute, **dict(zip(_COUNTS, sums, strict=True))}
            for (day, minute, cell), sums in counts.items()
        ]
        if rows:
            self._connection.execute(_ADD, rows)
        return {place.day for place in counts}

    def _cell(self, cell: Cell) -> int:
        number = self._cells.get(cell)
        if number is None:
            number = self._cells[cell] = len(self._cells) + 1
            request = self._request(cell.request)
            row = {"id": number, "request": request, "outcome": cell.outcome, "blocking": cell.blocking}
            self._insert(rollup_cells, [row])
        return number

    def _request(self, request: Request) -> int:
        number = self._requests.get(request)
        if number is None:
            number = self._requests[request] = len(self._requests) + 1
            names = dict(zip(("service", "environment", "change"), request, strict=True))
            self._insert(rollup_requests, [{"id": number, **names}])
        return number

    def _write_waits(self) -> None:
        rows = [
            {
                "since": wait.since,
                "seq": wait.seq,
                "request": self._requests[request],
                "policies": ",".join(sorted(wait.policies)),
                "ends": wait.ends,
            }
            for request, wait in self._waiting.changed.values()
        ]
        self._insert(waits, rows)

    def _insert(self, table: sa.TableClause, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(sa.insert(table), rows)
