"""The CI systems that are known, and what their callers are called."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from app.identity.caller import person_id
from app.identity.oidc import generic, github, gitlab
from app.identity.oidc.vendor import Vendor

_VENDORS: Final = (github.VENDOR, gitlab.VENDOR)
_ALL: Final = (*_VENDORS, generic.VENDOR)
USER_CLAIMS: Final = tuple(vendor.user for vendor in _ALL)
"""The claims that persons are told by."""
PREFIXES: Final = tuple(vendor.prefix for vendor in _ALL)
"""How the names of callers begin."""
_LONGEST_NAME: Final = 256
_LONGEST_PERSON: Final = 256


def vendor_of(claims: Mapping[str, Any]) -> Vendor:
    """The CI system that a token comes from; by its claims, as issuers may be installed anywhere."""
    for vendor in _VENDORS:
        if vendor.known_by in claims:
            return vendor
    return generic.VENDOR


def name_of(vendor: Vendor, claims: Mapping[str, Any]) -> str:
    """What a caller is called: ``github:acme/checkout@alice``. It fits on one line of a record."""
    told = [claims[claim] for claim in vendor.name if isinstance(claims.get(claim), str)]
    name = f"{vendor.prefix}:{'@'.join(told)}"[:_LONGEST_NAME]
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def person_of(vendor: Vendor, claims: Mapping[str, Any], issuer: str) -> str | None:
    """Return the person behind a token: ``https://issuer.example#actor_id=1234``; None if it doesn't tell.

    The issuer's own number for a user, and not a name: names can be changed, and be alike.
    """
    user = claims.get(vendor.user)
    # A bool is an int to Python.
    if type(user) not in (str, int) or user == "":
        return None
    person = person_id(f"{issuer}#{vendor.user}={user}")
    if len(person) <= _LONGEST_PERSON and person.isprintable():
        return person
    return f"sha256:{hashlib.sha256(person.encode(errors='surrogatepass')).hexdigest()}"
