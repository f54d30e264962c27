"""The section ``sign_in`` of the identity file: the issuers at which people sign in on the dashboard.

```yaml
sign_in:
  - id: acme
    name: Acme
    issuer: https://id.example.com
    client_id: freezegate
    client_secret_env: OIDC_CLIENT_SECRET
    rules:
      - groups: [sre]
        role: admin
      - groups: [team-shop]
        role: ops
        tags: [team-shop]
```
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from app.core.policy import ID_PATTERN
from app.identity.caller import Caller, Role, person_id
from app.identity.oidc.rule import Claim, Part, Rights, Url, fit

Line = Annotated[str, StringConstraints(min_length=1, max_length=500), Field(title="text")]
_Scope = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,100}$"), Field(title="scope")]

OPENID = "openid"
"""The scope that makes an issuer answer with an ID token."""


class PersonRule(Rights):
    """The role, and the services and tags, of people with some claims and groups."""

    claims: dict[str, Claim] | None = Field(
        None,
        min_length=1,
        description="the claims that the person must have, with exactly these values, as in the rules of "
        "issuers; with `email`, the issuer must also say `email_verified: true`",
        examples=[{"hd": "example.com"}],
    )
    groups: list[Line] | None = Field(
        None,
        min_length=1,
        description="groups of which the person must be in at least one; needed if there are no `claims`",
        examples=[["team-shop"]],
    )

    @model_validator(mode="after")
    def _says_whom(self) -> "PersonRule":
        if self.claims is None and self.groups is None:
            raise ValueError("name claims or groups: without either, everyone at the issuer would match")
        return self

    @property
    def names_address(self) -> bool:
        """Whether the rule is on an e-mail address, which many issuers let people choose without a check."""
        return "email" in (self.claims or {})

    def fits(self, told: Mapping[str, Any], groups: Collection[str]) -> bool:
        """Return whether the claims and the groups of a person fit."""
        if self.names_address and not has_verified_address(told):
            return False
        return fit(self.claims or {}, told) and (
            self.groups is None or not set(self.groups).isdisjoint(groups)
        )


def has_verified_address(told: Mapping[str, Any]) -> bool:
    """Return whether an issuer says that it has verified the e-mail address of a person."""
    return told.get("email_verified") is True


class SignInIssuer(Part):
    """An issuer at which people sign in."""

    id: Annotated[str, StringConstraints(pattern=f"^{ID_PATTERN}$")] = Field(
        title="id",
        description="names it in the redirect URI, `/dashboard/sign-in/ID/callback`; unique in the file",
        examples=["acme"],
    )
    name: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(
        description="what the button says: Sign in with NAME", examples=["Acme"]
    )
    issuer: Url = Field(
        description="the URL of the issuer, exactly as in its discovery document",
        examples=["https://id.example.com/realms/acme"],
    )
    client_id: Line = Field(
        description="the id that this gate is registered by; its ID tokens have it as `aud`",
        examples=["freezegate"],
    )
    client_secret_file: Line | None = Field(
        None,
        description="a file with the client's secret, read at each sign-in; a relative path starts at the "
        "folder of this file; a public client has neither this nor `client_secret_env`",
        examples=["/run/secrets/oidc-client-secret"],
    )
    client_secret_env: Line | None = Field(
        None,
        description="a variable that holds the client's secret; not one that begins with `FREEZEGATE_`",
        examples=["OIDC_CLIENT_SECRET"],
    )
    scopes: list[_Scope] = Field(
        ["openid", "profile", "email"],
        min_length=1,
        description="the scopes to ask for; `openid` must be one",
        examples=[["openid", "profile", "email", "groups"]],
    )
    groups_claim: Line = Field(
        "groups",
        description="the claim with the person's groups: a list of texts, or one text",
        examples=["groups"],
    )
    person_claim: Annotated[str, StringConstraints(pattern="^(sub|user_id|actor_id)$")] = Field(
        "sub",
        title="name of a claim",
        description="the claim that has the same id in the identity tokens of this issuer's jobs: `user_id` "
        "for GitLab. The person is issuer#claim=id",
        examples=["user_id"],
    )
    rules: list[PersonRule] = Field(
        min_length=1,
        description="what a person may do; the first rule that fits decides, and a person that none fits is "
        "refused",
        examples=[[{"groups": ["sre"], "role": "ops"}]],
    )

    @model_validator(mode="after")
    def _can_be_used(self) -> "SignInIssuer":
        if OPENID not in self.scopes:
            raise ValueError("scopes must include openid: without it, the issuer sends no ID token")
        if self.client_secret_file is not None and self.client_secret_env is not None:
            raise ValueError("give client_secret_file or client_secret_env, not both")
        if (self.client_secret_env or "").upper().startswith("FREEZEGATE_"):
            raise ValueError("client_secret_env: variables that begin with FREEZEGATE_ are settings")
        return self

    @property
    def jwks_url(self) -> None:
        """The URL of its keys: always the one of its discovery document."""
        return

    @property
    def needs_groups(self) -> bool:
        """Whether any rule asks for groups."""
        return any(rule.groups is not None for rule in self.rules)

    @property
    def person_form(self) -> str:
        """The beginning of the persons of this issuer: ``https://id.example.com#sub=``."""
        return f"{self.issuer}#{self.person_claim}="

    @property
    def grants_ops(self) -> bool:
        """Whether any rule gives role ops or admin."""
        return any(rule.role.covers(Role.OPS) for rule in self.rules)

    def still_gives(self, caller: Caller) -> bool:
        """Return whether a person of this issuer could have the rights of a caller by its rules."""
        # A person whose id is long is a hash; see `person_of`.
        person = caller.person or ""
        return person.startswith((person_id(self.person_form), "sha256:")) and any(
            (rule.role, rule.only_services, rule.only_tags) == (caller.role, caller.services, caller.tags)
            for rule in self.rules
        )

    def client_secret(self, folder: Path, environment: Mapping[str, str]) -> str | None:
        """Return the secret of the client; None for a public one.

        Args:
            folder: where the identity file is.
            environment: holds its variable.

        Raises:
            ValueError: it can't be read, or is empty; the message names the file or variable.
        """
        if self.client_secret_env is not None:
            return _whole(
                environment.get(self.client_secret_env, ""), f"the variable {self.client_secret_env}"
            )
        if self.client_secret_file is None:
            return None
        try:
            text = (folder / self.client_secret_file).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise ValueError(f"the file {self.client_secret_file} can't be read: {why}") from None
        return _whole(text, f"the file {self.client_secret_file}")


def person_forms(sections: Iterable[SignInIssuer]) -> tuple[str, ...]:
    """Return what the persons who may sign in as ops or admin begin with; see `SignInIssuer.person_form`."""
    return tuple(each.person_form for each in sections if each.grants_ops)


def _whole(text: str, where: str) -> str:
    secret = text.strip()
    if not secret or not secret.isprintable():
        wrong = "is more than one line of text" if secret else "is empty or not set"
        raise ValueError(f"{where} {wrong}")
    return secret
