"""A cache of recent answers, each kept for the second in which it is valid.

The answer to a question depends only on the question, the second, and the policies and freezes in force. So
pipelines that ask the same within one second get the same bytes, without another pass through the
framework. Every cached answer has passed all checks of the route that put it here.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from app.clock import Clock
from app.gate.in_force import InForce, Policies
from app.server.metrics import Metrics
from app.server.middleware import LOG_FIELDS, ROUTE

MOST_KEPT: Final = 1024
PRIVATE: Final = frozenset({b"authorization", b"x-override-token"})
"""Request headers that only the route can judge: the cache serves public questions only."""

PLAIN_TEXT: Final = b"text/plain"


def wants_plain_text(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a request asks for plain text and not for JSON.

    Where it takes both it gets JSON: Spring and axios name both, and then read JSON.
    """
    accepted = b",".join(value.lower() for name, value in headers if name == b"accept")
    return PLAIN_TEXT in accepted and b"json" not in accepted


class DecisionResponse(NamedTuple):
    """An encoded answer, with what the log and the metrics need of it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    outcome: str
    log_fields: str
    determined_by: tuple[str, ...] = ()


class ResponseCache:
    """Middleware that answers ``GET`` requests for one path from memory."""

    def __init__(self, path: str, clock: Clock, policies: Policies, metrics: Metrics) -> None:
        """Answer requests for `path`; start empty."""
        self._path = path
        self._clock = clock
        self._policies = policies
        self._metrics = metrics
        self._answers: dict[bytes, DecisionResponse] = {}
        self._valid_for: tuple[int, InForce | None] = (0, None)

    def keep(self, query: bytes, valid_for: tuple[int, InForce], answer: DecisionResponse) -> None:
        """Cache an answer for its second, policies and freezes."""
        if not self._is_valid(*valid_for):
            self._answers.clear()
            self._valid_for = valid_for
        if len(self._answers) < MOST_KEPT:
            self._answers[query] = answer

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return an application that answers from memory if it can, and passes other requests to `app`."""

        async def answer_or_pass(scope: Scope, receive: Receive, send: Send) -> None:
            answer = self._find(scope) if scope["type"] == "http" else None
            if answer is None:
                await app(scope, receive, send)
                return
            scope["state"][ROUTE] = self._path
            scope["state"][LOG_FIELDS] = answer.log_fields
            self._metrics.decided(answer.outcome, "question", answer.determined_by)
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": answer.body})

        return answer_or_pass

    def answer(self, query: bytes) -> DecisionResponse | None:
        """Return the answer to a query string, if it is still valid; it is public, and JSON."""
        answer = self._answers.get(query)
        if answer is None or not self._is_valid(self._clock.now(), self._policies.in_force):
            return None
        return answer

    def _find(self, scope: Scope) -> DecisionResponse | None:
        if scope["path"] != self._path or scope["method"] != "GET":
            return None
        headers = scope["headers"]
        if any(name in PRIVATE for name, _ in headers) or wants_plain_text(headers):
            return None
        return self.answer(scope["query_string"])

    def _is_valid(self, now: int, in_force: InForce) -> bool:
        second, known = self._valid_for
        return second == now and known is in_force
