"""A claim that waits: a hold on the server, or, on an older server, a claim once the question is allowed."""

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.cli.decision_source import Answer, DecisionSource, Query, parse_answer
from app.cli.errors import UndecidedError
from app.cli.server import DEADLINE, LARGEST_ANSWER, Request, Response, authorisation, send, unusable
from app.core.errors import FreezegateError

_CREATED: Final = 201
_OK: Final = 200
_WITHOUT_HOLDS: Final = frozenset({404, 405})
"""The statuses of a server that knows no holds."""

_LONGEST_KEY: Final = 100

_USUAL_TIMEOUT: Final = "34d"
"""Sent where the wait has no end: the server takes 35 days."""

_ENDED: Final = {
    "rejected": "it could not wait any longer",
    "cancelled": "it was cancelled",
    "failed": "it can't be answered",
}

Exchange = Callable[[Request, float], Response]


class HeldClaim:
    """A decision source that lets a deploy wait on the server, and answers with the claim that releases it.

    While it waits, the answer is that of the question, so that people see why. Asking counts nowhere.
    """

    def __init__(
        self,
        url: str,
        claim: Mapping[str, str],
        question: DecisionSource,
        claims: DecisionSource,
        timeout: str | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        """Let a deploy wait on the server at `url`.

        Args:
            url: its address.
            claim: the fields of the claim besides the query.
            question: answers whether the deploy would be allowed now.
            claims: claims at once; used if the server has no holds.
            timeout: how long it can wait, as on the command line.
            exchange: sends a request.
        """
        self._url = f"{url}/holds"
        self._headers = {"Accept": "application/json", **authorisation()}
        self._claim = {name: value for name, value in claim.items() if name != "deploy_id"}
        # Unique: the hold of an earlier run with the same id is finished, and says nothing about this one.
        self._key = f"{claim.get('deploy_id', 'wait')[:_LONGEST_KEY]}:{secrets.token_hex(8)}"
        self._question = question
        self._claims = claims
        self._timeout = timeout or _USUAL_TIMEOUT
        self._exchange = exchange or (lambda request, timeout: send(request, timeout, LARGEST_ANSWER))
        self._hold_id: str | None = None
        self._is_older_server = False

    def ask(self, query: Query, now: int, timeout: float = DEADLINE) -> Answer:
        """Return the decision of the claim that let the deploy through, or why it still waits.

        Raises:
            UndecidedError: there is no usable answer, or the hold is finished without a release.
        """
        if self._is_older_server:
            return self._polled(query, now, timeout)
        hold = self._hold(query, timeout)
        if hold is None:
            self._is_older_server = True
            return self._polled(query, now, timeout)
        state = hold.get("state")
        if state in _ENDED:
            raise UndecidedError(f"the deploy waits no longer: {_ENDED[state]}", 410, denied=True)
        # The source knows by itself that there are several services.
        answer = self._question.ask(query._replace(services=()), now, timeout)
        if state == "approved" and answer.allowed:
            return self._released(hold, query, now, timeout)
        if state == "approved":
            # A freeze has begun since the release; the server lets the deploy wait again under its key.
            self._hold_id = None
        return _still_waiting(answer, query)

    def give_up(self, query: Query, now: int) -> Answer | None:
        """Take the hold back; return the answer if it was released at the last moment."""
        if self._hold_id is None:
            return None
        try:
            body = {"reason": "the one who waited gave up"}
            reply = self._send("DELETE", f"{self._url}/{self._hold_id}", DEADLINE, body)
            if reply.status == _OK:
                return None
            answer = self.ask(query, now)
        except FreezegateError:
            return None
        return answer if answer.allowed else None

    def _polled(self, query: Query, now: int, timeout: float) -> Answer:
        answer = self._question.ask(query._replace(services=()), now, timeout)
        return self._claims.ask(query, now, timeout) if answer.allowed else answer

    def _hold(self, query: Query, timeout: float) -> dict[str, Any] | None:
        """Return the hold, made at the first call; None if the server has none."""
        if self._hold_id is None:
            body = {**query.fields(), **self._claim, "key": self._key, "timeout": self._timeout}
            reply = self._send("POST", self._url, timeout, body)
            if reply.status in _WITHOUT_HOLDS:
                return None
            found = _parsed(reply, _CREATED, _OK)
            self._hold_id = str(found.get("id"))
            return found
        return _parsed(self._send("GET", f"{self._url}/{self._hold_id}", timeout), _OK)

    def _released(self, hold: dict[str, Any], query: Query, now: int, timeout: float) -> Answer:
        url = f"{self._url.removesuffix('/holds')}/decisions/{hold.get('decision_id')}"
        return parse_answer(self._send("GET", url, timeout), query, now)

    def _send(self, method: str, url: str, timeout: float, body: Mapping[str, Any] | None = None) -> Response:
        return self._exchange(Request(method, url, self._headers, body=body), timeout)


def _parsed(reply: Response, *expected: int) -> dict[str, Any]:
    try:
        body = json.loads(reply.content)
    except (ValueError, RecursionError):
        body = None
    if reply.status in expected and isinstance(body, dict) and str(body.get("id")).startswith("hld_"):
        return body
    detail = body.get("detail") if isinstance(body, dict) else None
    sentence = unusable(reply.status, detail)
    raise UndecidedError(sentence, reply.status)


def _still_waiting(answer: Answer, query: Query) -> Answer:
    """Return the answer to a question as one that doesn't let the deploy through: it waits for its turn."""
    if not answer.allowed:
        return answer
    sentence = f"{query.service} waits for its turn: {query.environment} is open."
    turned = {"allowed": False, "outcome": "deny", "message": sentence, "blocking": [], "opens_at": None}
    return Answer({**answer.body, **turned})
