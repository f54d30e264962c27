"""Answers from memory, given by the protocol itself: no scope, no task, no layers of an application.

Most questions of a busy gate are asked many times within a second. Their answers are bytes that wait in the
`ResponseCache`; what is left of a request is its id, its line in the log and its counts, all the same as for
other requests. A request with anything unusual in its head goes through the application.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.clock import Clock
from app.server.log import RequestLog
from app.server.metrics import Metrics
from app.server.middleware import SAFE_HEADERS, RequestIds, given_request_id
from app.server.response_cache import MOST_KEPT, PRIVATE, DecisionResponse, ResponseCache, wants_plain_text
from app.server.root_path import RootPath

_Field = tuple[bytes, bytes]

_UNUSUAL: Final = PRIVATE | {b"content-length", b"transfer-encoding", b"expect"}
"""Fields of a head that need the application: of credentials and of a body."""


class QuickAnswer:
    """The answer to one request, which is counted and logged when it is sent."""

    __slots__ = ("_answer", "_owner", "_request_id", "_started")

    def __init__(
        self, owner: "QuickAnswers", answer: DecisionResponse, request_id: bytes, started: int
    ) -> None:
        """Answer a request that began at `started`, in microseconds."""
        self._owner = owner
        self._answer = answer
        self._request_id = request_id
        self._started = started

    def encoded(self, default_headers: Sequence[_Field]) -> bytes:
        """Return the bytes to send, with the server's own header fields; count and log the request."""
        return self._owner.encoded(self._answer, self._request_id, self._started, default_headers)


class QuickAnswers:
    """The public answers of one route, for the protocol."""

    def __init__(
        self,
        path: str,
        cache: ResponseCache,
        root_path: RootPath,
        clock: Clock,
        metrics: Metrics,
        log: RequestLog,
        ids: RequestIds,
    ) -> None:
        """Answer requests for `path` from `cache`; count, log and number them like the other requests."""
        self._path = path
        self._cache = cache
        self._root_path = root_path
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._ids = ids
        self._heads: dict[int, tuple[DecisionResponse, bytes]] = {}
        """The fields of each cached answer up to the value of the request id; by the answer's identity."""
        self._defaults: tuple[Sequence[_Field], bytes] = (), b""

    def find(self, url: bytes, headers: Iterable[_Field]) -> QuickAnswer | None:
        """Return the answer to a GET, if it is in memory and nothing in the head needs the application.

        Args:
            url: the target of the request, as sent.
            headers: the fields of its head, their names in lower case.
        """
        path, _, query = url.partition(b"?")
        if not self._is_path(path.decode("latin-1")):
            return None
        answer = self._cache.answer(query)
        if answer is None:
            return None
        fields = dict(headers)
        if not _UNUSUAL.isdisjoint(fields) or wants_plain_text(headers):
            return None
        request_id = given_request_id(headers) if b"x-request-id" in fields else None
        return QuickAnswer(self, answer, request_id or self._ids.new(), self._clock.microseconds())

    def encoded(
        self, answer: DecisionResponse, request_id: bytes, started: int, default_headers: Sequence[_Field]
    ) -> bytes:
        """Return the bytes of an answer; count and log it."""
        head, status_line = self._head(answer), STATUS_LINE[answer.status]
        if self._defaults[0] is not default_headers:
            self._defaults = default_headers, _fields(default_headers)
        finished = self._clock.microseconds()
        elapsed = max(0, finished - started)
        self._metrics.decided(answer.outcome, "question", answer.determined_by)
        self._metrics.served(self._path, answer.status, elapsed / 1_000_000)
        if self._log.enabled:
            self._log.write(
                finished // 1_000_000,
                f'"message": "request", "request_id": "{request_id.decode()}", "method": "GET", '
                f'"route": "{self._path}", "status": {answer.status}, "duration_ms": '
                f"{elapsed / 1000:.3f}{answer.log_fields}",
            )
        return b"".join((status_line, self._defaults[1], head, request_id, b"\r\n\r\n", answer.body))

    def _is_path(self, path: str) -> bool:
        return path == self._path or path == self._root_path.root + self._path

    def _head(self, answer: DecisionResponse) -> bytes:
        known = self._heads.get(id(answer))
        if known is None or known[0] is not answer:
            if len(self._heads) >= MOST_KEPT:
                self._heads.clear()
            head = _fields((*answer.headers, *SAFE_HEADERS)) + b"x-request-id: "
            known = self._heads[id(answer)] = answer, head
        return known[1]


def quick_answers_of(application: Any) -> QuickAnswers | None:
    """Return the quick answers of an application, which may be wrapped by layers of the server."""
    while application is not None:
        found = getattr(getattr(application, "state", None), "quick_answers", None)
        if isinstance(found, QuickAnswers):
            return found
        application = getattr(application, "app", None)
    return None


def _fields(headers: Iterable[_Field]) -> bytes:
    return b"".join(b"%s: %s\r\n" % field for field in headers)
