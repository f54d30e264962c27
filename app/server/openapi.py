"""How routes describe themselves in the OpenAPI document.

Routes read their requests themselves (see `reading`), so what they read is declared here from the
same models, and no status leaves that the document does not name.
"""

import asyncio
import json
import threading
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request

from app.server.problems import PROBLEM_JSON
from app.server.response_models import Problem

_PROBLEM_TITLES = {
    400: "the request is refused as it stands",
    401: "this needs credentials, or those that were sent are no good",
    403: "these credentials may not do this",
    404: "there is no such thing",
    408: "the body took too long to come",
    409: "the idempotency key was used for another request, or the thing is over already",
    413: "the body is larger than 64 KiB",
    415: "the body is not JSON",
    422: "a field is unknown, repeated, missing or malformed, or names what the policies do not list",
    429: "too many tries from this address; `Retry-After` says when to try again",
    503: "nothing can be decided safely now",
}


_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "an API key (`fzk_…`), or the OIDC identity token of a CI system",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem documents that a route may answer with."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _PROBLEM_TITLES[status], "content": {PROBLEM_JSON: {"schema": schema}}}
        for status in statuses
    }


def parameters(model: type[BaseModel]) -> dict[str, Any]:
    """The query parameters that a model reads."""
    schema = model.model_json_schema()
    required = schema.get("required", ())
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": definition.pop("description", ""),
                "schema": definition,
            }
            for name, definition in schema["properties"].items()
        ]
    }


def json_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """The JSON body that a model reads."""
    schema = model.model_json_schema()
    whole = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": whole}}}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Replace references to definitions of the schema itself: within the document they would lead nowhere."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    inner = {key: _inlined(each, definitions) for key, each in schema.items() if key != "$ref"}
    return {**_inlined(definitions[name], definitions), **inner} if name in definitions else inner


def complete(app: FastAPI) -> None:
    """Let the document name our problem shape, and no error of the framework's own that never leaves."""
    build = app.openapi
    lock = threading.Lock()

    def document() -> dict[str, Any]:
        with lock:
            if app.openapi_schema is not None:
                return app.openapi_schema
            schema = build()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema()
            schema["components"]["securitySchemes"] = {"bearer": _BEARER}
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            app.openapi_schema = schema
            return schema

    app.openapi = document  # type: ignore[method-assign]  # the framework's documented way


async def document_of(request: Request) -> dict[str, Any]:
    """Return the OpenAPI document; built once, in a thread, for it takes a tenth of a second."""
    app: FastAPI = request.app
    if app.openapi_schema is not None:
        return app.openapi_schema
    return await asyncio.to_thread(app.openapi)


async def rendered_document(request: Request) -> bytes:
    """Return the OpenAPI document as JSON, rendered once for the path that the gate is reached under."""
    document = await document_of(request)
    prefix: str = request.scope.get("root_path", "").rstrip("/")
    rendered: tuple[str, bytes] | None = getattr(request.app.state, "rendered_document", None)
    if rendered is None or rendered[0] != prefix:
        servers = {"servers": [{"url": prefix}]} if prefix else {}
        rendered = prefix, json.dumps({**document, **servers}).encode()
        request.app.state.rendered_document = rendered
    return rendered[1]


def header(name: str, description: str) -> dict[str, Any]:
    """A request header that a route reads."""
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
    }
