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
    """Read the file of issuers, as YAML 1.2.

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
