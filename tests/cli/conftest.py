"""Fixtures: a server with canned responses, and an environment without this machine's settings."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from app.clock import SystemClock
from app.core.instant import format_instant, parse_instant

ALLOW = {
    "allowed": True,
    "outcome": "allow",
    "service": "api",
    "environment": "production",
    "change": "normal",
    "duration_s": 0,
    "at": "2026-11-27T12:00:00Z",
    "message": "api may be deployed to production.",
    "blocking": [],
    "warnings": [],
    "opens_at": None,
    "closes_at": "2026-11-27T13:00:00Z",
    "override": None,
    "policy_revision": "sha256:0",
    "decision_id": None,
}

DENY = {
    **ALLOW,
    "allowed": False,
    "outcome": "deny",
    "message": "api may not be deployed to production: No deploys after Friday 14:00.",
    "blocking": [
        {
            "id": "friday-afternoon",
            "kind": "policy",
            "title": "No deploys after Friday 14:00",
            "reason": "Nothing good happens after 14:00 on a Friday.",
            "from": "2026-11-27T13:00:00Z",
            "until": "2026-11-30T07:00:00Z",
            "override": "token",
            "contact": "#release-managers",
            "link": None,
        }
    ],
    "at": "2026-11-27T13:00:00Z",
    "opens_at": "2026-11-30T07:00:00Z",
    "closes_at": None,
}

POLICIES = """version: 1
timezone: Europe/Amsterdam
policies:
  - id: friday-afternoon
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    when:
      - weekly: {from: fri 14:00, to: mon 08:00}
  - id: late
    title: It is late
    reason: Whoever deploys now is alone with what breaks.
    effect: warn
    when:
      - daily: {from: "20:00", to: "22:30"}
tests:
  - {at: 2026-11-27 13:59, service: api, expect: allow}
  - {at: 2026-11-27 14:00, service: api, expect: deny, by: [friday-afternoon], next_change: 2026-11-30 08:00}
"""


def _as_of(path: str, content: bytes) -> bytes:
    """Set the time of a canned answer to the instant in the request, else to now, as a gate would."""
    asked = parse_qs(urlsplit(path).query).get("at")
    at = parse_instant(asked[0]) if asked else SystemClock().now()
    for canned in (ALLOW["at"], DENY["at"]):
        content = content.replace(f'"at": "{canned}"'.encode(), f'"at": "{format_instant(at)}"'.encode())
    return content


class Received(NamedTuple):
    """A request that the server received."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class CannedServer:
    """A server that sends every request the same status, headers and content."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.reply(200, ALLOW)
        canned = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = json.loads(self.rfile.read(length)) if length else None
                headers = {name.lower(): value for name, value in self.headers.items()}
                canned.received.append(Received(self.command, self.path, headers, body))
                content = _as_of(self.path, canned.content)
                self.send_response(canned.status)
                for name, value in canned.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_PATCH = do_DELETE = do_CONNECT = do_GET  # noqa: N815 - as inherited

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
                """Be silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def reply(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = headers or {}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[CannedServer]:
    canned = CannedServer()
    yield canned
    canned.close()


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith(("FREEZEGATE_", "SSL_CERT_")) or variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    for variable in ("GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
