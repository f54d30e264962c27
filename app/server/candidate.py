"""Requests with a candidate: policies that are not in force, in the body."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, ClassVar, Final, TypeVar

from pydantic import AfterValidator, Field
from starlette.requests import Request

from app.core import calendar_url
from app.core.errors import MalformedValueError
from app.gate.job_queue import JOB_DEADLINE, IsUnwanted
from app.policies.source import MOST_FILES, Snapshot
from app.server.context import context
from app.server.jobs import run_job
from app.server.problems import InvalidFieldsError, RefusedError
from app.server.requests import MAX_BODY, Strict, limited_body, media_type, parse_json, validated

MAX_CANDIDATE: Final = 4 * 1024 * 1024
"""Bytes of a body with a candidate. 10,000 policies are 1 to 3 MiB; to read the worst 4 MiB takes seconds."""

YAML: Final = "application/yaml"

_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_LONGEST_NAME: Final = 255
_FILE: Final = "is a name such as policies.yaml, without folders"
_CALENDAR: Final = "is the name of a file in the folder of the policies, such as releases.ics"

Result = TypeVar("Result")


def _file_name(name: str) -> str:
    if not _is_plain(name) or "/" in name or name.startswith("."):
        raise MalformedValueError(f"each name {_FILE}")
    return name


def _calendar_name(name: str) -> str:
    if not _is_plain(name) and not calendar_url.is_masked(name):
        raise MalformedValueError(f"each name {_CALENDAR}")
    return name


def _is_plain(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and name.isprintable() and "\\" not in name


class CandidateBody(Strict):
    """The files of a candidate. As `application/yaml`, the body is the text of its only file."""

    also_as: ClassVar[tuple[str, ...]] = (YAML,)

    policies: dict[Annotated[str, AfterValidator(_file_name)], str] = Field(
        description="the texts of the policy files, by name",
        min_length=1,
        max_length=MOST_FILES,
        examples=[{"policies.yaml": "version: 1\npolicies: []\n"}],
    )
    calendars: dict[Annotated[str, AfterValidator(_calendar_name)], str] = Field(
        default_factory=dict,
        description="the texts of the calendar files that they name, by name. Calendars by URL have the "
        "events that are in force; a new one has those given here under its masked URL, else none",
        max_length=MOST_FILES,
        examples=[{"releases.ics": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"}],
    )


async def with_candidate(
    request: Request, work: Callable[[Snapshot, IsUnwanted], Result], within: float = JOB_DEADLINE
) -> Result:
    """Return the result of `work` on the candidate in the body of a request, as a job of the gate.

    Raises:
        InvalidFieldsError: the body isn't that of a candidate.
        RefusedError: the body is too large or of another type, or too many candidates are being read, or jobs
            of this address are unfinished.
        BusyError: see `JobQueue.run`.
    """
    with context(request).candidates.held(request.scope):
        candidate = await read_candidate(request)
        return await run_job(request, partial(work, candidate), within)


async def read_candidate(request: Request) -> Snapshot:
    """Return the candidate in the body of a request, unchecked.

    Raises:
        InvalidFieldsError: the body isn't that of a candidate.
        RefusedError: the body is too large or of another type.
    """
    kind = media_type(request)
    if kind not in ("application/json", YAML):
        detail = f"send JSON, as Content-Type: application/json, or one file as {YAML}"
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    raw = await limited_body(request, MAX_CANDIDATE)
    # A thread, because megabytes take some hundredths of a second.
    return await asyncio.to_thread(_of_yaml if kind == YAML else _of_json, raw)


def _of_yaml(raw: bytes) -> Snapshot:
    try:
        return Snapshot.of(raw.decode())
    except UnicodeDecodeError:
        raise InvalidFieldsError([{"field": "body", "message": "is text in UTF-8"}]) from None


def _of_json(raw: bytes) -> Snapshot:
    # A million empty lists would take a second to parse, in which no other thread runs.
    if len(raw) > MAX_BODY and not _is_mostly_strings(raw):
        raise InvalidFieldsError([{"field": "body", "message": "is not an object of texts"}])
    body = validated(parse_json(raw), CandidateBody)
    return Snapshot(body.policies, body.calendars)


def _is_mostly_strings(raw: bytes) -> bool:
    """Return whether what is outside of the strings of a JSON text is as short as any other body."""
    outside = end = 0
    while (start := raw.find(b'"', end)) >= 0:
        outside += start - end
        string = _STRING.match(raw, start)
        if string is None or outside > MAX_BODY:
            return False
        end = string.end()
    return outside + len(raw) - end <= MAX_BODY
