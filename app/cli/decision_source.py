"""Whom `check` and `wait` ask: a server, or a policy file on this machine."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import click

from app.cli import ALLOWED, FROZEN
from app.cli.errors import UndecidedError
from app.cli.server import (
    DEADLINE,
    LARGEST_ANSWER,
    Reply,
    Request,
    address,
    authorisation,
    key_hint,
    secret_header,
    send,
)
from app.core.errors import FreezegateError, UnknownNameError
from app.core.instant import MINUTE, format_instant, parse_instant

_OK: Final = 200
_LOCKED: Final = 423
_OUTCOMES: Final = ("allow", "warn", "override")
_DEEPEST: Final = 8
"""Levels of a reply; the gate's answers have four."""
CLOCK_TOLERANCE: Final = 15 * MINUTE
"""Seconds that the time of an answer may be away from this machine's clock.

An answer from a cache, or of long ago, lets nothing through. Clocks of build machines are off by seconds, and
cloud providers refuse requests that are further off than this. A claim tried again under its key within this
time gets the answer of the first attempt, and that is still of now.
"""
_SAYS_NO: Final = re.compile(rb'"allowed"\s*:\s*false')
"""Looked for in the bytes, so that it is found in what can't be read, too; quotes in texts are escaped."""


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

    @property
    def seconds_left(self) -> int | None:
        """How long until it opens, by the clock of whoever answered; None if not in sight."""
        opens_at = self.body["opens_at"]
        return parse_instant(opens_at) - parse_instant(self.body["at"]) if opens_at else None


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

    def ask(self, asked: Asked, now: int, within: float = DEADLINE) -> Answer:
        """Answer as of `now`, or give up after some seconds."""
        ...


class FileOracle:
    """Answers from policy files, and from what they have become when it is asked again."""

    def __init__(self, path: Path) -> None:
        """Load the policies.

        Raises:
            PolicyFileError: something in them is wrong.
        """
        from app.cli.files import loaded_from
        from app.policies.source import Source

        self._source = Source(path)
        self._loaded = loaded_from(self._source, self._source.read())

    def ask(self, asked: Asked, now: int, within: float = DEADLINE) -> Answer:  # noqa: ARG002 - never long
        """Answer as a server with these policies would."""
        from app.cli.files import loaded_from
        from app.core.decision import Question
        from app.core.decision_json import decision_to_json
        from app.core.notation import parse_duration

        at = now if asked.at is None else parse_instant(asked.at)
        duration = 0 if asked.duration is None else parse_duration(asked.duration)
        question = Question(asked.service, asked.environment, asked.change, duration)
        try:
            snapshot = self._source.read()
            if snapshot.revision != self._loaded.revision:
                self._loaded = loaded_from(self._source, snapshot)
            decision = self._loaded.engine.decide(question, at)
        except FreezegateError as error:
            raise UndecidedError(str(error), misnamed=isinstance(error, UnknownNameError)) from error
        return Answer(decision_to_json(decision, self._loaded.policy_set.home, self._loaded.revision))


class ServerOracle:
    """Answers by asking a server; by claiming, where the deploy is about to start."""

    def __init__(self, url: str, claim: Mapping[str, str] | None = None) -> None:
        """Ask the server at `url`, with the key and, for a claim, the override token of the environment.

        Args:
            url: its address, ``http`` or ``https``.
            claim: the fields of a claim besides the question; None asks without claiming.
        """
        self._url = f"{url}/can-deploy"
        self._claim = claim
        self._headers = {"Accept": "application/json", **authorisation()}
        if claim is not None:
            if token := secret_header("FREEZEGATE_OVERRIDE_TOKEN"):
                self._headers["X-Override-Token"] = token
            if key := claim.get("idempotency_key"):
                self._headers["Idempotency-Key"] = key

    def ask(self, asked: Asked, now: int, within: float = DEADLINE) -> Answer:
        """Ask, and take nothing but a well-formed answer of now for one."""
        return read_answer(send(self._request(asked), within, LARGEST_ANSWER), asked, now)

    def _request(self, asked: Asked) -> Request:
        if self._claim is None:
            return Request("GET", self._url, self._headers, params=asked.fields())
        told = {name: value for name, value in self._claim.items() if name != "idempotency_key"}
        return Request("POST", self._url, self._headers, body={**asked.fields(), **told})


