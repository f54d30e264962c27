"""Make and recognise API keys, override tokens and session secrets, of which only hashes are stored.

Each is a prefix, 192 random bits in base 62, and a checksum: a scanner can find it in a repository, and a
mistyped one is refused without a query. The hash is a plain SHA-256; slow hashes are for passwords. The
secret key has the same form; it is kept in a file of its own.
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
SECRET_KEY_PREFIX: Final = "fze_"  # noqa: S105 - how every one of them begins

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BYTES: Final = 24
_RANDOM_WIDTH: Final = 33
"""62³³ is more than 2¹⁹²."""
_CHECK_WIDTH: Final = 6
"""62⁶ is more than 2³²."""
_FORM: Final = re.compile(
    rf"({KEY_PREFIX}|{TOKEN_PREFIX}|{SESSION_PREFIX}|{SECRET_KEY_PREFIX})[0-9A-Za-z]{{{_RANDOM_WIDTH}}}([0-9A-Za-z]{{{_CHECK_WIDTH}}})"
)


def new_key() -> str:
    """Return a new API key; it is shown once."""
    return _new(KEY_PREFIX)


def new_token() -> str:
    """Return a new override token; it is shown once, to its granter."""
    return _new(TOKEN_PREFIX)


def new_session() -> str:
    """Return a new session secret, for the cookie of one browser."""
    return _new(SESSION_PREFIX)


def new_secret_key() -> str:
    """Return a new secret key; see `app.identity.sealing`."""
    return _new(SECRET_KEY_PREFIX)


def is_secret_key(text: str) -> bool:
    """Return whether a text is a well-formed secret key with a valid checksum."""
    return text.startswith(SECRET_KEY_PREFIX) and _is_whole(text)


def is_session(text: str) -> bool:
    """Return whether a text is a well-formed session secret with a valid checksum."""
    return text.startswith(SESSION_PREFIX) and _is_whole(text)


def is_key(text: str) -> bool:
    """Return whether a text is a well-formed API key with a valid checksum."""
    return text.startswith(KEY_PREFIX) and _is_whole(text)


def is_token(text: str) -> bool:
    """Return whether a text is a well-formed override token with a valid checksum."""
    return text.startswith(TOKEN_PREFIX) and _is_whole(text)


def holds_secret(text: str) -> bool:
    """Return whether a text contains a key, a token, a session secret or a secret key."""
    return "fz" in text and any(_is_whole(match[0]) for match in _FORM.finditer(text))


def digest(secret: str) -> str:
    """Return the stored hash of a key or token: its SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def fingerprint(stored: str) -> str:
    """Return the fingerprint of a secret in the audit log: a hash of the stored hash.

    It shows that the row of a secret was not exchanged for another's, and can't be used for anything else.
    """
    return f"sha256:{digest(stored)}"


def form_proof(session: str) -> str:
    """Return the CSRF token of a session: an HMAC of its secret."""
    return hmac.new(session.encode(), b"form", hashlib.sha256).hexdigest()


def proves(given: str, session: str) -> bool:
    """Compare the CSRF token of a form in constant time."""
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
