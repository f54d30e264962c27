"""Queries for the incidents that freeze deploys."""

from typing import Final

from sqlalchemy import bindparam, delete, func, select

from app.core.incident_freeze import Episode
from app.store.columns import columns_of
from app.store.connection import Connection
from app.store.tables import incidents

_COLUMNS: Final = select(*columns_of(Episode, incidents))
_OF_KEY: Final = _COLUMNS.where(
    incidents.c.source == bindparam("reporter"), incidents.c.key == bindparam("incident")
).order_by(incidents.c.rule)
_REMOVE: Final = delete(incidents).where(
    incidents.c.source == bindparam("reporter"),
    incidents.c.key == bindparam("incident"),
    incidents.c.rule == bindparam("its_rule"),
)
_STANDING: Final = (
    select(func.count())
    .select_from(incidents)
    .where(incidents.c.source == bindparam("reporter"), incidents.c.ends_at > bindparam("now"))
)
_PRUNE: Final = delete(incidents).where(incidents.c.told_at < bindparam("before"))


def of_key(connection: Connection, source: str, key: str) -> list[Episode]:
    """Return the latest episode of an incident under each rule."""
    return [Episode._make(row) for row in connection.rows(_OF_KEY, reporter=source, incident=key)]


def put(connection: Connection, episode: Episode) -> None:
    """Store an episode, in the place of an earlier one."""
    connection.change(_REMOVE, reporter=episode.source, incident=episode.key, its_rule=episode.rule)
    connection.add(incidents, episode._asdict())


def count_standing(connection: Connection, source: str, now: int) -> int:
    """Return the number of freezes that the incidents of a source still want."""
    row = connection.row(_STANDING, reporter=source, now=now)
    return int(row[0]) if row else 0


def prune(connection: Connection, before: int) -> int:
    """Forget the incidents that were told last before an instant; return their number."""
    return connection.change(_PRUNE, before=before)
