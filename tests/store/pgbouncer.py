"""A real PgBouncer before a real PostgreSQL, where it is installed."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

_TRIES = 300


@contextlib.contextmanager
def pgbouncer(server_url: str, mode: str, **settings: str) -> Iterator[str]:
    """Run it before the database of a URL; gives the URL through it."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("NOT TRIED: the store behind a pooler, for pgbouncer is not installed")
    parts = urlsplit(server_url)
    database = parts.path.strip("/")
    # Not in pytest's folder: it gives up being root, and that folder is closed to others.
    with tempfile.TemporaryDirectory(prefix="pb") as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "users.txt").write_text('"postgres" ""\n')
        port = _free_port()
        given = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(port),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": mode,
            "default_pool_size": "4",
            "logfile": str(folder / "log"),
            **settings,
        }
        host = parse_qs(parts.query)["host"][0]
        lines = [
            "[databases]",
            f"{database} = host={host} dbname={database} user=postgres",
            "[pgbouncer]",
            *(f"{key} = {value}" for key, value in given.items()),
        ]
        (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        command = [program, "-q", *_as_owner_of(host), str(folder / "pgbouncer.ini")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"postgresql://postgres@127.0.0.1:{port}/{database}"
            _wait(url, process, folder / "log")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _as_owner_of(folder: str) -> list[str]:
    """It does not run as root; where we are, then as the one whose folder the socket of PostgreSQL is in."""
    if os.getuid() != 0:
        return []
    return ["-u", pwd.getpwuid(Path(folder).stat().st_uid).pw_name]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(_TRIES):
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"PgBouncer does not run: {log.read_text() if log.exists() else 'it has no log'}")
