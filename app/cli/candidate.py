"""Send policy files to a gate as a candidate: policies that are not in force there."""

import json
from collections.abc import Mapping
from typing import Any, Final

from app.cli.api_client import RequestRejectedError
from app.cli.errors import UndecidedError
from app.cli.report import plain
from app.cli.server import Request, address, authorisation, send, unusable
from app.policies.source import Snapshot, Source
from app.yaml.problem import PolicyFileError, Problem, Severity

CANDIDATE_DEADLINE: Final = 35.0
"""Seconds for the exchange; the gate gives up sooner, with a reason."""

_OK: Final = 200
_UNPROCESSABLE: Final = 422
_REJECTED: Final = range(400, 500)
_PROBLEM: Final = {"file": str, "line": int, "column": int, "path": str, "message": str}


def read_candidate(source: Source) -> Snapshot:
    """Read the files of a candidate; its calendars by URL are those of the gate, so nothing is fetched.

    Raises:
        PolicyFileError: a file can't be read.
    """
    snapshot = source.read()
    errors = [each for each in snapshot.problems if each.severity is Severity.ERROR]
    if errors:
        raise PolicyFileError(map(source.shown, errors))
    return snapshot


def post_candidate(
    server: str | None,
    path: str,
    source: Source,
    params: Mapping[str, str],
    accept: str = "application/json",
    deadline: float = CANDIDATE_DEADLINE,
) -> bytes:
    """Send the files of `source` to a route that takes a candidate, and return the body of the answer.

    The private URLs of calendars are masked; the gate knows them by that form.

    Raises:
        PolicyFileError: the policies have errors; files are named as the user gave them.
        RequestRejectedError: the gate rejected the request.
        UndecidedError: the answer is not usable.
    """
    snapshot = read_candidate(source)
    body = {"policies": dict(snapshot.recorded_policies), "calendars": dict(snapshot.calendars)}
    headers = {"Accept": accept, **authorisation()}
    response = send(Request("POST", f"{address(server)}{path}", headers, params, body), deadline)
    if response.status == _OK:
        return response.content
    problem = parse_object(response.content)
    if response.status == _UNPROCESSABLE and (problems := _problems(problem, source)):
        raise PolicyFileError(problems)
    detail = problem.get("detail")
    sentence = unusable(response.status, plain(detail) if detail else None)
    if response.status in _REJECTED:
        raise RequestRejectedError(sentence)
    raise UndecidedError(sentence, response.status)


def parse_object(content: bytes) -> dict[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _problems(document: Mapping[str, Any], source: Source) -> list[Problem]:
    """Return the well-formed problems of a candidate."""
    listed = document.get("problems")
    return [
        source.shown(Problem(*(_readable(each[name]) for name in _PROBLEM)))
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and all(isinstance(each.get(name), kind) for name, kind in _PROBLEM.items())
    ]


def _readable(value: Any) -> Any:
    return plain(value) if isinstance(value, str) else value
