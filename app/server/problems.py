"""Error responses, as RFC 9457 ``application/problem+json``.

This is the only place that maps an error to a status code. Input is never echoed: a problem names the wrong
field and the form that it needs, and nothing that the caller sent.
"""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.core.errors import FreezegateError, MalformedValueError, UnknownNameError
from app.gate.candidate import CandidateError
from app.gate.errors import (
    BusyError,
    ForbiddenError,
    IdempotencyConflictError,
    InvalidFieldError,
    NoSecretKeyError,
    NotLoadedError,
    StateConflictError,
    StoreUnavailableError,
    UnauthenticatedError,
    UnknownRecordError,
)
from app.identity.oidc import IssuerUnavailableError

PROBLEM_JSON: Final = "application/problem+json"

_STATUS: Final[tuple[tuple[type[Exception], HTTPStatus], ...]] = (
    (UnauthenticatedError, HTTPStatus.UNAUTHORIZED),
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (UnknownRecordError, HTTPStatus.NOT_FOUND),
    (StateConflictError, HTTPStatus.CONFLICT),
    (IdempotencyConflictError, HTTPStatus.CONFLICT),
    (UnknownNameError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (MalformedValueError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotLoadedError, HTTPStatus.SERVICE_UNAVAILABLE),
    (BusyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (NoSecretKeyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (IssuerUnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreUnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
)


_HEADERS: Final[Mapping[HTTPStatus, Mapping[str, str]]] = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"},
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
}


class RefusedError(FreezegateError):
    """A request that is refused before it reaches the gate, with the status of the response."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.errors = errors
        self.headers = headers
        super().__init__(detail)


class InvalidFieldsError(RefusedError):
    """Wrong fields of a request, each with its name and a message."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
        super().__init__(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """Return a problem document; `errors` lists the wrong fields, `members` are more of its members."""
    return Response(
        json.dumps(problem_body(status, detail, errors=errors, members=members)),
        status_code=status.value,
        media_type=PROBLEM_JSON,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def problem_body(
    status: HTTPStatus,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    members: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the members of a problem document; see `problem`."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        **(members or {}),
    }
    if errors:
        body["errors"] = errors
    return body


def wrong_fields(error: Exception) -> list[dict[str, str]]:
    """Return the wrong fields of an error, each with a message; empty if it is not about fields."""
    if isinstance(error, RefusedError):
        return error.errors or []
    if isinstance(error, (UnknownNameError, InvalidFieldError)):
        return [{"field": error.field, "message": str(error)}]
    return []


def problem_for(error: Exception) -> Response:
    """Return the problem document of an error; an unexpected error becomes a bare 500."""
    if isinstance(error, RefusedError):
        return problem(error.status, str(error), errors=error.errors, headers=error.headers)
    if isinstance(error, CandidateError):
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), members=error.to_json())
    if wrong := wrong_fields(error):
        return problem_for(InvalidFieldsError(wrong))
    for family, status in _STATUS:
        if isinstance(error, family):
            return problem(status, str(error), headers=_HEADERS.get(status))
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here; the log says what")


async def handle_error(_: Request, error: Exception) -> Response:
    """Answer one of our own errors; the framework's hook."""
    return problem_for(error)


async def handle_http_exception(request: Request, error: Exception) -> Response:
    """Answer the framework's own 404 and 405; the framework's hook."""
    if not isinstance(error, HTTPException):
        return problem_for(error)
    status = HTTPStatus(error.status_code)
    details = {
        HTTPStatus.NOT_FOUND: "there is nothing here; the routes are listed at /docs",
        HTTPStatus.METHOD_NOT_ALLOWED: "this route does not take that method",
    }
    headers = error.headers
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(await _methods(request)) or (headers or {}).get("Allow", "GET")}
    return problem(status, details.get(status, status.description), headers=headers)


async def _methods(request: Request) -> list[str]:
    """Return the methods of a path; the framework names those of only one of its routes."""
    path = getattr(request.scope.get("route"), "path", request.url.path)
    # Building the document takes a tenth of a second, the first time.
    document: dict[str, Any] = request.app.openapi_schema or await asyncio.to_thread(request.app.openapi)
    methods = {method.upper() for method in document["paths"].get(path, {})}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)
