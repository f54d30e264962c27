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
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    ValidationError,
)

from app.core.policy import GLOB_PATTERN
from app.identity.caller import Role
from app.identity.oidc.errors import IdentityFileError

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def secure_url(url: str) -> str:
    """Hand back a URL that nobody listens in on, or raise ValueError."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url
    raise ValueError("must begin with https://")


Url = Annotated[str, StringConstraints(min_length=8, max_length=500), AfterValidator(secure_url)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """What a token whose claims are exactly these allows."""

    claims: dict[str, StrictBool | StrictInt | StrictStr] = Field(min_length=1)
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
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise IdentityFileError(f"{path}: can't be read: {error}") from None
    except yaml.YAMLError as error:
        raise IdentityFileError(f"{path}: no YAML: {' '.join(str(error).split())}") from None
    try:
        issuers = _File.model_validate(content).issuers
    except ValidationError as error:
        wrong = (
            f"{path}: {'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise IdentityFileError("\n".join(wrong)) from None
    names = [issuer.issuer for issuer in issuers]
    if len(set(names)) != len(names):
        raise IdentityFileError(f"{path}: an issuer stands there twice; put its rules together")
    return issuers
