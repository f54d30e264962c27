"""Queries for pruning the audit log: its checkpoints, the events that stay, and the rows that go."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Delete, Select, and_, bindparam, delete, func, or_, select, text, update

from app.core.audit import Link
from app.store.columns import columns_of
from app.store.connection import Connection
from app.store.events import LINK, links_of
from app.store.records import PrunedStretch
from app.store.tables import (
    NO_DECISION,
    checkpoints,
    decision_services,
    decisions,
    events,
    outcomes,
    policy_revisions,
)

_STRETCHES: Final = select(*columns_of(PrunedStretch, checkpoints)).order_by(checkpoints.c.seq)
_LATEST: Final = select(*columns_of(PrunedStretch, checkpoints)).order_by(checkpoints.c.seq.desc()).limit(1)
_CLEARED: Final = (
    update(checkpoints)
    .where(checkpoints.c.seq == bindparam("stretch"))
    .values(cleared=bindparam("new_cleared"))
)
_TIME: Final = select(events.c.at).where(events.c.seq == bindparam("position"))
_FIRST_SINCE: Final = (
    select(events.c.seq)
    .where(
        events.c.seq > bindparam("after"),
        events.c.seq <= bindparam("last"),
        events.c.at >= bindparam("since"),
    )
    .order_by(events.c.seq)
    .limit(1)
)
_PLACES: Final = and_(decisions.c.seq > bindparam("after"), decisions.c.seq <= bindparam("last"))
_OUTCOMES: Final = delete(outcomes).where(outcomes.c.decision_id.in_(select(decisions.c.id).where(_PLACES)))
_SERVICES: Final = delete(decision_services).where(
    decision_services.c.seq > bindparam("after"), decision_services.c.seq <= bindparam("last")
)
_DECISIONS: Final = delete(decisions).where(_PLACES)
_OLDEST: Final = select(decisions.c.at).order_by(decisions.c.seq).limit(1)
_REVISIONS: Final = select(decisions.c.policy_revision).where(_PLACES).distinct()
_DROPPABLE: Final = select(policy_revisions.c.revision).where(
    policy_revisions.c.first_loaded_at < bindparam("before"), policy_revisions.c.sources != ""
)
_DROP: Final = (
    update(policy_revisions).where(policy_revisions.c.revision == bindparam("dropped")).values(sources="")
)
_LEFTOVER: Final = tuple(
    (table.name, select(func.count()).select_from(table).where(table.c.seq <= bindparam("last")))
    for table in (decisions, decision_services, outcomes)
)
_TOGETHER: Final = 64


def stretches(connection: Connection) -> list[PrunedStretch]:
    """Return the stretches that were pruned, oldest first."""
    return [PrunedStretch._make(row) for row in connection.rows(_STRETCHES)]


def latest(connection: Connection) -> PrunedStretch | None:
    """Return the stretch that was pruned last; None if nothing was."""
    row = connection.row(_LATEST)
    return None if row is None else PrunedStretch._make(row)


def leftover(connection: Connection) -> dict[str, int]:
    """Count the rows in the part of the audit log whose rows are all deleted, by table."""
    pruned = latest(connection)
    if pruned is None or pruned.cleared < pruned.seq:
        return {}
    return {name: (connection.row(query, last=pruned.seq) or (0,))[0] for name, query in _LEFTOVER}


def add(connection: Connection, stretch: PrunedStretch) -> None:
    """Store a stretch; the audit log begins after it from now on."""
    connection.insert(checkpoints, PrunedStretch._fields, [stretch])


def time_of(connection: Connection, seq: int) -> int | None:
    """Return the instant of the event at a position, in microseconds; None if there is none."""
    row = connection.row(_TIME, position=seq)
    return None if row is None else int(row[0])


def first_since(connection: Connection, since: int, after: int, last: int) -> int | None:
    """Return the first position between two whose event is of an instant or later, in microseconds."""
    row = connection.row(_FIRST_SINCE, since=since, after=after, last=last)
    return None if row is None else int(row[0])


def staying(connection: Connection, kinds: tuple[str, ...], after: int, last: int, most: int) -> list[Link]:
    """Return the events of some kinds between two positions, in order."""
    return links_of(connection, connection.rows(_staying(kinds), after=after, last=last, most=most))


def clear(connection: Connection, kinds: tuple[str, ...], after: int, last: int) -> int:
    """Delete the events between two positions, but for some kinds, and the rows of their decisions.

    Outcomes go with their decision, also those that were reported later.

    Returns:
        The number of deleted events.
    """
    connection.change(_OUTCOMES, after=after, last=last)
    connection.change(_SERVICES, after=after, last=last)
    connection.change(_DECISIONS, after=after, last=last)
    return connection.change(_going(kinds), after=after, last=last)


def note_cleared(connection: Connection, stretch: int, cleared: int) -> None:
    """Note up to which position the rows of a stretch are deleted."""
    connection.change(_CLEARED, stretch=stretch, new_cleared=cleared)


def revisions_between(connection: Connection, after: int, last: int) -> set[str]:
    """Return the policy revisions of the decisions between two positions."""
    return {str(row[0]) for row in connection.rows(_REVISIONS, after=after, last=last)}


def droppable_revisions(connection: Connection, before: int) -> set[str]:
    """Return the policy revisions first loaded before an instant, in seconds, whose text is kept."""
    return {str(row[0]) for row in connection.rows(_DROPPABLE, before=before)}


def drop_text(connection: Connection, revision: str) -> None:
    """Delete the text of a policy revision. Its row stays: to delete it, a database reads every decision."""
    connection.change(_DROP, dropped=revision)


def oldest(connection: Connection) -> int | None:
    """Return the instant of the first decision that is kept, in seconds; None if there is none."""
    row = connection.row(_OLDEST)
    return None if row is None else int(row[0])


def known(connection: Connection, decision_ids: Sequence[str]) -> set[str]:
    """Return those of some ids that are decisions."""
    found: set[str] = set()
    for first in range(0, len(decision_ids), _TOGETHER):
        together = decision_ids[first : first + _TOGETHER]
        values = {f"own_id_{number}": own_id for number, own_id in enumerate(together)}
        found.update(row[0] for row in connection.rows(_known(len(together)), **values))
    return found


@lru_cache(maxsize=_TOGETHER)
def _known(count: int) -> Select[Any]:
    wanted = (decisions.c.id == bindparam(f"own_id_{number}") for number in range(count))
    return select(decisions.c.id).where(or_(*wanted))


def _between() -> ColumnElement[bool]:
    return and_(events.c.seq > bindparam("after"), events.c.seq <= bindparam("last"))


@lru_cache(maxsize=4)
def _staying(kinds: tuple[str, ...]) -> Select[Any]:
    wanted = or_(*(events.c.kind == kind for kind in kinds))
    query = select(*LINK).where(text(NO_DECISION), _between(), wanted)
    return query.order_by(events.c.seq).limit(bindparam("most"))


@lru_cache(maxsize=4)
def _going(kinds: tuple[str, ...]) -> Delete:
    return delete(events).where(_between(), *(events.c.kind != kind for kind in kinds))
