"""The routes of the HTTP API, from its OpenAPI document."""

from collections.abc import Iterator
from typing import Any, Final

from app.main import create_app
from tests.docs.json_schema import (
    Definitions,
    Key,
    Part,
    default_of,
    example_of,
    keys,
    meaning_of,
    type_of,
    without_null,
)
from tests.docs.markdown import code, table

_TAGS: Final = (
    "decisions",
    "state",
    "overrides",
    "freezes",
    "holds",
    "record",
    "feeds",
    "operation",
    "integrations",
)
_COLUMNS: Final = ("type", "default", "meaning", "example")
_PROBLEM: Final = "application/problem+json"


def blocks() -> dict[str, str]:
    """Return the generated blocks of the page: the routes of each tag, the bodies, the statuses."""
    document = create_app().openapi()
    parts = document["components"]["schemas"]
    definitions = Definitions(parts, {name: f"[{code(name)}](#{name.lower()})" for name in parts})
    found: dict[str, list[str]] = {tag: [] for tag in _TAGS}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(_route(f"{method.upper()} {path}", operation, definitions))
    return {
        **{tag: "\n\n".join(routes) for tag, routes in found.items()},
        "bodies": "\n\n".join(_body(name, part, definitions) for name, part in sorted(parts.items())),
        "statuses": _statuses(document),
    }


def _route(name: str, operation: Part, definitions: Definitions) -> str:
    role = operation.get("x-role")
    lines = [
        f"### {code(name)}",
        f"**{operation['summary']}** · " + (f"role {code(role)}" if role else _without_role(operation)),
        operation["description"],
        *_parameters(operation, definitions),
        *_request_body(operation, definitions),
        table(("status", "body", "meaning"), _answers(operation, definitions)),
    ]
    return "\n\n".join(lines)


def _without_role(operation: Part) -> str:
    return "signed by the system" if "401" in operation["responses"] else "no role needed"


def _parameters(operation: Part, definitions: Definitions) -> Iterator[str]:
    found = operation.get("parameters", ())
    if found:
        named = [(Key(each["name"], _as_key(each), each["required"]), each["in"]) for each in found]
        rows = [
            _row(key, definitions, where)
            for key, where in sorted(named, key=lambda each: not each[0].required)
        ]
        yield table(("parameter", "in", *_COLUMNS), rows)


def _as_key(parameter: Part) -> dict[str, Any]:
    examples = [parameter["example"]] if "example" in parameter else parameter["schema"].get("examples", [])
    about = {"description": parameter["description"], "examples": examples}
    # The framework titles the parameters of a path by their names.
    schema = {"type": "string"} if parameter["in"] == "path" else parameter["schema"]
    return {key: _as_in_a_query(each) for key, each in {**schema, **about}.items()}


def _as_in_a_query(value: Any) -> Any:
    """Return a value without the quotes that YAML would need around digits; a query string has none."""
    if isinstance(value, list):
        return [_as_in_a_query(each) for each in value]
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _request_body(operation: Part, definitions: Definitions) -> Iterator[str]:
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        members = sorted(keys(body), key=lambda each: not each.required)
        yield table(("member of the body", *_COLUMNS), [_row(each, definitions) for each in members])


def _row(key: Key, definitions: Definitions, *where: str) -> tuple[str, ...]:
    part = without_null(key)
    shown = (type_of(part, definitions), default_of(key), meaning_of(key.part), example_of(part))
    return code(key.name), *where, *shown


def _answers(operation: Part, definitions: Definitions) -> Iterator[tuple[str, str, str]]:
    problems = []
    for status, answer in sorted(operation["responses"].items()):
        content = answer.get("content", {})
        if _PROBLEM in content:
            problems.append(status)
        else:
            yield status, _contents(content, definitions), answer["description"]
    if problems:
        yield ", ".join(problems), definitions.links["Problem"], "see [Status codes](#status-codes)"


def _contents(content: Part, definitions: Definitions) -> str:
    shown = [
        type_of(each["schema"], definitions) if media_type == "application/json" else code(media_type)
        for media_type, each in content.items()
    ]
    return ", or ".join(shown)


def _body(name: str, part: Part, definitions: Definitions) -> str:
    rows = [(code(each.name), type_of(each.part, definitions), meaning_of(each.part)) for each in keys(part)]
    return f"### {name}\n\n{part['description']}\n\n{table(('member', 'type', 'meaning'), rows)}"


def _statuses(document: Part) -> str:
    meanings = {
        status: answer["description"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if _PROBLEM in answer.get("content", {})
    }
    return table(("status", "meaning"), sorted(meanings.items()))
