"""``/docs``: the API reference, rendered from the OpenAPI document without third-party scripts."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.server.openapi import document_of
from app.server.requests import Strict, read_query
from app.web.pages import PageRoute, html_response, render
from app.web.viewer import optional_viewer

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_METHODS: Final = ("get", "post", "put", "patch", "delete")


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Serve the reference: the role, parameters and responses of every route."""
    read_query(request, Strict)
    document = await document_of(request)
    viewer = await optional_viewer(request)
    return html_response(
        render("reference.html", viewer.root, viewer=viewer, groups=_groups(document), document=document)
    )


def _groups(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Group the operations by tag, for the template."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                tag = (operation.get("tags") or ["other"])[0]
                groups.setdefault(tag, []).append(_operation(path, method, operation, document))
    return groups


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    schemas = [_resolved(each.get("schema", {}), document) for each in content.values()]
    schema = schemas[0] if schemas else {}
    required = schema.get("required", ())
    return {
        "id": f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        "path": path,
        "method": method.upper(),
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "role": operation.get("x-role", "anyone"),
        "fields": [
            *(
                _field(each["name"], each["schema"], each, each["in"])
                for each in operation.get("parameters", ())
            ),
            *(
                _field(name, each, {"required": name in required, **each}, "body")
                for name, each in schema.get("properties", {}).items()
            ),
        ],
        "responses": [
            (status, each.get("description", "")) for status, each in sorted(operation["responses"].items())
        ],
    }


def _field(name: str, schema: dict[str, Any], about: dict[str, Any], where: str) -> dict[str, Any]:
    return {
        "name": name,
        "where": where,
        "required": bool(about.get("required")),
        "description": about.get("description", ""),
        "type": _type(schema),
    }


def _type(schema: dict[str, Any]) -> str:
    """Describe a schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2].lower()
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"]).lower()
    if "anyOf" in schema:
        return " | ".join(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    reference: str | None = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found
