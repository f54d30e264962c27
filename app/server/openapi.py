"""The OpenAPI document, from the declarations of the routes.

Routes read their requests themselves (see `requests`), so the framework can't find their fields. The same
models declare them, and a test checks every status that is sent against the document.
"""

import asyncio
import json
import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request

from app.core.json_schema import UntitledJsonSchema
from app.identity.caller import Role
from app.server.problems import PROBLEM_JSON

_REFERENCE: Final = "#/components/schemas/{model}"

_PROBLEM_TITLES = {
    400: "the body is incomplete, or a question carries an override token",
    401: "missing or invalid credentials",
    403: "insufficient role, or credentials restricted to other services",
    404: "nothing has that id",
    408: "the body took longer than 15 seconds",
    409: "the state forbids it: a reused idempotency key, or something that is over or not needed",
    413: "the body is larger than 64 KiB; than 256 KiB, if it is a webhook; than 512 KiB, if it is a batch "
    "or an admission review; than 4 MiB, if it is a candidate",
    415: "the body is not JSON; nor YAML, if it is a candidate",
    422: "a field is unknown, repeated, missing or malformed, or names what the policies do not list",
    429: "too many failed credentials, or claims without any, from this address; see `Retry-After`",
    503: "nothing can be decided or recorded safely, or too much is asked at once",
}


_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "an API key (`fzk_…`), or the OIDC identity token of a CI system",
}


_ANONYMOUS: Final = frozenset({Role.VIEWER, Role.CI})
"""The roles that callers without credentials may have."""


class Declaration(NamedTuple):
    """The role that a route requires and the fields that it reads."""

    role: Role | None
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    headers: tuple[dict[str, Any], ...]
    operation: dict[str, Any]
    """The framework's dictionary of additions to the route's operation; empty until `describe`."""

    def describe(self) -> None:
        """Put the role, the fields and the body into the route's operation."""
        operation = self.operation
        if self.role is not None:
            bearer: dict[str, list[str]] = {"bearer": []}
            operation["x-role"] = self.role.value
            operation["security"] = [{}, bearer] if self.role in _ANONYMOUS else [bearer]
        fields = [] if self.query is None else parameters(self.query)
        if fields or self.headers:
            operation["parameters"] = [*fields, *self.headers]
        if self.body is not None:
            operation["requestBody"] = request_body(self.body, has_query=self.query is not None)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problem documents of these statuses."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _PROBLEM_TITLES[status], "content": {PROBLEM_JSON: {"schema": schema}}}
        for status in statuses
    }


def returns(
    name: str, description: str, status: int = 200, *, text: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Describe a route's answer by the name of its model in `response_models`.

    By name, because the models cost start-up time that only the document needs.

    Args:
        name: the name of the model.
        description: the description of the answer.
        status: the status of the answer.
        text: whether the answer is also available as plain text.
    """
    schema = {"$ref": _REFERENCE.format(model=name)}
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if text:
        content["text/plain"] = {"schema": {"type": "string"}}
    return {status: {"description": description, "content": content}}


def returns_text(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """Describe a text answer of another media type."""
    return {200: {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}}


def parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Describe the query parameters that a model reads."""
    schema = model.model_json_schema(schema_generator=UntitledJsonSchema)
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": definition.pop("description", ""),
            "schema": _without_null(definition),
        }
        for name, definition in schema["properties"].items()
    ]


def request_body(model: type[BaseModel], *, has_query: bool) -> dict[str, Any]:
    """Describe the body that a model reads, in all of its media types; see `Strict.also_as`."""
    also_as: tuple[str, ...] = getattr(model, "also_as", ())
    described = json_body(model, required=not has_query or bool(also_as))
    described["content"] |= {each: {"schema": {"type": "string"}} for each in also_as}
    return described


def json_body(model: type[BaseModel], *, required: bool) -> dict[str, Any]:
    """Describe the JSON body that a model reads; its nested models are shared with the answers."""
    schema = model.model_json_schema(ref_template=_REFERENCE, schema_generator=UntitledJsonSchema)
    schema.pop("$defs", None)
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter without null, which a query string can't express."""
    arms = [arm for arm in schema.get("anyOf", ()) if arm != {"type": "null"}]
    if len(arms) != 1:
        return schema
    rest = {key: each for key, each in schema.items() if key not in ("anyOf", "default")}
    return {**arms[0], **rest}


def complete(app: FastAPI, declarations: Sequence[Declaration]) -> None:
    """Add the declarations of routes to the document, and replace the framework's error model by ours."""
    build = app.openapi
    lock = threading.Lock()

    def document() -> dict[str, Any]:
        with lock:
            if app.openapi_schema is not None:
                return app.openapi_schema
            for declaration in declarations:
                declaration.describe()
            schema = build()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(_bodies())
            schema["components"]["securitySchemes"] = {"bearer": _BEARER}
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            app.openapi_schema = schema
            return schema

    app.openapi = document  # type: ignore[method-assign]  # the framework's documented way


def _bodies() -> dict[str, Any]:
    """Return the schemas of all answers."""
    from pydantic.json_schema import models_json_schema

    from app.server.response_models import BODIES

    _, definitions = models_json_schema(
        [(each, "validation") for each in BODIES],
        ref_template=_REFERENCE,
        schema_generator=UntitledJsonSchema,
    )
    found: dict[str, Any] = definitions["$defs"]
    return found


async def document_of(request: Request) -> dict[str, Any]:
    """Return the OpenAPI document; build it once, in a thread, because that takes a tenth of a second."""
    app: FastAPI = request.app
    if app.openapi_schema is not None:
        return app.openapi_schema
    return await asyncio.to_thread(app.openapi)


async def rendered_document(request: Request) -> bytes:
    """Return the OpenAPI document as JSON, rendered once for the current root path."""
    document = await document_of(request)
    prefix: str = request.scope.get("root_path", "").rstrip("/")
    rendered: tuple[str, bytes] | None = getattr(request.app.state, "rendered_document", None)
    if rendered is None or rendered[0] != prefix:
        servers = {"servers": [{"url": prefix}]} if prefix else {}
        rendered = prefix, json.dumps({**document, **servers}).encode()
        request.app.state.rendered_document = rendered
    return rendered[1]


def header(name: str, description: str) -> dict[str, Any]:
    """Describe a request header that a route reads."""
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
    }
