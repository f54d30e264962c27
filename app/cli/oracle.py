"""Whom `check` and `wait` ask: a server, or a policy file on this machine."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from app.cli import ALLOWED, FROZEN
from app.core.decision import Question
from app.core.errors import FreezegateError, MalformedValueError

DEADLINE: Final = 10.0
_OK: Final = 200
_LOCKED: Final = 423
_OUTCOMES: Final = ("allow", "warn", "override")


class UndecidedError(FreezegateError):
    """No usable answer came. `refused` is set where the server refused the request itself (4xx)."""

    def __init__(self, sentence: str, *, refused: bool = False) -> None:
        self.refused = refused
        super().__init__(sentence)


class Answer(NamedTuple):
    """A well-formed answer, as the JSON object of the contract."""

    body: dict[str, Any]

    @property
    def allowed(self) -> bool:
        """Whether the deploy may start."""
        return self.body["allowed"] is True

    @property
    def exit_status(self) -> int:
        """0 allowed, 1 frozen."""
        return ALLOWED if self.allowed else FROZEN


class Asked(NamedTuple):
    """What is asked, in the words of the command line."""

    service: str
    environment: str = "production"
    change: str = "normal"
    duration: str | None = None
    at: str | None = None

    def fields(self) -> dict[str, str]:
        """The fields of a request."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Oracle(Protocol):
    """Answers a question, or raises `UndecidedError`."""

    def ask(self, asked: Asked, now: int) -> Answer:
        """Answer as of `now`."""
        ...


class FileOracle:
    """Answers from a policy file."""

    def __init__(self, path: Path) -> None:
        """Load the policies.

        Raises:
            PolicyFileError: something in them is wrong.
        """
        from app.core.wallclock import zone
        from app.policies.load import load
        from app.policies.source import Source

        self._loaded = load(Source(path).read())
        self._home = zone(self._loaded.policy_set.timezone)

    def ask(self, asked: Asked, now: int) -> Answer:
        """Answer as a server with these policies would."""
        from app.core.answer import answer
        from app.core.instant import parse_instant
        from app.core.notation import parse_duration

        at = now if asked.at is None else parse_instant(asked.at)
        duration = 0 if asked.duration is None else parse_duration(asked.duration)
        question = Question(asked.service, asked.environment, asked.change, duration)
        decision = self._loaded.engine.decide(question, at)
        return Answer(answer(decision, self._home, self._loaded.revision))


class ServerOracle:
    """Answers by asking a server; by claiming, where the deploy is about to start."""

    def __init__(
        self, url: str, environment: Mapping[str, str], claim: Mapping[str, str] | None = None
    ) -> None:
        """Ask the server at `url`.

        Args:
            url: its address, ``http`` or ``https``.
            environment: where the API key and the override token are taken from.
            claim: the fields of a claim besides the question; None asks without claiming.
        """
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise MalformedValueError("a server is an address such as http://127.0.0.1:1400")
        self._url = url.rstrip("/") + "/can-deploy"
        self._claim = claim
        self._headers = {"Accept": "application/json"}
        if key := environment.get("FREEZEGATE_API_KEY"):
            self._headers["Authorization"] = f"Bearer {key}"
        token = environment.get("FREEZEGATE_OVERRIDE_TOKEN")
        if token and claim is not None:
            self._headers["X-Override-Token"] = token

    def ask(self, asked: Asked, now: int) -> Answer:  # noqa: ARG002 - the server has its own clock
        """Ask, and take nothing but a well-formed answer for one."""
        import httpx

        try:
            with httpx.Client(timeout=DEADLINE, follow_redirects=False) as client:
                response = client.request(**self._request(asked))
        except httpx.HTTPError as error:
            raise UndecidedError(f"the server can't be reached: {error}") from None
        return read_answer(response.status_code, response.content, asked)

    def _request(self, asked: Asked) -> dict[str, Any]:
        if self._claim is None:
            return {"method": "GET", "url": self._url, "params": asked.fields(), "headers": self._headers}
        extra = {name: value for name, value in self._claim.items() if name != "idempotency_key"}
        headers = dict(self._headers)
        if key := self._claim.get("idempotency_key"):
            headers["Idempotency-Key"] = key
        return {"method": "POST", "url": self._url, "json": {**asked.fields(), **extra}, "headers": headers}


def read_answer(status: int, content: bytes, asked: Asked) -> Answer:
    """Take a reply for an answer only if everything about it fits.

    Raises:
        UndecidedError: it is no answer to what was asked.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if status not in (_OK, _LOCKED):
        detail = body.get("detail") if isinstance(body, dict) else None
        refused = 400 <= status < 500  # noqa: PLR2004 - the 4xx
        raise UndecidedError(
            f"the server answered {status}" + (f": {detail}" if detail else ""), refused=refused
        )
    if not isinstance(body, dict) or not _fits(body, status, asked):
        raise UndecidedError("the server's reply is no answer to this question")
    return Answer(body)


def _fits(body: dict[str, Any], status: int, asked: Asked) -> bool:
    same = all(body.get(name) == getattr(asked, name) for name in ("service", "environment", "change"))
    if not (same and isinstance(body.get("message"), str) and isinstance(body.get("blocking"), list)):
        return False
    if status == _OK:
        return body.get("allowed") is True and body.get("outcome") in _OUTCOMES
    return body.get("allowed") is False and body.get("outcome") == "deny"


def find_oracle(
    server: str | None, policies: Path | None, claim: Mapping[str, str] | None = None
) -> Callable[[], Oracle]:
    """Whom to ask: a policy file if one is named, else the server named, else that of FREEZEGATE_URL.

    Raises:
        MalformedValueError: nobody is named.
    """
    if policies is not None:
        return lambda: FileOracle(policies)
    url = server or os.environ.get("FREEZEGATE_URL")
    if not url:
        raise MalformedValueError("name a server with --server or FREEZEGATE_URL, or a file with --policies")
    return lambda: ServerOracle(url, os.environ, claim)
