"""Queries for overrides, their approvals and their uses. Only the hash of a token is stored."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, bindparam, case, func, or_, select, update

from app.core.override import Approval, Override
from app.store.columns import columns_of
from app.store.connection import Connection
from app.store.errors import StoreUnavailableError
from app.store.records import OverrideCounts
from app.store.tables import approvals, overrides, spends

_TOGETHER: Final = 64


class Spend(NamedTuple):
    """One use of an override."""

    override_id: str
    number: int
    """From 1 to the override's number of uses."""
    decision_id: str
    now: int


_NAMES: Final = tuple(name for name in Override._fields if name != "approvals")
"""The fields of an override that are columns; approvals are rows of their own."""

_LISTS: Final = ("services", "environments", "policies")
"""Columns that hold a list as JSON."""

_COLUMNS: Final = select(*(overrides.c[name] for name in _NAMES))
_BY_ID: Final = _COLUMNS.where(overrides.c.id == bindparam("override_id"))
_BY_DIGEST: Final = _COLUMNS.where(overrides.c.digest == bindparam("token_digest"))
_GIVEN: Final = (
    select(func.count())
    .select_from(approvals)
    .where(approvals.c.override_id == overrides.c.id)
    .scalar_subquery()
)
_SPENT: Final = ("override_id", "number", "decision_id")
_USABLE: Final = select(
    func.count(),
    func.sum(
        case(
            (or_(overrides.c.approvals_needed > _GIVEN, overrides.c.starts_at > bindparam("now")), 1), else_=0
        )
    ),
).where(
    overrides.c.revoked_at.is_(None),
    overrides.c.expires_at > bindparam("now"),
    overrides.c.uses < overrides.c.max_uses,
)
# Concurrent spends and revocations never exceed the number of uses.
_SPEND: Final = (
    update(overrides)
    .where(
        overrides.c.id == bindparam("override_id"),
        overrides.c.uses == bindparam("spent_before"),
        overrides.c.uses < overrides.c.max_uses,
        overrides.c.revoked_at.is_(None),
        overrides.c.expires_at > bindparam("now"),
    )
    .values(uses=overrides.c.uses + 1)
)
_REVOKE: Final = (
    update(overrides)
    .where(overrides.c.id == bindparam("override_id"), overrides.c.revoked_at.is_(None))
    .values(revoked_by=bindparam("person"), revoked_at=bindparam("now"))
)


def add(connection: Connection, override: Override, digest: str) -> None:
    """Store a new override under the hash of its token."""
    row = {name: getattr(override, name) for name in _NAMES}
    lists = {name: None if row[name] is None else json.dumps(row[name]) for name in _LISTS}
    connection.add(overrides, {**row, **lists, "digest": digest})


def find(connection: Connection, override_id: str) -> Override | None:
    """Return an override by id."""
    return _first(connection, connection.rows(_BY_ID, override_id=override_id))


def of_token(connection: Connection, digest: str) -> Override | None:
    """Return the override of a token, by the token's hash."""
    return _first(connection, connection.rows(_BY_DIGEST, token_digest=digest))


def of_tokens(connection: Connection, digests: Sequence[str]) -> dict[str, Override]:
    """Return the overrides of many tokens, by the tokens' hashes."""
    found: dict[str, Override] = {}
    for first in range(0, len(digests), _TOGETHER):
        together = digests[first : first + _TOGETHER]
        values = {f"digest_{number}": digest for number, digest in enumerate(together)}
        rows = connection.rows(_of_any(len(together)), **values)
        digests_found = [digest for digest, *_ in rows]
        found.update(zip(digests_found, _whole(connection, [row for _, *row in rows]), strict=True))
    return found


def of_ids(connection: Connection, own_ids: Sequence[str]) -> list[Override]:
    """Return the overrides of some ids, as far as they exist."""
    found: list[Override] = []
    for first in range(0, len(own_ids), _TOGETHER):
        wanted = or_(*(overrides.c.id == own_id for own_id in own_ids[first : first + _TOGETHER]))
        found.extend(_whole(connection, connection.rows(_COLUMNS.where(wanted))))
    return found


