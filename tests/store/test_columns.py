"""Rows are written and read by the names of their columns."""

import sqlite3
from typing import NamedTuple

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, select
from sqlalchemy.dialects import sqlite

from app.store.columns import columns_of
from app.store.connection import Connection


class Pair(NamedTuple):
    first: int
    second: str


TABLE = Table(
    "pairs",
    MetaData(),
    Column("joined", Integer, server_default="0"),
    Column("second", Text),
    Column("first", Integer),
)


@pytest.fixture
def connection() -> Connection:
    raw = sqlite3.connect(":memory:")
    raw.execute("CREATE TABLE pairs (joined INTEGER DEFAULT 0, second TEXT, first INTEGER)")
    return Connection(raw, sqlite.dialect(paramstyle="qmark"))


def test_a_column_that_joins_a_table_moves_no_other(connection: Connection) -> None:
    connection.insert(TABLE, Pair._fields, [Pair(1, "one"), Pair(2, "two")])
    connection.add(TABLE, {"second": "three", "first": 3})
    found = connection.rows(select(*columns_of(Pair, TABLE)).order_by(TABLE.c.first))
    assert [Pair._make(row) for row in found] == [Pair(1, "one"), Pair(2, "two"), Pair(3, "three")]
    assert connection.rows(select(TABLE.c.joined)) == [(0,)] * 3
    connection.raw.close()


def test_a_field_that_no_column_has_is_told_before_anything_is_written(connection: Connection) -> None:
    with pytest.raises(KeyError, match="third"):
        connection.add(TABLE, {"third": 3})
    connection.raw.close()


def test_a_field_may_come_from_elsewhere() -> None:
    (_, second) = columns_of(Pair, TABLE, second=TABLE.c.joined)
    assert second is TABLE.c.joined
