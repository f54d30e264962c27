"""Match the fields of records to columns by name, so that a new column moves no other."""

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