def read_answer(reply: Reply, asked: Asked, now: int) -> Answer:
    """Take a reply for an answer only if everything about it fits.

    Args:
        reply: what came back.
        asked: what was asked.
        now: when, by this machine's clock.

    Raises:
        UndecidedError: it is no answer to what was asked.
    """
    try:
        body = json.loads(reply.content, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        body = None
    denied = _SAYS_NO.search(reply.content) is not None
    if reply.status not in (_OK, _LOCKED):
        detail = body.get("detail") if isinstance(body, dict) else None
        sentence = f"the server answered {reply.status}"
        sentence += (f": {detail}" if detail else "") + key_hint(reply.status)
        raise UndecidedError(sentence, reply.status, denied=denied)
    if not isinstance(body, dict) or not _fits(body, reply.status, asked):
        sentence = "the server's reply is no answer to this question"
        raise UndecidedError(sentence, reply.status, denied=denied)
    if not _is_current(body["at"], asked, now):
        sentence = (
            f"the server's answer is of {body['at']}, and this machine's clock says {format_instant(now)}: "
            "more than 15 minutes apart"
            if asked.at is None
            else f"the server's answer is of {body['at']}, which is not what was asked for"
        )
        raise UndecidedError(sentence, reply.status, denied=denied)
    body.setdefault("warnings", [])
    body.setdefault("opens_at", None)
    return Answer(body)


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of members that are each there once; of two, nobody could tell which counts."""
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a member twice")
    return found


def _fits(body: dict[str, Any], status: int, asked: Asked) -> bool:
    same = all(body.get(name) == getattr(asked, name) for name in ("service", "environment", "change"))
    if not (same and isinstance(body.get("message"), str) and _entries(body, "blocking")):
        return False
    if not (_entries(body, "warnings") and _is_instant(body.get("at")) and _opens(body.get("opens_at"))):
        return False
    if not _shallow(body, _DEEPEST):
        return False
    if status == _OK:
        # Only a token lets through what something blocks.
        lifted = body.get("outcome") == "override" or not body["blocking"]
        return body.get("allowed") is True and body.get("outcome") in _OUTCOMES and lifted
    return body.get("allowed") is False and body.get("outcome") == "deny"


def _shallow(value: object, levels: int) -> bool:
    """Return whether lists and objects are nested within each other no deeper than this."""
    if not isinstance(value, (list, dict)):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_shallow(part, levels - 1) for part in parts)


def _is_current(at: str, asked: Asked, now: int) -> bool:
    if asked.at is not None:
        return parse_instant(at) == parse_instant(asked.at)
    return abs(parse_instant(at) - now) <= CLOCK_TOLERANCE


def _entries(body: dict[str, Any], name: str) -> bool:
    entries = body.get(name, [] if name == "warnings" else None)
    return isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)


def _opens(value: object) -> bool:
    return value is None or _is_instant(value)


def _is_instant(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parse_instant(value)
    except FreezegateError:
        return False
    return True


def find_oracle(server: str | None, policies: Path | None, claim: Mapping[str, str] | None = None) -> Oracle:
    """Choose the source of decisions: a named policy file, else a server; see `app.cli.server.address`.

    Raises:
        UsageError: both are named.
        PolicyFileError: something in the policies is wrong.
    """
    if policies is None:
        return ServerOracle(address(server), claim)
    if server is not None:
        raise click.UsageError("ask either a --server or a file with --policies")
    return FileOracle(policies)
