"""Routes that declare, in one place, their role, the fields they read and their responses.

The role is checked before the route runs. The declaration goes into the OpenAPI document; its schemas are
rendered when the document is asked for, because rendering would slow the start.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from functools import wraps
from typing import Any, Final, TypeVar

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.requests import Request

from app.core.errors import FreezegateError
from app.identity.caller import Caller, Role
from app.server.authentication import authorised
from app.server.openapi import Declaration, problems

_CALLER: Final = "caller"
_ROLE: Final = "role"

_FAILURES: Final = (401, 403, 422, 429, 503)
"""The problem statuses of every route that needs a role."""

_BODY_FAILURES: Final = (400, 408, 413, 415)

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[Response]])


class Routes(APIRouter):
    """A router whose routes declare a role."""

    def __init__(self, tags: list[str | Enum] | None = None, *, include_in_schema: bool = True) -> None:
        """Create an empty router; the arguments are those of `APIRouter`."""
        super().__init__(tags=tags, include_in_schema=include_in_schema)
        self.declarations: list[Declaration] = []
        self.endpoints: dict[tuple[str, str], Callable[..., Awaitable[Response]]] = {}
        """The endpoints by method and path template, with the check of the role."""

    def operation(
        self,
        method: str,
        path: str,
        *,
        role: Role | None,
        query: type[BaseModel] | None = None,
        body: type[BaseModel] | None = None,
        headers: Sequence[dict[str, Any]] = (),
        also: Sequence[int] = (),
        responses: dict[int | str, dict[str, Any]],
        **options: Any,
    ) -> Callable[[Endpoint], Endpoint]:
        """Register a route that runs for callers with a role.

        Args:
            method: the HTTP method.
            path: the path template; with parameters, the route may answer 404.
            role: the role that a caller needs; None for a route without authentication.
            query: the model of the query parameters.
            body: the model of the JSON body; with `query` as well, the fields may be in either, unless the
                body has other media types, too.
            headers: the request headers that it reads, see `openapi.header`.
            also: the statuses of problems that don't follow from the other arguments.
            responses: the answers other than problems, by status.
            options: passed to the framework.
        """
        statuses = {
            *also,
            *(_FAILURES if role is not None else ()),
            *(_BODY_FAILURES if body is not None else ()),
            *((404,) if "{" in path else ()),
        }
        declaration = Declaration(role, query, body, tuple(headers), operation={})
        self.declarations.append(declaration)

        def register(endpoint: Endpoint) -> Endpoint:
            checked = endpoint if role is None else _checked(endpoint, role)
            self.endpoints[method, path] = checked
            self.add_api_route(
                path,
                checked,
                methods=[method],
                responses=responses | problems(*sorted(statuses)),
                response_model=None,
                openapi_extra=declaration.operation,
                **options,
            )
            return endpoint

        return register


def caller_of(request: Request) -> Caller:
    """Return the caller of a request to a route that declares a role."""
    caller: Caller = request.scope["state"][_CALLER]
    return caller


async def is_still_authorised(request: Request) -> bool:
    """Return whether the caller still has the role that the route declares."""
    try:
        await authorised(request, request.scope["state"][_ROLE])
    except FreezegateError:
        return False
    return True


def _checked(endpoint: Callable[..., Awaitable[Response]], role: Role) -> Callable[..., Awaitable[Response]]:
    """Return an endpoint with the same signature that checks the caller's role first."""

    @wraps(endpoint)
    async def check_and_run(request: Request, **path: str) -> Response:
        state = request.scope["state"]
        state[_ROLE] = role
        state[_CALLER] = await authorised(request, role)
        return await endpoint(request, **path)

    return check_and_run
