"""The JSON Schema of policy files, for editors: made from the models that read them.

``python -m app.policies.schema`` writes it to ``policies.schema.json``; a test holds the two together.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from app.core.policy import PolicySet

FILE: Final = Path("policies.schema.json")
"""Where it stands, beside the shipped policies.yaml that names it in its first line."""

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NULL: Final = {"type": "null"}
_NULL_MEANS: Final = "next_change"


def schema() -> dict[str, Any]:
    """The schema of one policy file."""
    made: dict[str, Any] = PolicySet.model_json_schema(by_alias=True, mode="validation")
    made["description"] = "A policy file of freezegate."
    head = {"$schema": _DIALECT, "$id": FILE.name, "title": "freezegate policies"}
    body: dict[str, Any] = _plain(made)
    return head | body


def text() -> str:
    """The schema as it is written to its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any, key: str = "") -> Any:
    """Without what the reading of files does not share: nulls, and titles that repeat the key."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    arms = value.get("anyOf", [])
    if _NULL in arms and key != _NULL_MEANS:
        rest = [arm for arm in arms if arm != _NULL]
        others = {name: each for name, each in value.items() if name != "anyOf"}
        value = (rest[0] if len(rest) == 1 else {"anyOf": rest}) | others
    if "patternProperties" in value:
        value = value | {"additionalProperties": False}
    named = key in ("properties", "$defs")
    return {
        name: _plain(each, name)
        for name, each in value.items()
        if named or not (name == "title" or (name == "default" and each is None))
    }


if __name__ == "__main__":
    sys.stdout.write(f"{FILE}\n")
    FILE.write_text(text(), encoding="utf-8")
