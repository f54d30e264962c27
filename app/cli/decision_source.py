"""Decision sources of `check` and `wait`: a server, or a policy file on this machine."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeGuard

import click

from app.cli import ALLOWED, FROZEN
from app.cli.errors import UndecidedError
from app.cli.server import (
    DEADLINE,
    LARGEST_ANSWER,
    Request,
    Response,
    address,
    authorisation,
    secret_header,
    send,
    unusable,
)
from app.core.errors import FreezegateError, UnknownNameError
from app.core.instant import MINUTE, format_instant, parse_instant

_OK: Final = 200
_LOCKED: Final = 423
_ALLOWING: Final = ("allow", "warn", "override")
_MAX_DEPTH: Final = 8
"""Levels of nesting in a response; the gate's answers have four."""
CLOCK_TOLERANCE: Final = 15 * MINUTE
"""Seconds by which the time of an answer may differ from this machine's clock.

A cached or old answer must not allow a deploy. Clocks of build machines are off by seconds, and cloud
providers refuse requests that are further off than this. A claim retried under its idempotency key within
this time gets the first attempt's answer, which is still current.
"""
_DENIED: Final = re.compile(rb'"allowed"\s*:\s*false')
"""Searched in the raw bytes, so that malformed JSON can deny too; quotes in strings are escaped."""


NO_ANSWER: Final = "the server's response does not answer this question"


class Answer(NamedTuple):
    """A validated answer; `body` is the JSON object of the API."""

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
        """Seconds until it opens, by the clock of the source; None if no opening is in sight."""
        opens_at = self.body["opens_at"]
        return parse_instant(opens_at) - parse_instant(self.body["at"]) if opens_at else None


class Query(NamedTuple):
    """A question about one deploy, as given on the command line."""

    service: str
    environment: str = "production"
    change: str = "normal"
    duration: str | None = None
    at: str | None = None
    services: tuple[str, ...] = ()
    """The services of a claim for several, instead of `service`."""

    def fields(self) -> dict[str, Any]:
        """Return the fields of the API request, without those not given."""
        unused = "service" if self.services else "services"
        return {name: value for name, value in self._asdict().items() if value is not None and name != unused}


class DecisionSource(Protocol):
    """Answers a query, or raises `UndecidedError`."""

    def ask(self, query: Query, now: int, timeout: float = DEADLINE) -> Answer:
        """Return the answer as of `now`; give up after `timeout` seconds."""
        ...


class BatchSource(DecisionSource, Protocol):
    """Answers many queries at once, too."""

    def ask_all(self, queries: Sequence[Query], now: int, timeout: float = DEADLINE) -> list[Answer | str]:
        """Return the answers to many queries, all as of `now`; a sentence for one that has none."""
        ...


class FileDecisionSource:
    """Evaluates policy files; reloads them when they have changed since the last query."""

    def __init__(self, path: Path) -> None:
        """Load the policies.

        Raises:
            PolicyFileError: the policies have errors.
        """
        from app.cli.calendars import CommandCalendars
        from app.cli.files import loaded_from
        from app.clock import SystemClock
        from app.policies.source import Source

        self._calendars = CommandCalendars(SystemClock())
        self._source = Source(path, self._calendars)
        self._loaded = loaded_from(self._source, self._source.read())

    def ask(self, query: Query, now: int, timeout: float = DEADLINE) -> Answer:  # noqa: ARG002 - never long
        """Return the answer that a server with these policies would give."""
        from app.cli.files import loaded_from
        from app.core.decision import Question
        from app.core.decision_json import decision_to_json
        from app.core.notation import parse_duration

        at = now if query.at is None else parse_instant(query.at)
        duration = 0 if query.duration is None else parse_duration(query.duration)
        question = Question(query.service, query.environment, query.change, duration)
        try:
            snapshot = self._source.read()
            if missing := self._calendars.missing(snapshot):
                raise UndecidedError(missing[0])
            if snapshot.revision != self._loaded.revision:
                self._loaded = loaded_from(self._source, snapshot)
            decision = self._loaded.engine.decide(question, at)
        except FreezegateError as error:
            raise UndecidedError(str(error), misnamed=isinstance(error, UnknownNameError)) from error
        return Answer(decision_to_json(decision, self._loaded.policy_set.home, self._loaded.revision))

    def ask_all(self, queries: Sequence[Query], now: int, timeout: float = DEADLINE) -> list[Answer | str]:
        """Return the answers that a server with these policies would give."""
        return [self._answer_or_sentence(query, now, timeout) for query in queries]

    def _answer_or_sentence(self, query: Query, now: int, timeout: float) -> Answer | str:
        try:
            return self.ask(query, now, timeout)
        except UndecidedError as error:
            if not error.misnamed:
                raise
            return str(error)


