"""The signatures of webhooks, over the bytes as they came.

Any of several secrets is accepted, so that one can be changed without a gap. Comparisons take constant time.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import SecretStr

REPLAY_WINDOW: Final = 5 * 60
"""Seconds that a signed time may differ from ours, as the Standard Webhooks specification recommends."""

MOST_DIGESTS: Final = 10
"""Signatures of one request that are looked at; during a rotation a sender sends two."""

SHORTEST_SECRET: Final = 24
"""Characters; a signing secret must not be guessable."""

_SECONDS: Final = re.compile("[0-9]{1,12}")
_STANDARD: Final = ("id", "timestamp", "signature")
_PREFIX: Final = "whsec_"
_VERSION: Final = "v1,"


def weakness(secret: SecretStr, shortest: int = SHORTEST_SECRET) -> str | None:
    """Return what makes a secret unfit for signing; None if it is fit."""
    text = secret.get_secret_value()
    if len(text) < shortest:
        return f"a secret has fewer than {shortest} characters"
    try:
        if text.startswith(_PREFIX):
            base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:  # also for what is not ASCII
        return f"what follows {_PREFIX} in a secret is not base 64"
    return None


def hmac_matches(
    secrets: Iterable[SecretStr], signed: bytes, hex_digests: Iterable[str], algorithm: str = "sha256"
) -> bool:
    """Return whether any of the digests is the HMAC of the bytes, with any of the secrets.

    Args:
        secrets: the secrets that are accepted.
        signed: the bytes as they came.
        hex_digests: the digests of the request, in hexadecimal digits of either case.
        algorithm: the name of the hash function.
    """
    given = [_sent(each.strip().lower()) for each in _first(hex_digests)]
    made = [hmac.digest(_text(secret), signed, algorithm).hex().encode() for secret in secrets]
    return _any_equal(given, made)


def standard_webhook_matches(
    secrets: Iterable[SecretStr], headers: Mapping[str, str], body: bytes, now: int
) -> bool:
    """Return whether a webhook is signed as https://www.standardwebhooks.com says, within the window.

    Args:
        secrets: the secrets that are accepted; what follows ``whsec_`` is base 64.
        headers: of the request, by names in lower case; they begin with ``webhook-``, or with ``svix-``.
        body: the bytes as they came.
        now: the present second; the signed one may differ by `REPLAY_WINDOW`.
    """
    message_id, timestamp, signatures = (standard_header(headers, each) for each in _STANDARD)
    if not message_id or not is_recent(timestamp, now):
        return False
    given = [_sent(each) for each in _first(signatures.split())]
    made = [standard_signature(each, message_id, timestamp, body).encode() for each in secrets]
    return _any_equal(given, made)


def standard_signature(secret: SecretStr, message_id: str, timestamp: str, body: bytes) -> str:
    """Return ``v1,`` and the HMAC-SHA256 of id, timestamp and body, in base 64."""
    signed = b".".join((_sent(message_id), timestamp.encode(), body))
    return _VERSION + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def standard_header(headers: Mapping[str, str], name: str) -> str:
    """Return a header of a Standard Webhook, or of Svix, which named it first; empty if there is none."""
    return headers.get(f"webhook-{name}") or headers.get(f"svix-{name}") or ""


def is_recent(seconds: str, now: int, window: int = REPLAY_WINDOW) -> bool:
    """Return whether a signed time, as decimal seconds, differs from ours by at most `window`."""
    return _SECONDS.fullmatch(seconds) is not None and abs(int(seconds) - now) <= window


def token_matches(tokens: Iterable[SecretStr], given: str) -> bool:
    """Return whether a token that was sent is one of ours."""
    return _any_equal([_sent(given)], [_text(each) for each in tokens])


def _first(values: Iterable[str]) -> list[str]:
    return list(values)[:MOST_DIGESTS]


def _sent(text: str) -> bytes:
    """Return the bytes of a text that was sent; a lone surrogate, as JSON may have, is none of ours."""
    return text.encode(errors="surrogatepass")


def _text(secret: SecretStr) -> bytes:
    return secret.get_secret_value().encode()


def _key(secret: SecretStr) -> bytes:
    """Decode the base 64 behind ``whsec_``; any other text is used as it is."""
    text = secret.get_secret_value()
    if text.startswith(_PREFIX):
        try:
            return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            return text.encode()
    return text.encode()


def _any_equal(given: list[bytes], made: list[bytes]) -> bool:
    """Compare all pairs, so that the time does not tell which of them is equal."""
    equal = [hmac.compare_digest(one, other) for one in given for other in made]
    return any(equal)
