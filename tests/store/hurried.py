"""Odd connections, and little time, for the database of an open store."""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event as listening

from app.store.store import Store


def reconnect(store: Store) -> None:
    sqlite: Any = store._database
    # The writing thread takes the file for another one then, and connects anew before its next transaction.
    # If this thread closed the connection while that one uses it, the process would end.
    sqlite._kept = None
    sqlite.engine.dispose()


@contextlib.contextmanager
def every_connection(store: Store, pragma: str) -> Iterator[None]:
    """All connections are such, as long as this lasts."""
    sqlite: Any = store._database
    connect = sqlite._connect

    def odd(*given: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*given)
        connection.execute(pragma)
        return connection

    def odd_of_the_pool(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(pragma)

    sqlite._connect = odd
    listening.listen(sqlite.engine, "connect", odd_of_the_pool)
    reconnect(store)
    yield
    sqlite._connect = connect
    listening.remove(sqlite.engine, "connect", odd_of_the_pool)
    reconnect(store)


@contextlib.contextmanager
def hurried(store: Store, seconds: float = 0.4) -> Iterator[None]:
    """Little time for the database of an open store, as long as this lasts.

    What comes before and after it has plenty, so that a slow disk fails no test.
    """
    database: Any = store._database
    with contextlib.ExitStack() as stack:
        if database.engine.name == "sqlite":
            wait = int(seconds * 750)
            stack.enter_context(every_connection(store, f"PRAGMA busy_timeout = {wait}"))
        else:
            stack.enter_context(pytest.MonkeyPatch.context()).setattr(database, "_lock_wait", seconds * 3 / 4)
        hurry = stack.enter_context(pytest.MonkeyPatch.context())
        hurry.setattr(store, "_deadline", seconds)
        hurry.setattr(store._writer, "_deadline", seconds)
        yield
