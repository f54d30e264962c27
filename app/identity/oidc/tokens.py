"""Verify tokens of an issuer: form, signature, issuer, audience and times."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from app.identity.oidc.errors import CredentialsError
from app.identity.oidc.keyring import Key, Keyring

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Asymmetric ones only: with an HMAC, the public key would be enough to sign."""

LEEWAY: Final = 30
"""Seconds that the issuer's clock may differ from ours."""

LONGEST_LIFE: Final = 24 * 3_600
"""Seconds; a CI job needs no longer, and a person signs in at once."""

_LONGEST: Final = 16 * 1024
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Expected(NamedTuple):
    """The claims that a token must have."""

    issuer: str
    audience: str
    only_audience: bool
    """Whether it may have no other audience."""


def looks_like_token(text: str) -> bool:
    """Return whether a text has the three parts of a JWT, and a plausible length."""
    return len(text) <= _LONGEST and _FORM.fullmatch(text) is not None


def unverified_parts(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the header and the claims of a token, which prove nothing yet.

    Raises:
        CredentialsError: it is not a token.
    """
    import jwt

    if not looks_like_token(token):
        raise CredentialsError("not an identity token")
    try:
        return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise CredentialsError("not an identity token") from None


async def verified_claims(token: str, expected: Expected, keyring: Keyring, now: int) -> dict[str, Any]:
    """Return the claims of a token.

    Raises:
        CredentialsError: it is forged, expired, or for another audience.
        IssuerUnavailableError: the issuer's keys can't be fetched.
    """
    header, _ = unverified_parts(token)
    algorithm, key_id = signed_with(header)
    claims = _verified(token, expected, algorithm, await keyring.find(key_id, now))
    _check_times(claims, now)
    return claims


def signed_with(header: Mapping[str, Any]) -> tuple[str, str]:
    """Return the algorithm and the key id of the header; its other key parameters are ignored.

    Raises:
        CredentialsError: the token is not signed, or in a way that is not accepted.
    """
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or "crit" in header:
        raise CredentialsError("the token is signed in a way that is not taken")
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise CredentialsError("the token is of a type that is not taken")
    if not isinstance(key_id, str):
        raise CredentialsError("the token does not say which key it is signed with")
    return algorithm, key_id


def _verified(token: str, expected: Expected, algorithm: str, key: Key | None) -> dict[str, Any]:
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
            audience=expected.audience,
            issuer=expected.issuer,
            options={
                "require": ["iss", "aud", "exp", "iat"],
                "strict_aud": expected.only_audience,
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


def _is_time(value: Any) -> bool:
    # bool is a subclass of int
    return type(value) in (int, float) and abs(value) < 2**53