class ServerDecisionSource:
    """Asks a server; makes a claim if the deploy is about to start."""

    def __init__(self, url: str, claim: Mapping[str, str] | None = None) -> None:
        """Use the server at `url`, with the API key and, for a claim, the override token of the environment.

        Args:
            url: its address, ``http`` or ``https``.
            claim: the fields of a claim besides the query; None asks without a claim.
        """
        self._url = f"{url}/can-deploy"
        self._claim = claim
        self._headers = {"Accept": "application/json", **authorisation()}
        if claim is not None:
            if token := secret_header("FREEZEGATE_OVERRIDE_TOKEN"):
                self._headers["X-Override-Token"] = token
            if key := claim.get("idempotency_key"):
                self._headers["Idempotency-Key"] = key

    def ask(self, query: Query, now: int, timeout: float = DEADLINE) -> Answer:
        """Ask the server; accept nothing but a well-formed, current answer."""
        return parse_answer(send(self._request(query), timeout, LARGEST_ANSWER), query, now)

    def ask_all(self, queries: Sequence[Query], now: int, timeout: float = DEADLINE) -> list[Answer | str]:
        """Ask the server all queries at once; they are about the same instant."""
        at = queries[0].at
        body: dict[str, Any] = {"questions": [query._replace(at=None).fields() for query in queries]}
        if at is not None:
            body["at"] = at
        request = Request("POST", f"{self._url}/batch", self._headers, body=body)
        return parse_answers(send(request, timeout), queries, now)

    def _request(self, query: Query) -> Request:
        if self._claim is None:
            return Request("GET", self._url, self._headers, params=query.fields())
        body = {name: value for name, value in self._claim.items() if name != "idempotency_key"}
        return Request("POST", self._url, self._headers, body={**query.fields(), **body})


def parse_answer(response: Response, query: Query, now: int) -> Answer:
    """Parse a response, and accept it as an answer only if every part of it is consistent.

    Args:
        response: the server's response.
        query: the query that was sent.
        now: the present instant, by this machine's clock.

    Raises:
        UndecidedError: the response does not answer the query.
    """
    body, denied = _read(response)
    return _accepted(body, response.status, query, now, denied=denied)


def _read(response: Response) -> tuple[Any, bool]:
    """Return the body of an answer, None if it is not JSON, and whether it denies anything."""
    try:
        body = json.loads(response.content, object_pairs_hook=_unique_members)
    except (ValueError, RecursionError):
        body = None
    denied = _DENIED.search(response.content) is not None
    if response.status not in (_OK, _LOCKED):
        raise UndecidedError(_on_status(response.status, body), response.status, denied=denied)
    return body, denied


def _accepted(body: object, status: int, query: Query, now: int, *, denied: bool) -> Answer:
    """Return a body as an answer, if every part of it is consistent."""
    if not isinstance(body, dict) or not _is_answer(body, status, query):
        raise UndecidedError(NO_ANSWER, status, denied=denied)
    if not _is_current(body["at"], query, now):
        raise UndecidedError(_on_other_time(body["at"], query, now), status, denied=denied)
    body.setdefault("warnings", [])
    body.setdefault("opens_at", None)
    return Answer(body)


