"""A server at the address of the gate that answers as it is told, or not at all."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

LOST = 0
"""For a status: the connection ends without an answer."""

NOW = "@now@"
"""Becomes the present when the answer goes out."""


def reply(**changed: Any) -> str:
    """An answer in the very form of the gate."""
    answer = {
        "allowed": True,
        "outcome": "allow",
        "service": "api",
        "environment": "production",
        "change": "normal",
        "duration_s": 0,
        "at": NOW,
        "message": "api may be deployed to production.",
        "blocking": [],
        "warnings": [],
        "opens_at": None,
        "closes_at": None,
        "override": None,
        "continues": None,
        "policy_revision": "sha256:x",
        "decision_id": "dec_1",
    }
    return json.dumps({**answer, **changed})


class _Handler(http.server.BaseHTTPRequestHandler):
    answers: list[tuple[int, str]]
    requests: list[bytes]
    keys: list[str | None]
    tokens: list[tuple[str | None, str | None]]
    identity: tuple[int, str]
    asked_identity: list[tuple[str | None, str]]
    clock = timedelta()
    """How far the clock of the server is ahead."""

    def do_POST(self) -> None:
        self.keys.append(self.headers["Idempotency-Key"])
        self.tokens.append((self.headers["Authorization"], self.headers["X-Override-Token"]))
        self.requests.append(self.rfile.read(int(self.headers["Content-Length"])))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == LOST:
            self.close_connection = True
            return
        content = body.replace(NOW, f"{datetime.now(UTC) + self.clock:%FT%TZ}").encode()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.asked_identity.append((self.headers["Authorization"], self.path))
        status, body = self.identity
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


class Fake(NamedTuple):
    url: str
    answer: Callable[..., None]
    """Reply with these, one after the other; with the last one from then on."""
    requests: list[bytes]
    keys: list[str | None]
    tokens: list[tuple[str | None, str | None]]
    handler: Any


@pytest.fixture
def fake() -> Iterator[Fake]:
    handler: Any = type(
        "Handler", (_Handler,), {"requests": [], "keys": [], "tokens": [], "asked_identity": []}
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(*answers: tuple[int, str]) -> None:
        handler.answers = list(answers)

    url = f"http://127.0.0.1:{server.server_port}"
    yield Fake(url, answer, handler.requests, handler.keys, handler.tokens, handler)
    server.shutdown()
    server.server_close()
