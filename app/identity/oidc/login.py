"""A sign-in under way: what its browser keeps in a cookie until the issuer sends it back.

The cookie has a random secret. The `state`, the `nonce` and the PKCE verifier are derived from it, together
with the issuer, the end and the place to go back to. So an answer of the issuer fits only the browser that
began, only that issuer, and only until the end; and the gate itself remembers nothing.
"""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final, NamedTuple

LIFETIME: Final = 600
"""Seconds for a person to type a password and a second factor."""

_LOCAL: Final = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/?#\[\]-]{0,500}")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_PARTS: Final = 3
_MOST_DIGITS: Final = 12


class Login(NamedTuple):
    """A sign-in under way."""

    secret: str
    issuer: str
    """The id of its section."""
    expires_at: int
    place: str
    """The path of this gate that the person goes to afterwards."""

    @classmethod
    def begin(cls, issuer: str, place: str, now: int) -> "Login":
        """Begin a sign-in."""
        return cls(secrets.token_urlsafe(32), issuer, now + LIFETIME, local_path(place))

    @classmethod
    def of_cookie(cls, text: str, issuer: str, now: int) -> "Login | None":
        """Return the sign-in of a cookie; None if it is none, or has expired."""
        parts = text.split(".")
        if len(parts) != _PARTS or not _SECRET.fullmatch(parts[0]):
            return None
        end = parts[1]
        if not (end.isascii() and end.isdecimal() and len(end) <= _MOST_DIGITS):
            return None
        login = cls(parts[0], issuer, int(end), local_path(_decoded(parts[2])))
        return login if now < login.expires_at <= now + LIFETIME else None

    @property
    def cookie(self) -> str:
        """The value of the cookie."""
        return f"{self.secret}.{self.expires_at}.{_encoded(self.place.encode())}"

    @property
    def state(self) -> str:
        """The `state` of the request: proves that the answer belongs to this browser."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """The `nonce` of the request: proves that the ID token was made for it."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """The PKCE verifier: proves that the code was made for it."""
        return self._derived("verifier")

    @property
    def challenge(self) -> str:
        """The S256 challenge of the verifier."""
        return _encoded(hashlib.sha256(self.verifier.encode()).digest())

    def proves(self, state: str) -> bool:
        """Compare the `state` of an answer in constant time."""
        return hmac.compare_digest(state.encode(errors="replace"), self.state.encode())

    def _derived(self, purpose: str) -> str:
        about = "\n".join((purpose, self.issuer, str(self.expires_at), self.place))
        return _encoded(hmac.digest(self.secret.encode(), about.encode(), "sha256"))


def local_path(text: str) -> str:
    """Return a path of this gate as it is, and ``/`` for anything else: a link may lead nowhere else."""
    return text if _LOCAL.fullmatch(text) else "/"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return ""
