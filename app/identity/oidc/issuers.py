"""The file of issuers: whose identity tokens are taken, and what their claims allow.

```yaml
issuers:
  - issuer: https://token.actions.githubusercontent.com
    audience: freezegate
    rules:
      - claims: {repository: acme/checkout, ref: refs/heads/main}
        role: ci
        services: [checkout]
```
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from app.core.policy import GLOB_PATTERN
from app.core.url import secure_url
from app.identity.caller import Role
from app.identity.oidc.errors import IdentityFileError


def _simple(value: object) -> object:
    if isinstance(value, str | int):  # a bool is an int to Python
        return value
    raise ValueError("must be a text, a whole number, or true or false")


Claim = Annotated[Any, AfterValidator(_simple)]
Url = Annotated[str, StringConstraints(min_length=8, max_length=500), AfterValidator(secure_url)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """What a token whose claims are exactly these allows."""

    claims: dict[str, Claim] = Field(min_length=1)
    role: Role
    services: list[Annotated[str, StringConstraints(pattern=rf"^{GLOB_PATTERN}$")]] | None = Field(
        None, min_length=1
    )

    def fits(self, told: dict[str, Any]) -> bool:
        """Whether every claim is there and equal; true is not 1, and "1" is neither."""
        return all(
            name in told and type(told[name]) is type(value) and told[name] == value
            for name, value in self.claims.items()
        )


class Issuer(_Part):
    """Whose tokens are taken."""

    issuer: Url
    audience: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    jwks_url: Url | None = None
    """Where its keys are; None: its discovery document says."""
    rules: list[Rule] = Field(min_length=1)
    """The first that fits counts."""


class _File(_Part):
    issuers: list[Issuer] = Field(min_length=1)


def read_identity_file(path: Path) -> list[Issuer]:
    """Read the file of issuers.

    Raises:
        IdentityFileError: it can't be read, or something in it is wrong.
    """
    content = _content(path)
    try:
        issuers = _File.model_validate(content).issuers
    except ValidationError as error:
        wrong = (
            f"{path}: {'.'.join(map(str, each['loc'])) or 'the file'}: "
            f"{each['msg'].removeprefix('Value error, ')}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise IdentityFileError("\n".join(wrong)) from None
    names = [issuer.issuer.rstrip("/") for issuer in issuers]
    if len(set(names)) != len(names):
        raise IdentityFileError(f"{path}: an issuer stands there twice; put its rules together")
    return issuers


def _content(path: Path) -> object:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses what the library lets pass: of two `claims` in one rule, only the last would count."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's signature
            keys = [key.value for key, _ in node.value]
            for key, _ in node.value:
                if keys.count(key.value) > 1:
                    raise yaml.constructor.ConstructorError(None, None, "a key stands twice", key.start_mark)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise IdentityFileError(f"{path}: no YAML: {' '.join(str(error).split())}") from None
    # Impossible dates, and text that is not UTF-8, are ValueErrors.
    except (OSError, ValueError, RecursionError) as error:
        raise IdentityFileError(f"{path}: can't be read: {error}") from None
