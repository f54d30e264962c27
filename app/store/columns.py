"""Match the fields of records to columns by name, so that a new column moves no other."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Table

Record = TypeVar("Record", bound=NamedTuple)


def columns_of(record: type[Record], table: Table, **others: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """Return the column of each field of a record, so that a row selected from them is that record.

    Args:
        record: a named tuple.
        table: has a column for each field that `others` doesn't name.
        others: the expressions of fields that have another name, or come from elsewhere.
    """
    return [others[name] if name in others else table.c[name] for name in record._fields]


def names_to_text(names: Sequence[str] | None) -> str | None:
    """Return the column of a list of names, JSON; None for none."""
    return None if names is None else json.dumps(names)


def names_of_text(text: Any) -> tuple[str, ...] | None:
    """Return the names of such a column."""
    return None if text is None else tuple(json.loads(text))
