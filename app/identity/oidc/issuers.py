"""The file of issuers: whose identity tokens are accepted, and the role that their claims give.

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

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.core.policy import GLOB_PATTERN
from app.core.url import secure_url
from app.identity.caller import Role
from app.identity.oidc.errors import IdentityFileError
from app.yaml.file import read_file


def _simple(value: object) -> object:
    if isinstance(value, str | int):  # a bool is an int to Python
        return value
    raise ValueError("must be a text, a whole number, or true or false")


Claim = Annotated[Any, AfterValidator(_simple)]
Url = Annotated[str, StringConstraints(max_length=500), AfterValidator(secure_url)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """The role and services of a token whose claims include exactly these values."""

    claims: dict[str, Claim] = Field(min_length=1)
    role: Role
    services: list[Annotated[str, StringConstraints(pattern=rf"^{GLOB_PATTERN}$")]] | None = Field(
        None, min_length=1
    )

    def fits(self, told: dict[str, Any]) -> bool:
        """Return whether every claim is present and equal; true, 1 and "1" differ."""
        return all(
            name in told and type(told[name]) is type(value) and told[name] == value
            for name, value in self.claims.items()
        )


class Issuer(_Part):
    """An issuer whose tokens are accepted."""

    issuer: Url
    audience: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    jwks_url: Url | None = None
    """The URL of its keys; None: taken from its discovery document."""
    rules: list[Rule] = Field(min_length=1)
    """The first matching rule applies."""


class _File(_Part):
    issuers: list[Issuer] = Field(min_length=1)


def read_identity_file(path: Path) -> list[Issuer]:
    """Read the file of issuers.

    Raises:
        IdentityFileError: it can't be read, or something in it is wrong.
    """
    content, document = read_file(path, _File, IdentityFileError)
    first: dict[str, int] = {}
    for index, issuer in enumerate(content.issuers):
        before = first.setdefault(issuer.issuer.rstrip("/"), index)
        if before != index:
            line = document.place(("issuers", before)).best.line
            sentence = f"this issuer stands in line {line} already; put its rules together"
            raise IdentityFileError([document.problem(("issuers", index, "issuer"), sentence)])
    return content.issuers
