"""A receiver of notifications on this machine, over real HTTP."""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Got(NamedTuple):
    """One POST that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


class LocalReceiver:
    """Takes everything, unless a test says what it answers."""

    def __init__(self, port: int = 0) -> None:
        self.got: list[Got] = []
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.meanwhile: Callable[[], None] = lambda: None
        """Called while a request waits for its answer."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(Got(self.path, dict(self.headers), body))
                receiver.meanwhile()
                status, headers = receiver.answers.popleft() if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
                """Be silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        # A client that was killed is nothing to tell of.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/services/T000/SECRETPATH"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, number: int, seconds: float = 60) -> None:
        """Wait until so many have arrived; the deadline only ends a test that has failed."""
        for _ in range(int(seconds / 0.02)):
            if len(self.got) >= number:
                return
            time.sleep(0.02)
        raise AssertionError(f"{len(self.got)} of {number} arrived")


class DownReceiver:
    """Refuses every connection, until it comes up. Nobody else can take its port meanwhile."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/services/T000/SECRETPATH"

    def come_up(self) -> LocalReceiver:
        self.close()
        return LocalReceiver(self.port)

    def close(self) -> None:
        self._socket.close()
