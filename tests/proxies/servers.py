"""Real proxies with the configurations of the pages in docs/how-to/proxies, before a real gate."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.company import PrivateCA

PAGES = Path(__file__).parents[2] / "docs" / "how-to" / "proxies"
HOST = "freezegate.example.com"
_GATE = "127.0.0.1:1400"
_MODULES = ("mpm_event", "authz_core", "headers", "socache_shmcb", "ssl", "proxy", "proxy_http")
_TRIES = 200


class Place(NamedTuple):
    """Where a proxy is to work, and for whom."""

    folder: Path
    port: int
    gate: str
    """Host and port."""
    pem: Path
    """Certificate and key."""


class Kind(NamedTuple):
    """How a proxy is run."""

    program: str
    command: Callable[[Place, str], list[str]]
    """Writes the configuration, and gives the command that runs in the foreground."""


def configuration(name: str, place: Place) -> str:
    """The configuration of a page, with the ports and files of a test."""
    page = (PAGES / f"{name}.md").read_text()
    found = re.search(r"```\w+\n(.*?)```", page, re.DOTALL)
    assert found is not None
    text = found[1].replace(_GATE, place.gate)
    return re.sub(r"/etc/ssl/freezegate\.(pem|key)", str(place.pem), text)


def _nginx(place: Place, page: str) -> list[str]:
    (place.folder / "nginx.conf").write_text(
        f"{_as_root()}daemon off; pid {place.folder}/pid; error_log {place.folder}/log; events {{}}\n"
        f"http {{ access_log off; {_temporary_folders(place.folder)}\n"
        + page.replace("listen 443", f"listen 127.0.0.1:{place.port}")
        + "}\n"
    )
    return ["nginx", "-p", str(place.folder), "-e", f"{place.folder}/log", "-c", f"{place.folder}/nginx.conf"]


def _as_root() -> str:
    """Let the workers of a master that runs as root write below its folder, which is root's alone."""
    return "user root; " if os.geteuid() == 0 else ""


def _temporary_folders(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in kinds)


def _caddy(place: Place, page: str) -> list[str]:
    # Its own ports, and nothing that it would fetch or keep elsewhere.
    head = (
        f"{{\n admin off\n auto_https disable_redirects\n https_port {place.port}\n http_port {free_port()}\n"
        f" default_bind 127.0.0.1\n storage file_system {place.folder}\n}}\n"
    )
    (place.folder / "Caddyfile").write_text(head + page)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", f"{place.folder}/Caddyfile"]


def _haproxy(place: Place, page: str) -> list[str]:
    text = page.replace("bind :443", f"bind 127.0.0.1:{place.port}")
    (place.folder / "haproxy.cfg").write_text("global\n    nbthread 1\n" + text)
    return ["haproxy", "-db", "-f", f"{place.folder}/haproxy.cfg"]


def _apache(place: Place, page: str) -> list[str]:
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in _MODULES
    )
    (place.folder / "apache.conf").write_text(
        f"ServerRoot {place.folder}\nPidFile {place.folder}/pid\nErrorLog {place.folder}/log\n"
        f"DefaultRuntimeDir {place.folder}\nListen 127.0.0.1:{place.port}\nServerName localhost\n"
        + ("User nobody\nGroup nogroup\n" if os.getuid() == 0 else "")
        + modules
        + page.replace("*:443", f"*:{place.port}")
    )
    return ["apache2", "-X", "-f", f"{place.folder}/apache.conf"]


KINDS = {
    "nginx": Kind("nginx", _nginx),
    "caddy": Kind("caddy", _caddy),
    "haproxy": Kind("haproxy", _haproxy),
    "apache": Kind("apache2", _apache),
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class Proxy:
    """One that runs; `ask` goes through it."""

    def __init__(self, port: int, ca: PrivateCA) -> None:
        self.port = port
        self.trust = ca.client_context()

    def connection(self, host: str = HOST, source: str = "127.0.0.1") -> HTTPSConnection:
        """A connection that asks for the site `host`."""
        made = HTTPSConnection(host, self.port, timeout=30, context=self.trust, source_address=(source, 0))
        # Whatever the name, the proxy of the test is meant.
        made._create_connection = _to_this_machine  # type: ignore[attr-defined]
        return made


def _to_this_machine(address: tuple[str, int], timeout: float, source: tuple[str, int]) -> socket.socket:
    return socket.create_connection(("127.0.0.1", address[1]), timeout, source)


@contextlib.contextmanager
def proxy(
    name: str, gate_url: str, folder: Path, change: Callable[[str], str] = lambda text: text
) -> Iterator[Proxy]:
    """Run a proxy before a gate with the configuration of its page, changed by `change`."""
    kind = KINDS[name]
    program = _program(kind.program)
    folder.chmod(0o755)
    ca = PrivateCA(folder)
    pem = ca.server_file(HOST, "other.example.com")
    place = Place(folder, free_port(), gate_url.removeprefix("http://"), pem)
    command = [program, *kind.command(place, change(configuration(name, place)))[1:]]
    with _running(command, place.port, folder):
        yield Proxy(place.port, ca)


@contextlib.contextmanager
def caddy(page: str, folder: Path) -> Iterator[int]:
    """Run Caddy with a configuration of its own for http; gives the port."""
    port = free_port()
    (folder / "Caddyfile").write_text(
        f"{{\n admin off\n http_port {port}\n default_bind 127.0.0.1\n}}\n{page}"
    )
    command = [_program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with _running(command, port, folder):
        yield port


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip(f"NOT TRIED: the gate behind {name}, which is not installed")
    return found


@contextlib.contextmanager
def _running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    log = folder / "output"
    with log.open("w") as output:
        environment = {**os.environ, "HOME": str(folder)}
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        _wait(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(_TRIES):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"the proxy does not run: {log.read_text()}")
