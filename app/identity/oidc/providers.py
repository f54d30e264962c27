"""Authenticate a caller by an identity token: its signature, times and claims."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from app.identity.caller import Caller, Role
from app.identity.oidc.errors import CredentialsError
from app.identity.oidc.issuers import Issuer, Rule
from app.identity.oidc.keyring import Keyring, fetch
from app.identity.oidc.tokens import Expected, looks_like_token, unverified_parts, verified_claims
from app.identity.oidc.vendors import name_of, person_of, vendor_of
from app.outbound import Outbound


class IdentityProviders:
    """The issuers whose tokens are accepted."""

    def __init__(self, issuers: Sequence[Issuer], outbound: Outbound | None = None) -> None:
        """Accept the tokens of `issuers`; `outbound` makes the clients that fetch their keys."""
        get = partial(fetch, outbound or Outbound())
        self._issuers = {issuer.issuer: (issuer, Keyring(issuer, get)) for issuer in issuers}

    @property
    def grants_ops(self) -> bool:
        """Whether any rule gives role ops or admin."""
        return any(
            rule.role.covers(Role.OPS) for issuer, _ in self._issuers.values() for rule in issuer.rules
        )

    def looks_like_identity_token(self, text: str) -> bool:
        """Return whether a text has the three parts of a JWT, and a plausible length."""
        return looks_like_token(text)

    async def authenticate(self, token: str, now: int) -> Caller:
        """Return the caller that a token authenticates.

        Args:
            token: as received.
            now: the present instant, in seconds since the Unix epoch.

        Raises:
            CredentialsError: it is forged, expired, for another audience, or no rule matches.
            IssuerUnavailableError: the issuer's keys can't be fetched.
        """
        _, unverified = unverified_parts(token)
        known = self._issuers.get(unverified["iss"]) if isinstance(unverified.get("iss"), str) else None
        if known is None:
            raise CredentialsError("the token is of an issuer that is not configured here")
        issuer, keyring = known
        expected = Expected(issuer.issuer, issuer.audience, only_audience=True)
        return _caller(await verified_claims(token, expected, keyring, now), issuer)


def _caller(claims: dict[str, Any], issuer: Issuer) -> Caller:
    vendor = vendor_of(claims)
    for rule in issuer.rules:
        if rule.fits(claims) and not _refused(vendor.refused, claims, rule):
            person = person_of(vendor, claims, issuer.issuer)
            return Caller(
                name_of(vendor, claims), rule.role, rule.only_services, person=person, tags=rule.only_tags
            )
    raise CredentialsError("no rule fits what the token says of its job")


def _refused(refused: Mapping[str, frozenset[str]], claims: Mapping[str, Any], rule: Rule) -> bool:
    """Return whether outsiders can trigger this kind of job, and the rule doesn't name its claim."""
    return any(
        name not in rule.claims and str(claims.get(name)).lower() in values
        for name, values in refused.items()
    )
