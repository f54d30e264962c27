"""The identity file: whose identity tokens are accepted, where people sign in, and what their claims give.

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

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, model_validator

from app.identity.oidc.errors import IdentityFileError
from app.identity.oidc.rule import Claim, Part, Rights, Url, fit
from app.identity.oidc.sign_in_section import SignInIssuer
from app.yaml.document import Document
from app.yaml.file import read_file


class Rule(Rights):
    """The role and services of a token whose claims include exactly these values."""

    claims: dict[str, Claim] = Field(
        min_length=1,
        description="the claims that the token must have, with exactly these values: text, a whole number, "
        "`true` or `false`",
        examples=[{"repository": "acme/checkout", "ref": "refs/heads/main"}],
    )

    def fits(self, told: dict[str, Any]) -> bool:
        """Return whether every claim is present and equal; true, 1 and "1" differ."""
        return fit(self.claims, told)


class Issuer(Part):
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


class IdentityFile(Part):
    """The content of the file: at least one of its two sections."""

    issuers: list[Issuer] = Field(
        [],
        min_length=1,
        description="the issuers whose identity tokens the API accepts; needed if there is no `sign_in`",
    )
    sign_in: list[SignInIssuer] = Field(
        [],
        min_length=1,
        description="the issuers at which people sign in to the dashboard; needed if there are no `issuers`",
    )

    @model_validator(mode="after")
    def _has_issuers(self) -> "IdentityFile":
        if not self.issuers and not self.sign_in:
            raise ValueError("name issuers, sign_in or both")
        return self


def read_identity_file(path: Path, environment: Mapping[str, str] | None) -> IdentityFile:
    """Read the identity file, and check that the secrets of clients can be read.

    Args:
        path: of the file.
        environment: holds the variables that `client_secret_env` names; None: no secret is read.

    Raises:
        IdentityFileError: it can't be read, or something in it is wrong.
    """
    content, document = read_file(path, IdentityFile, IdentityFileError)
    _check_unique(document, "issuers", "issuer", [each.issuer.rstrip("/") for each in content.issuers])
    _check_unique(document, "sign_in", "id", [each.id for each in content.sign_in])
    for index, issuer in enumerate(content.sign_in if environment is not None else ()):
        try:
            issuer.client_secret(path.parent, environment or {})
        except ValueError as error:
            raise IdentityFileError([document.problem(("sign_in", index), str(error))]) from None
    return content


def _check_unique(document: Document, section: str, field: str, values: list[str]) -> None:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        before = first.setdefault(value, index)
        if before != index:
            line = document.place((section, before)).best.line
            sentence = f"this {field} stands in line {line} already; {_CURES[section]}"
            raise IdentityFileError([document.problem((section, index, field), sentence)])


_CURES: Final = {"issuers": "put its rules together", "sign_in": "give each entry an id of its own"}
