"""A platform on this machine, over real HTTP: the base of the fakes."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple, Self


class Call(NamedTuple):
    """A request that the gate sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Answer(NamedTuple):
    """An answer of the platform; `lost` ones are never sent, though the request had its effect."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})
    lost: bool = False


class Platform:
    """Answers by `answer`, unless a test queues what goes wrong."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.faults: deque[Answer] = deque()
        """Answers to the next requests, which have no effect; a lost one with status 200 has its effect."""
        self.now = 0
        """The time of the platform, where it counts."""
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"

    def answer(self, call: Call) -> Answer:
        """Do what a request asks."""
        raise NotImplementedError

    def take(self, call: Call) -> Answer:
        with self._lock:
            self.calls.append(call)
            fault = self.faults.popleft() if self.faults else None
            if fault is None:
                return self.answer(call)
            if fault.lost and fault.status < 300:
                self.answer(call)
            return fault

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _handler(platform: Platform) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = platform.take(Call(self.command, self.path, headers, body))
            if answer.lost:
                self.close_connection = True
                return
            content = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = respond  # noqa: N815 - as the library calls them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            """Be silent."""

    return Handler
