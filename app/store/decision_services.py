"""Queries for the services of decisions on several; a decision on one has it in its row."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final, Protocol, Self, TypeVar

from sqlalchemy import ColumnElement, bindparam, or_, select

from app.core.decision import JOINT, joined
from app.store.connection import Connection
from app.store.tables import decision_services, decisions

_SEQ: Final = decision_services.c.seq
_NAME: Final = decision_services.c.service

_BETWEEN: Final = (
    select(_SEQ, _NAME).where(bindparam("after") < _SEQ, bindparam("last") >= _SEQ).order_by(_SEQ, _NAME)
)
_OF_DECISION: Final = (
    select(_NAME).join(decisions, decisions.c.seq == _SEQ).where(decisions.c.id == bindparam("decision_id"))
)


class _OfService(Protocol):
    """A record with a service."""

    @property
    def service(self) -> str: ...

    def _replace(self, *, service: str) -> "Self": ...


Record = TypeVar("Record", bound=_OfService)


def add(connection: Connection, rows: Sequence[tuple[int, str]]) -> None:
    """Store the services of decisions, each with the position of its event in the audit log."""
    connection.insert(decision_services, ("seq", "service"), rows)


def between(connection: Connection, after: int, last: int) -> dict[int, tuple[str, ...]]:
    """Return the services of the decisions on several between two positions, by position, sorted."""
    rows = connection.rows(_BETWEEN, after=after, last=last)
    return {seq: tuple(sorted(name for _, name in group)) for seq, group in groupby(rows, itemgetter(0))}


def with_names(connection: Connection, found: list[tuple[int, Record]]) -> list[tuple[int, Record]]:
    """Return records with their positions; those of several services as `Question.joined` has them."""
    several = [seq for seq, record in found if JOINT in record.service]
    if not several:
        return found
    names = between(connection, min(several) - 1, max(several))
    return [
        (seq, record._replace(service=joined(names[seq])) if seq in names else record)
        for seq, record in found
    ]


def named(connection: Connection, decision_id: str, record: Record) -> Record:
    """Return the record of a decision; of one on several services as `Question.joined` has them."""
    if JOINT not in record.service:
        return record
    names = connection.rows(_OF_DECISION, decision_id=decision_id)
    return record._replace(service=joined(name for (name,) in names))


def is_about(service: str) -> ColumnElement[bool]:
    """Return the condition that a decision is about a service, alone or with others."""
    name = decision_services.c.service
    return or_(decisions.c.service == service, decisions.c.seq.in_(select(_SEQ).where(name == service)))
