"""Queries for the recorded decisions of a period, as a backtest reads them."""

from typing import Final

from sqlalchemy import bindparam, func, or_, select

from app.core.backtest import Recorded
from app.store import decision_services
from app.store.columns import columns_of
from app.store.connection import Connection
from app.store.outcomes import LATEST, filtered
from app.store.records import DecidedFilter
from app.store.tables import decisions

_FIRST: Final = decisions.alias("first")
_PERIOD: Final = (
    decisions.c.at >= bindparam("start"),
    decisions.c.at < bindparam("until"),
    decisions.c.repeats.is_(None),
)
# In the order of the index on `at`, so that every page costs the same.
_RECORDED: Final = (
    select(
        *columns_of(
            Recorded, decisions, result=LATEST, first_at=_FIRST.c.at, first_duration=_FIRST.c.duration
        )
    )
    .outerjoin(_FIRST, _FIRST.c.id == decisions.c.continues)
    .where(*_PERIOD, or_(decisions.c.at > bindparam("start"), decisions.c.seq > bindparam("after")))
    .order_by(decisions.c.at, decisions.c.seq)
    .limit(bindparam("most"))
)
_COUNT: Final = select(func.count()).select_from(decisions).where(*_PERIOD)


def recorded(
    connection: Connection, wanted: DecidedFilter, after: tuple[int, int], most: int
) -> list[Recorded]:
    """Return decisions in the order of their instants, after the instant and position of a known one."""
    start, seq = after
    query = filtered(_RECORDED, wanted)
    rows = connection.rows(query, start=start, after=seq, until=wanted.end, most=most)
    found = [(record.seq, record) for record in map(Recorded._make, rows)]
    return [record for _, record in decision_services.with_names(connection, found)]


def count(connection: Connection, wanted: DecidedFilter) -> int:
    """Return the number of decisions that match."""
    row = connection.row(filtered(_COUNT, wanted), start=wanted.start, until=wanted.end)
    return int(row[0]) if row else 0
