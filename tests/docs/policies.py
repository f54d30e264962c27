"""The tables of policies.yaml, from its JSON Schema."""

from typing import Final

from app.policies.schema import schema
from tests.docs.json_schema import Definitions, example_of, key_table, keys, meaning_of
from tests.docs.markdown import code, table

_LINKS: Final = {
    "AddedDay": "[added day](#added-days)",
    "Ceilings": "[token limits](#token-limits)",
    "Policy": "[policy](#policy)",
    "Selector": "[selector](#selector)",
    "SelfTest": "[test](#test)",
    "Service": "[service](#service)",
    "Workdays": "[workdays](#workdays)",
    "Environment": "[environment](#environment)",
    "Owner": "[owners](#owners)",
    "Release": "[release](#release)",
    "Defaults": "[defaults](#defaults)",
    "WindowEntry": "[window](#windows)",
}


def blocks() -> dict[str, str]:
    """Return the generated blocks of the page."""
    whole = schema()
    parts = whole["definitions"]
    definitions = Definitions(parts, _LINKS)
    kinds = list(keys(parts["WindowEntry"]))
    windows = [
        (code(kind.name), example_of(kind.part), f"{meaning_of(kind.part)}; see [{kind.name}](#{kind.name})")
        for kind in kinds
    ]
    return {
        "file": key_table(whole, definitions),
        **{name: key_table(parts[name], definitions) for name in _LINKS if name != "WindowEntry"},
        "windows": table(("window", "example", "open"), windows),
        **{
            kind.name: key_table(part, definitions)
            for kind in kinds
            if "properties" in (part := parts[kind.part["allOf"][0]["$ref"].rpartition("/")[2]])
        },
    }
