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


Claim = Annotated[Any, AfterValidator(_simple), Field(title="claim value")]
Url = Annotated[str, StringConstraints(max_length=500), AfterValidator(secure_url), Field(title="https URL")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """The role and services of a token whose claims include exactly these values."""

    claims: dict[str, Claim] = Field(
        min_length=1,
        description="the claims that the token must have, with exactly these values: text, a whole number, "
        "`true` or `false`",
        examples=[{"repository": "acme/checkout", "ref": "refs/heads/main"}],
    )
    role: Role = Field(description="the role that the token gives", examples=["ci"])
    services: (
        list[Annotated[str, StringConstraints(pattern=rf"^{GLOB_PATTERN}$"), Field(title="name pattern")]]
        | None
    ) = Field(
        None,
        min_length=1,
        description="the only services that the token may claim deploys of; all if left out",
        examples=[["checkout"]],
    )

    def fits(self, told: dict[str, Any]) -> bool:
        """Return whether every claim is present and equal; true, 1 and "1" differ."""
        return all(
            name in told and type(told[name]) is type(value) and told[name] == value
            for name, value in self.claims.items()
        )


class Issuer(_Part):
    """An issuer whose tokens are accepted."""

    issuer: Url = Field(
        description="the `iss` claim of its tokens, exactly; unique in the file",
        examples=["https://token.actions.githubusercontent.com"],
    )
    audience: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(
        description="the `aud` claim that its tokens must have", examples=["freezegate"]
    )
    jwks_url: Url | None = Field(
        None,
        description="the URL of its keys; taken from its discovery document if left out",
        examples=["https://gitlab.example.com/oauth/discovery/keys"],
    )
    rules: list[Rule] = Field(
        min_length=1,
        description="what its tokens give; the first rule that matches decides, and a token that none "
        "matches is refused",
        examples=[[{"claims": {"repository": "acme/checkout"}, "role": "ci"}]],
    )


class _File(_Part):
    issuers: list[Issuer] = Field(min_length=1, description="the issuers whose tokens are accepted")


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
