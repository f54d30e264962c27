"""A JSON Schema in words: type, allowed values, default and example of each key."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.docs.markdown import code, flow, table

Part = Mapping[str, Any]

_JSON_TYPES = {
    "string": "text",
    "integer": "whole number",
    "boolean": "boolean",
    "number": "number",
    "null": "`null`",
}


class Definitions(NamedTuple):
    """The objects that a schema refers to, and the link to each: `{"SelfTest": "[test](#test)"}`."""

    parts: Mapping[str, Part]
    links: Mapping[str, str]


class Key(NamedTuple):
    """A key of an object."""

    name: str
    part: Part
    required: bool


def keys(part: Part) -> Iterator[Key]:
    """Yield the keys of an object."""
    required = part.get("required", ())
    for name, each in part["properties"].items():
        yield Key(name, each, name in required)


def key_table(part: Part, definitions: Definitions) -> str:
    """Return a table of the keys of an object: type, default, meaning and example."""
    rows = [
        (
            code(key.name),
            type_of(without_null(key) if key.part.get("default", "") is None else key.part, definitions),
            default_of(key),
            meaning_of(key.part),
            example_of(key.part),
        )
        for key in keys(part)
    ]
    return table(("key", "type", "default", "meaning", "example"), rows)


def without_null(key: Key) -> Part:
    """Return an optional key without null, which stands for leaving it out."""
    arms = [arm for arm in key.part.get("anyOf", ()) if arm != {"type": "null"}]
    if not arms or len(arms) == len(key.part["anyOf"]):
        return key.part
    rest = {name: each for name, each in key.part.items() if name != "anyOf"}
    return {
        "examples": arms[0].get("examples", []),
        **(arms[0] if len(arms) == 1 else {"anyOf": arms}),
        **rest,
    }


def meaning_of(part: Part) -> str:
    """Return what a key means."""
    return str(part["description"])


def default_of(key: Key) -> str:
    """Return the default of a key; the word required where it has none."""
    if key.required:
        return "required"
    default = key.part.get("default")
    return "" if default is None or default == [] else code(flow(default))


def example_of(part: Part) -> str:
    """Return the first example of a key."""
    return code(flow(part["examples"][0])) if part.get("examples") else ""


def type_of(part: Part, definitions: Definitions) -> str:
    """Return the type of a key, with its allowed values and limits."""
    if "allOf" in part:
        part = {**part["allOf"][0], **{key: each for key, each in part.items() if key != "allOf"}}
    if "$ref" in part:
        return _referred(str(part["$ref"]).rpartition("/")[2], definitions)
    if arms := part.get("anyOf") or part.get("oneOf"):
        return ", or ".join(type_of(arm, definitions) for arm in arms)
    values = [part["const"]] if "const" in part else part.get("enum", [])
    if values:
        return ("one of " if len(values) > 1 else "") + ", ".join(code(flow(each)) for each in values)
    return _of_kind(str(part.get("type", "")), part, definitions)


def _referred(name: str, definitions: Definitions) -> str:
    target = definitions.parts[name]
    return definitions.links[name] if "properties" in target else type_of(target, definitions)


def _of_kind(kind: str, part: Part, definitions: Definitions) -> str:
    if kind == "array":
        return (
            "list of " + _plural(type_of(part["items"], definitions)) + _limits(part, "minItems", "maxItems")
        )
    if kind == "object":
        return _mapping(part, definitions)
    name = str(part.get("title") or _JSON_TYPES[kind])
    return name + _limits(part, "minimum", "maximum") + _limits(part, "", "maxLength", " characters")


def _mapping(part: Part, definitions: Definitions) -> str:
    for named in part.get("patternProperties", {}).values():
        return f"mapping of names to {_plural(type_of(named, definitions))}"
    values = part.get("additionalProperties")
    return (
        f"mapping of texts to {_plural(type_of(values, definitions))}"
        if isinstance(values, dict)
        else "mapping"
    )


def _plural(name: str) -> str:
    if name.startswith("[`"):
        return name
    if name.startswith("["):
        shown, _, link = name[1:].partition("]")
        return f"[{_plural(shown)}]{link}"
    if name.startswith(("one of", "list", "mapping", "`", "any")):
        return name
    head, comma, limits = name.partition(",")
    ending = f"{head[:-1]}ies" if head.endswith("y") and not head.endswith("ay") else f"{head}s"
    return ending.replace(" or ", "s or ") + comma + limits


def _limits(part: Part, least: str, most: str, unit: str = "") -> str:
    low, high = part.get(least), part.get(most)
    if low is None and high is None:
        return ""
    if high is None:
        return f", at least {low}"
    return f", {low} to {high}{unit}" if low is not None else f", at most {high}{unit}"
