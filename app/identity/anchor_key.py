"""The key that signs anchors of the record: Ed25519, in PEM form as OpenSSL writes it."""

import base64
import binascii
from typing import TYPE_CHECKING

from app.core.anchor import Anchor
from app.core.errors import MalformedValueError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_NO_PRIVATE_KEY = "is no private key of Ed25519 in PEM form; make one with openssl genpkey -algorithm ed25519"
_NO_PUBLIC_KEY = "is no public key of Ed25519 in PEM form; write it with openssl pkey -pubout"


def private_key(pem: str) -> "Ed25519PrivateKey":
    """Return a private key.

    Raises:
        MalformedValueError: the text has none; the message repeats nothing of it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MalformedValueError(_NO_PRIVATE_KEY) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise MalformedValueError(_NO_PRIVATE_KEY)
    return key


def public_key(pem: str) -> "Ed25519PublicKey":
    """Return a public key.

    Raises:
        MalformedValueError: the text has none.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MalformedValueError(_NO_PUBLIC_KEY) from None
    if not isinstance(key, Ed25519PublicKey):
        raise MalformedValueError(_NO_PUBLIC_KEY)
    return key


def signed(anchor: Anchor, key: "Ed25519PrivateKey") -> Anchor:
    """Return an anchor with its signature."""
    return anchor._replace(signature=base64.b64encode(key.sign(anchor.signed_form)).decode())


def is_signed_by(anchor: Anchor, key: "Ed25519PublicKey") -> bool:
    """Return whether an anchor was signed by the owner of a key."""
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(base64.b64decode(anchor.signature or "", validate=True), anchor.signed_form)
    except (InvalidSignature, binascii.Error):
        return False
    return True
