"""A gate of this process that listens on a port, its clock where the test puts it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.instant import parse_instant
from app.identity.credentials import new_key
from app.main import create_app
from app.settings import Settings
from tests.api.fakes import FakeClock

ADMIN = new_key()


class ServedGate(NamedTuple):
    """A gate, and the address of its port."""

    client: TestClient
    clock: FakeClock
    url: str


@contextmanager
def served(folder: Path, policies: str, at: str) -> Iterator[ServedGate]:
    """Serve a gate with these policies for as long as the block."""
    (folder / "policies.yaml").write_text(policies)
    clock = FakeClock(parse_instant(at))
    settings = Settings(
        policies=folder / "policies.yaml",
        database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"),
        admin_key=SecretStr(ADMIN),
    )
    with TestClient(create_app(settings, clock=clock)) as client:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(client))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield ServedGate(client, clock, f"http://127.0.0.1:{server.server_address[1]}")
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(client: TestClient) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kept = ("accept", "authorization")
            headers = {name: text for name, text in self.headers.items() if name.lower() in kept}
            reply = client.get(self.path, headers=headers)
            self.send_response(reply.status_code)
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            """Be silent."""

    return Handler
