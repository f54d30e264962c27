"""API keys, override tokens and session secrets: made and recognised here, and stored only as a hash.

Each is a prefix, 192 random bits in base 62, and a checksum: so that a scanner finds them in a
repository, and a mistyped one is refused without asking the database. The hash is a plain SHA-256:
slow hashes are for what people choose.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from typing import Final

KEY_PREFIX: Final = "fzk_"
TOKEN_PREFIX: Final = "fzo_"  # noqa: S105 - how every one of them begins
SESSION_PREFIX: Final = "fzs_"

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BYTES: Final = 24
_RANDOM_WIDTH: Final = 33
"""62³³ is more than 2¹⁹²."""
_CHECK_WIDTH: Final = 6
"""62⁶ is more than 2³²."""
_FORM: Final = re.compile(
    rf"({KEY_PREFIX}|{TOKEN_PREFIX}|{SESSION_PREFIX})[0-9A-Za-z]{{{_RANDOM_WIDTH}}}([0-9A-Za-z]{{{_CHECK_WIDTH}}})"
)


def new_key() -> str:
    """A new API key; shown once, to whoever it is made for."""
    return _new(KEY_PREFIX)


def new_token() -> str:
    """A new override token; shown once, to whoever granted it."""
    return _new(TOKEN_PREFIX)


def new_session() -> str:
    """A new session secret; it lives in the cookie of one browser."""
    return _new(SESSION_PREFIX)


def is_session(text: str) -> bool:
    """Whether a text has the form of a session secret, and its checksum fits."""
    return text.startswith(SESSION_PREFIX) and _is_whole(text)


def is_key(text: str) -> bool:
    """Whether a text has the form of an API key, and its checksum fits."""
    return text.startswith(KEY_PREFIX) and _is_whole(text)


def is_token(text: str) -> bool:
    """Whether a text has the form of an override token, and its checksum fits."""
    return text.startswith(TOKEN_PREFIX) and _is_whole(text)


def holds_secret(text: str) -> bool:
    """Whether a key, a token or a session secret stands anywhere in a text."""
    return "fz" in text and any(_is_whole(match[0]) for match in _FORM.finditer(text))


def digest(secret: str) -> str:
    """What is stored of a key or token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def fingerprint(stored: str) -> str:
    """Return what the record says of a secret: a hash of the hash that is stored.

    It shows that the row of a secret was not exchanged for that of another, and is good for nothing else.
    """
    return f"sha256:{digest(stored)}"


def form_proof(session: str) -> str:
    """What a form carries to prove that it came from a page of this session: an HMAC of its secret."""
    return hmac.new(session.encode(), b"form", hashlib.sha256).hexdigest()


def proves(given: str, session: str) -> bool:
    """Whether a form carries the proof of a session; takes as long for any wrong one."""
    return hmac.compare_digest(given.encode(errors="replace"), form_proof(session).encode())


def _new(prefix: str) -> str:
    body = prefix + _base62(int.from_bytes(secrets.token_bytes(_RANDOM_BYTES)), _RANDOM_WIDTH)
    return body + _checksum(body)


def _is_whole(text: str) -> bool:
    match = _FORM.fullmatch(text)
    return match is not None and match[2] == _checksum(text[:-_CHECK_WIDTH])


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECK_WIDTH)


def _base62(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    return digits