def parse_answers(response: Response, queries: Sequence[Query], now: int) -> list[Answer | str]:
    """Parse the response to a batch of queries; an error among the answers is a sentence.

    Raises:
        UndecidedError: the response does not answer these queries.
    """
    body, denied = _read(response)
    answers = body.get("answers") if isinstance(body, dict) else None
    if isinstance(answers, list) and len(answers) == len(queries):
        found = [_one_of_many(each, query, now) for each, query in zip(answers, queries, strict=True)]
        allowed = all_allowed(found)
        if body.get("allowed") is allowed and allowed is (response.status == _OK):
            return found
    raise UndecidedError(NO_ANSWER, response.status, denied=denied)


def all_allowed(answers: Sequence[Answer | str]) -> bool:
    """Return whether every query has an answer that allows it."""
    return all(isinstance(each, Answer) and each.allowed for each in answers)


def _one_of_many(body: object, query: Query, now: int) -> Answer | str:
    if isinstance(body, dict) and body.get("allowed") is False and "outcome" not in body:
        return str(body.get("detail"))
    status = _OK if isinstance(body, dict) and body.get("allowed") is True else _LOCKED
    return _accepted(body, status, query, now, denied=status == _LOCKED)


def _unique_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object; reject duplicate members, because either could be the one that counts."""
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a duplicate member")
    return found


def _is_answer(body: dict[str, Any], status: int, query: Query) -> bool:
    """Return whether a body answers the query, is shaped as the API's, and agrees with its status."""
    echoed = all(body.get(name) == getattr(query, name) for name in ("environment", "change"))
    of_query = _is_of_all(body, query) if query.services else body.get("service") == query.service
    return echoed and of_query and _is_well_formed(body) and _agrees_with_status(body, status)


def _is_of_all(body: dict[str, Any], query: Query) -> bool:
    """Return whether an answer is about all services of a claim, and allows it only if it allows each."""
    parts = body.get("parts")
    if not _are_entries(parts) or body.get("services") != [*query.services]:
        return False
    named = [part.get("service") for part in parts] == [*query.services]
    return named and body.get("allowed") is all(part.get("allowed") is True for part in parts)


def _is_well_formed(body: dict[str, Any]) -> bool:
    texts = isinstance(body.get("message"), str) and _is_instant(body.get("at"))
    entries = _are_entries(body.get("blocking")) and _are_entries(body.get("warnings", []))
    opens_at = body.get("opens_at")
    return texts and entries and (opens_at is None or _is_instant(opens_at)) and _is_shallow(body, _MAX_DEPTH)


def _agrees_with_status(body: dict[str, Any], status: int) -> bool:
    if status == _LOCKED:
        return body.get("allowed") is False and body.get("outcome") == "deny"
    # Only an override token lets a blocked deploy through.
    lifted = body.get("outcome") == "override" or not body["blocking"]
    return body.get("allowed") is True and body.get("outcome") in _ALLOWING and lifted


def _is_shallow(value: object, levels: int) -> bool:
    """Return whether lists and objects are nested at most so many levels."""
    if not isinstance(value, (list, dict)):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(part, levels - 1) for part in parts)


def _is_current(at: str, query: Query, now: int) -> bool:
    if query.at is not None:
        return parse_instant(at) == parse_instant(query.at)
    return abs(parse_instant(at) - now) <= CLOCK_TOLERANCE


def _are_entries(entries: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)


def _is_instant(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parse_instant(value)
    except FreezegateError:
        return False
    return True


def find_source(
    server: str | None, policies: Path | None, claim: Mapping[str, str] | None = None
) -> BatchSource:
    """Return the decision source: the policy file if one is named, else a server (see `server.address`).

    Raises:
        UsageError: both are named.
        PolicyFileError: the policies have errors.
    """
    if policies is None:
        return ServerDecisionSource(address(server), claim)
    if server is not None:
        raise click.UsageError("use either --server or --policies, not both")
    return FileDecisionSource(policies)


def _on_status(status: int, body: object) -> str:
    detail = body.get("detail") if isinstance(body, dict) else None
    return unusable(status, detail)


def _on_other_time(at: str, query: Query, now: int) -> str:
    if query.at is not None:
        return f"the server's answer is of {at}, which is not the time that was asked for"
    clock = f"this machine's clock says {format_instant(now)}"
    return f"the server's answer is of {at}, but {clock}: more than 15 minutes apart"
