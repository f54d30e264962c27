"""The settings, the identity file and the receivers file, from their models."""

from typing import Any, Final

from pydantic import BaseModel

from app.core.json_schema import UntitledJsonSchema
from app.identity.oidc import issuers
from app.integrations import receivers
from app.integrations.vendors import notifiers
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
    whole = _schema(issuers._File)
    parts = whole["$defs"]
    definitions = Definitions(parts, {"Issuer": "[issuer](#issuer)", "Rule": "[rule](#rule)"})
    tables = {name: key_table(parts[name], definitions) for name in definitions.links}
    return {"file": key_table(whole, definitions), **tables}


def notifications() -> dict[str, str]:
    """Return the tables of the receivers file."""
    whole = _schema(receivers._File)
    parts = whole["$defs"]
    parts["_Entry"]["properties"]["kind"]["enum"] = list(notifiers())
    definitions = Definitions(parts, {"_Entry": "[receiver](#receiver)"})
    return {"file": key_table(whole, definitions), "Receiver": key_table(parts["_Entry"], definitions)}


def _plain(value: object) -> str:
    """Return a value as it stands in the environment, where nothing is quoted."""
    return "" if value is None else code(str(value))


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(schema_generator=UntitledJsonSchema)
