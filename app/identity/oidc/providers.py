"""Authenticate a caller by an identity token: its signature, times and claims."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from app.identity.caller import Caller, Role
from app.identity.oidc.errors import CredentialsError
from app.identity.oidc.issuers import Issuer, Rule
from app.identity.oidc.keyring import Key, Keyring, fetch
from app.identity.oidc.vendors import name_of, person_of, vendor_of
from app.outbound import Outbound

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Asymmetric ones only: with an HMAC, the public key would be enough to sign."""

LEEWAY: Final = 30
"""Seconds that the issuer's clock may differ from ours."""

LONGEST_LIFE: Final = 24 * 3_600
"""Seconds; a CI job needs no longer."""

_LONGEST: Final = 16 * 1024
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


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
        return len(text) <= _LONGEST and _FORM.fullmatch(text) is not None

    async def authenticate(self, token: str, now: int) -> Caller:
        """Return the caller that a token authenticates.

        Args:
            token: as received.
            now: the present instant, in seconds since the Unix epoch.

        Raises:
            CredentialsError: it is forged, expired, for another audience, or no rule matches.
            IssuerUnavailableError: the issuer's keys can't be fetched.
        """
        if not self.looks_like_identity_token(token):
            raise CredentialsError("not an identity token")
        header, unverified = _parts(token)
        known = self._issuers.get(unverified["iss"]) if isinstance(unverified.get("iss"), str) else None
        if known is None:
            raise CredentialsError("the token is of an issuer that is not configured here")
        issuer, keyring = known
        algorithm, key_id = _signed_with(header)
        claims = _verified(token, issuer, algorithm, await keyring.find(key_id, now))
        _check_times(claims, now)
        return _caller(claims, issuer)


def _parts(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    import jwt

    try:
        return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise CredentialsError("not an identity token") from None


def _signed_with(header: Mapping[str, Any]) -> tuple[str, str]:
    """Return the algorithm and the key id of the header; its other key parameters are ignored."""
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or "crit" in header:
        raise CredentialsError("the token is signed in a way that is not taken")
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise CredentialsError("the token is of a type that is not taken")
    if not isinstance(key_id, str):
        raise CredentialsError("the token does not say which key it is signed with")
    return algorithm, key_id


def _verified(token: str, issuer: Issuer, algorithm: str, key: Key | None) -> dict[str, Any]:
    """Return the claims of a token after verifying its signature, issuer and audience."""
    import jwt

    if key is None:
        raise CredentialsError("the token is signed with a key that its issuer does not have")
    if key.algorithm not in (algorithm, None):
        raise CredentialsError("the token's key is for another algorithm")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.material,
            algorithms=[algorithm],
            audience=issuer.audience,
            issuer=issuer.issuer,
            options={
                "require": ["iss", "aud", "exp", "iat"],
                "strict_aud": True,
                "enforce_minimum_key_length": True,
                # Times are checked against the passed-in clock, see `_check_times`.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.MissingRequiredClaimError:
        raise CredentialsError("the token lacks a claim that is required") from None
    except jwt.InvalidAudienceError:
        raise CredentialsError("the token is for another audience") from None
    except (jwt.InvalidSignatureError, jwt.InvalidKeyError, TypeError):
        raise CredentialsError("the token's signature is not right") from None
    except (jwt.PyJWTError, ValueError):
        raise CredentialsError("the token is not well formed") from None
    return claims


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    """Check expiry, not-before, issued-at and lifetime against the passed-in clock."""
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if not all(map(_is_time, times.values())):
        raise CredentialsError("a time in the token is no number")
    if now >= times["exp"] + LEEWAY:
        raise CredentialsError("the token has expired")
    if max(times["iat"], times.get("nbf", 0)) > now + LEEWAY:
        raise CredentialsError("the token is not valid yet")
    if not 0 < times["exp"] - times["iat"] <= LONGEST_LIFE:
        raise CredentialsError("the token lives too long, or not at all")


def _caller(claims: dict[str, Any], issuer: Issuer) -> Caller:
    vendor = vendor_of(claims)
    for rule in issuer.rules:
        if rule.fits(claims) and not _refused(vendor.refused, claims, rule):
            services = None if rule.services is None else tuple(rule.services)
            person = person_of(vendor, claims, issuer.issuer)
            return Caller(name_of(vendor, claims), rule.role, services, person=person)
    raise CredentialsError("no rule fits what the token says of its job")


def _is_time(value: Any) -> bool:
    # bool is a subclass of int
    return type(value) in (int, float) and abs(value) < 2**53


def _refused(refused: Mapping[str, frozenset[str]], claims: Mapping[str, Any], rule: Rule) -> bool:
    """Return whether outsiders can trigger this kind of job, and the rule doesn't name its claim."""
    return any(
        name not in rule.claims and str(claims.get(name)).lower() in values
        for name, values in refused.items()
    )
