"""Read the integrations file: the systems that ask the gate in their own words, and how they are answered.

```yaml
alertmanager:
  token_file: /run/secrets/alertmanager-token
github:
  app_id: 12345
  private_key_file: /run/secrets/github-app.pem
  secret_file: /run/secrets/github-webhook-secret
```

Each key is the name of a vendor; its section is declared in the folder of the vendor.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from app.core.errors import FaultyValuesError, MalformedValueError
from app.integrations.section import Section, check_section, resolve_secrets
from app.integrations.vendors import vendors
from app.yaml.file import read_file
from app.yaml.problem import YamlFileError


class IntegrationsFileError(YamlFileError):
    """An invalid integrations file; the text names every wrong place in it."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@cache
def file_model() -> type[BaseModel]:
    """Return the model of the whole file: an optional section for each vendor that has one."""
    sections = {name: vendor.section for name, vendor in vendors().items() if vendor.section is not None}
    fields: dict[str, Any] = {
        name.replace("-", "_"): (section | None, Field(None, alias=name))
        for name, section in sections.items()
    }
    model: type[BaseModel] = create_model("IntegrationsFile", __base__=_File, **fields)
    return model


def read_integrations_file(path: Path, environment: Mapping[str, str]) -> Mapping[str, Section]:
    """Return the sections of the integrations file by the names of their vendors.

    Args:
        path: of the file; relative names of files in it are resolved beside it.
        environment: the variables that it may name.

    Raises:
        IntegrationsFileError: it can't be read, or something in it is wrong.
    """
    content, document = read_file(path, file_model(), IntegrationsFileError, private=True)
    sections: dict[str, Section] = {
        name.replace("_", "-"): section
        for name in type(content).model_fields
        if (section := getattr(content, name)) is not None
    }
    for name, section in sections.items():
        try:
            resolve_secrets(section, path.parent, environment)
            check_section(section)
        except FaultyValuesError as error:
            faults = error.faults
            raise IntegrationsFileError(
                document.problem((name, *fault.path), fault.sentence) for fault in faults
            ) from None
        except MalformedValueError as error:
            raise IntegrationsFileError([document.problem((name,), str(error))]) from None
    return sections
