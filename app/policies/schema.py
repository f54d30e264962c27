"""The JSON Schema of policy files, for editors and for SchemaStore; generated from the models that read them.

``python -m app.policies.schema`` writes it to ``policies.schema.json``; a test compares the two.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from app.core.json_schema import UntitledJsonSchema
from app.core.policy import PolicySet

FILE: Final = Path("policies.schema.json")
"""Where it stands, beside the shipped policies.yaml that names it in its first line."""

_DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""The newest draft that editors support well, so the one that SchemaStore asks for."""

_ID: Final = "https://json.schemastore.org/freezegate-policies.json"
_NULL: Final = {"type": "null"}
_NULLABLE: Final = "next_change"
_MAPS: Final = ("properties", "patternProperties", "definitions")
"""Keywords whose keys are names of ours rather than keywords."""


def schema() -> dict[str, Any]:
    """Return the schema of one policy file."""
    generated: dict[str, Any] = PolicySet.model_json_schema(
        by_alias=True,
        mode="validation",
        ref_template="#/definitions/{model}",
        schema_generator=UntitledJsonSchema,
    )
    generated["description"] = "A policy file of freezegate: when deploys are frozen, and why."
    generated["definitions"] = generated.pop("$defs")
    head = {"$schema": _DIALECT, "$id": _ID, "title": "freezegate policies"}
    body: dict[str, Any] = _portable(generated)
    return head | {key: value for key, value in body.items() if key != "title"}


def text() -> str:
    """Return the schema as it is written to its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _portable(value: Any, key: str = "") -> Any:
    """Return a part of the schema as draft-07 and the strict mode of Ajv read it."""
    if isinstance(value, list):
        return [_portable(each) for each in value]
    if not isinstance(value, dict) or key in ("default", "examples", "const"):
        return value
    if key in _MAPS:
        return {name: _portable(each, f"/{name}") for name, each in value.items()}
    return {name: _portable(each, name) for name, each in _as_draft_07(value, key).items()}


def _as_draft_07(value: dict[str, Any], key: str) -> dict[str, Any]:
    value = _without_noise(_with_limits_beside_types(_without_null(value, key)))
    if "patternProperties" in value:
        value = value | {"additionalProperties": False}
    if len(value) > 1 and "$ref" in value:  # draft-07 ignores what stands beside a reference
        value = {"allOf": [{"$ref": value["$ref"]}], **value}
        del value["$ref"]
    return value


def _without_noise(value: dict[str, Any]) -> dict[str, Any]:
    """Return a part without the title of its class and without a null default."""
    noise = {("title", str): _is_class(value), ("default", type(None)): True}
    return {name: each for name, each in value.items() if not noise.get((name, type(each)))}


def _without_null(part: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a part without the alternative null, which files may write in one place only."""
    arms = part.get("anyOf", [])
    if _NULL not in arms or key == f"/{_NULLABLE}":
        return part
    rest = [arm for arm in arms if arm != _NULL]
    others = {name: each for name, each in part.items() if name != "anyOf"}
    return (rest[0] if len(rest) == 1 else {"anyOf": rest}) | others


def _with_limits_beside_types(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part whose minItems stands in the alternative that is a list: Ajv wants it beside its type."""
    if "anyOf" not in part or "minItems" not in part:
        return part
    arms = [
        {**arm, "minItems": part["minItems"]} if arm.get("type") == "array" else arm for arm in part["anyOf"]
    ]
    return {**{name: each for name, each in part.items() if name != "minItems"}, "anyOf": arms}


def _is_class(part: dict[str, Any]) -> bool:
    """Return whether a part is titled by the name of its class: models and enumerations are."""
    return "properties" in part or "enum" in part or "const" in part


if __name__ == "__main__":
    sys.stdout.write(f"{FILE}\n")
    FILE.write_text(text(), encoding="utf-8")
