"""The secret key: encrypts the secrets that waiting deploys are answered with, as long as they wait.

Several keys may be given, one a line. The first one encrypts, and each of them decrypts, so that a key can be
changed while deploys wait.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.core.errors import FreezegateError
from app.identity.credentials import is_secret_key, new_secret_key

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

FILE_NAME: Final = "secret.key"

MOST_KEYS: Final = 10
"""Keys at a time; a rotation needs two."""

_OWNER_ONLY: Final = 0o600


class SecretKeyError(FreezegateError):
    """The secret key can't be used; the text repeats nothing of it."""


class UnsealError(FreezegateError):
    """A secret can't be decrypted: none of the keys encrypted it."""


class Sealing:
    """Encryption of secrets by the secret key."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Encrypt by the first of some well-formed keys; decrypt by any."""
        self._keys = keys
        self._fernet: MultiFernet | None = None

    @classmethod
    def of(cls, text: str) -> "Sealing":
        """Return the sealing of a text of keys, one a line.

        Raises:
            SecretKeyError: it holds no keys, too many, or something else.
        """
        keys = text.split()
        if not 1 <= len(keys) <= MOST_KEYS or not all(map(is_secret_key, keys)):
            raise SecretKeyError(
                f"FREEZEGATE_SECRET_KEY must be 1 to {MOST_KEYS} secret keys: fze_ and 39 letters and "
                "digits, as `freezegate keys secret` prints one"
            )
        return cls(keys)

    def seal(self, secret: str) -> str:
        """Encrypt a secret."""
        return self._cipher().encrypt(secret.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """Decrypt a secret.

        Raises:
            UnsealError: none of the keys encrypted it.
        """
        from cryptography.fernet import InvalidToken

        try:
            return self._cipher().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise UnsealError("none of the secret keys decrypts it") from None

    def _cipher(self) -> "MultiFernet":
        # Imported at the first secret: most gates keep none.
        from cryptography.fernet import Fernet, MultiFernet

        if self._fernet is None:
            self._fernet = MultiFernet([Fernet(_derived(key)) for key in self._keys])
        return self._fernet


def sealing_in(folder: Path) -> Sealing:
    """Return the sealing by the key file of a folder; make the file if there is none.

    Raises:
        SecretKeyError: it can't be read or made, or holds no keys.
    """
    file = folder / FILE_NAME
    try:
        if not file.exists():
            _make(file)
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise SecretKeyError(f"the secret key in {file} can't be used: {why}") from None
    try:
        return Sealing.of(text)
    except SecretKeyError:
        raise SecretKeyError(
            f"the secret key in {file} can't be used: it holds something else; restore it, or remove "
            "the file if no deploy waits"
        ) from None


def _make(file: Path) -> None:
    """Write a new key, whole or not at all; a file that another process has made meanwhile stays."""
    beside = file.with_name(f".{FILE_NAME}.{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as written:
            written.write(f"{new_secret_key()}\n")
            written.flush()
            os.fsync(written.fileno())
        try:
            os.link(beside, file)
        except FileExistsError:
            return
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        beside.unlink()


def _derived(key: str) -> bytes:
    """Return the key of the cipher: 256 bits from the 192 random ones of the text."""
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())
