"""The settings, and the files of identities, receivers and integrations, from their models."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from app.core.json_schema import UntitledJsonSchema
from app.identity.oidc import issuers
from app.integrations import receivers
from app.integrations.section import Section
from app.integrations.vendors import notifiers, vendors
from app.settings import PREFIX, Settings
from tests.docs.json_schema import (
    Definitions,
    key_table,
    keys,
    meaning_of,
    type_of,
    without_null,
)
from tests.docs.markdown import code, table

HOW_TO: Final = Path(__file__).parents[2] / "docs" / "how-to"

_NOTHING: Final = Definitions({}, {})


def settings() -> dict[str, str]:
    """Return the table of settings."""
    rows = [
        (
            code(f"{PREFIX}{key.name.upper()}"),
            _plain(key.part.get("default")),
            type_of(without_null(key), _NOTHING),
            meaning_of(key.part),
            _plain(key.part["examples"][0]),
        )
        for key in keys(_schema(Settings))
    ]
    return {"settings": table(("variable", "default", "type", "meaning", "example"), rows)}


def identity() -> dict[str, str]:
    """Return the tables of the identity file."""
    whole = _schema(issuers.IdentityFile)
    parts = whole["$defs"]
    links = {
        "Issuer": "[issuer](#issuer)",
        "Rule": "[rule](#rule)",
        "SignInIssuer": "[issuer](#issuer-to-sign-in-at)",
        "PersonRule": "[rule](#rule-of-a-person)",
    }
    definitions = Definitions(parts, links)
    tables = {name: key_table(parts[name], definitions) for name in definitions.links}
    return {"file": key_table(whole, definitions), **tables}


def notifications() -> dict[str, str]:
    """Return the tables of the receivers file."""
    whole = _schema(receivers._File)
    parts = whole["$defs"]
    parts["_Entry"]["properties"]["kind"]["enum"] = list(notifiers())
    definitions = Definitions(parts, {"_Entry": "[receiver](#receiver)"})
    return {"file": key_table(whole, definitions), "Receiver": key_table(parts["_Entry"], definitions)}


def integrations() -> dict[str, str]:
    """Return the sections of the integrations file, each with its heading, and a table of them."""
    sections = {name: vendor.section for name, vendor in vendors().items() if vendor.section is not None}
    rows = [
        (f"[`{name}`](#{name})", _schema(section)["description"].partition("\n")[0], _page_of(name))
        for name, section in sections.items()
    ]
    written = (text for name, section in sections.items() for text in _section(name, section))
    return {"overview": table(("section", "it holds", "page"), rows), "sections": "\n\n".join(written)}


def _section(name: str, section: type[Section]) -> Iterator[str]:
    """Yield the headings and tables of a section and of the parts in it."""
    whole = _schema(section)
    parts = {part: each for part, each in whole.get("$defs", {}).items() if "properties" in each}
    titles = {part: f"{name}: {re.sub(r'(?<=[a-z])(?=[A-Z])', ' ', part).lower()}" for part in parts}
    links = {
        part: f"[{title.partition(': ')[2]}](#{re.sub('[^a-z0-9 -]', '', title).replace(' ', '-')})"
        for part, title in titles.items()
    }
    definitions = Definitions(whole.get("$defs", {}), links)
    for heading, part in ((f"## {name}", whole), *((f"### {titles[each]}", parts[each]) for each in parts)):
        yield heading
        yield part["description"].partition("\n")[0]
        yield key_table(part, definitions)


def _page_of(name: str) -> str:
    """Return a link to the page of a vendor."""
    for page in (f"platforms/{name}.md", f"incidents/{name}.md", f"project/{name}.md", f"{name}.md"):
        if (HOW_TO / page).exists():
            return f"[how to](../how-to/{page})"
    return ""


def _plain(value: object) -> str:
    """Return a value as it stands in the environment, where nothing is quoted."""
    return "" if value is None else code(str(value))


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(schema_generator=UntitledJsonSchema)