@lru_cache(maxsize=64)
def _of_any(count: int) -> Select[Any]:
    wanted = (overrides.c.digest == bindparam(f"digest_{number}") for number in range(count))
    return select(overrides.c.digest, *_COLUMNS.selected_columns).where(or_(*wanted))


def newest(connection: Connection, now: int | None, before: str | None, most: int) -> list[Override]:
    """Return overrides, newest first; with `now`, only those that may still be used."""
    query = _COLUMNS.order_by(overrides.c.id.desc()).limit(most)
    if now is not None:
        query = query.where(
            overrides.c.revoked_at.is_(None),
            overrides.c.expires_at > now,
            overrides.c.uses < overrides.c.max_uses,
        )
    if before is not None:
        query = query.where(overrides.c.id < before)
    return _whole(connection, connection.rows(query))


def count(connection: Connection, now: int) -> OverrideCounts:
    """Return the number of overrides that may still be used, at once, or after an approval or their start."""
    usable, pending = connection.row(_USABLE, now=now) or (0, 0)
    return OverrideCounts(active=usable - (pending or 0), pending=pending or 0)


def spend(connection: Connection, uses: Sequence[Spend]) -> None:
    """Spend uses, each of which was checked under the lock of the audit log.

    Raises:
        StoreUnavailableError: a use was missing; the transaction must not be committed.
    """
    spent = [
        connection.change_later(_SPEND, override_id=use.override_id, spent_before=use.number - 1, now=use.now)
        for use in uses
    ]
    connection.insert(spends, _SPENT, [(use.override_id, use.number, use.decision_id) for use in uses])
    if not all(changed() for changed in spent):
        raise StoreUnavailableError("an override has changed under the lock of the record")


def approve(connection: Connection, override_id: str, approval: Approval) -> None:
    """Store an approval; the database refuses a second one by the same person."""
    connection.add(approvals, {"override_id": override_id, **approval._asdict()})


def revoke(connection: Connection, override_id: str, person: str, now: int) -> bool:
    """Revoke an override; return False if it is revoked already."""
    return connection.change(_REVOKE, override_id=override_id, person=person, now=now) > 0


def _first(connection: Connection, rows: Sequence[Sequence[Any]]) -> Override | None:
    return next(iter(_whole(connection, rows)), None)


def _whole(connection: Connection, rows: Sequence[Sequence[Any]]) -> list[Override]:
    """Return the overrides of rows, in order, each with its approvals."""
    found = [dict(zip(_NAMES, row, strict=True)) for row in rows]
    given = _approvals_of(connection, [values["id"] for values in found])
    return [_override(values, given.get(values["id"], ())) for values in found]


def _approvals_of(connection: Connection, own_ids: Sequence[str]) -> dict[str, tuple[Approval, ...]]:
    """Return the approvals of overrides, oldest first, also where the grant needed none.

    A policy may need approvals that the grant did not.
    """
    given: dict[str, tuple[Approval, ...]] = {}
    for first in range(0, len(own_ids), _TOGETHER):
        together = own_ids[first : first + _TOGETHER]
        values = {f"override_{number}": own_id for number, own_id in enumerate(together)}
        for own_id, *approval in connection.rows(_approvals_of_any(len(together)), **values):
            given[own_id] = (*given.get(own_id, ()), Approval._make(approval))
    return given


@lru_cache(maxsize=_TOGETHER)
def _approvals_of_any(count: int) -> Select[Any]:
    wanted = (approvals.c.override_id == bindparam(f"override_{number}") for number in range(count))
    return (
        select(approvals.c.override_id, *columns_of(Approval, approvals))
        .where(or_(*wanted))
        .order_by(approvals.c.at)
    )


def _override(values: dict[str, Any], given: tuple[Approval, ...]) -> Override:
    lists = {name: values[name] and tuple(json.loads(values[name])) for name in _LISTS}
    return Override(**{**values, **lists}, approvals=given)
