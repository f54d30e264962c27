"""The known CI systems, and the names of their callers."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from app.identity.caller import person_id
from app.identity.oidc import generic, github, gitlab
from app.identity.oidc.vendor import Vendor

_VENDORS: Final = (github.VENDOR, gitlab.VENDOR)
_ALL: Final = (*_VENDORS, generic.VENDOR)
USER_CLAIMS: Final = tuple(vendor.user for vendor in _ALL)
"""The claims that identify persons."""
PREFIXES: Final = tuple(vendor.prefix for vendor in _ALL)
"""The prefixes of callers' names."""
_LONGEST_NAME: Final = 256
_LONGEST_PERSON: Final = 256


def vendor_of(claims: Mapping[str, Any]) -> Vendor:
    """Return the CI system that a token comes from, by its claims: an issuer may run at any URL."""
    for vendor in _VENDORS:
        if vendor.known_by in claims:
            return vendor
    return generic.VENDOR


def name_of(vendor: Vendor, claims: Mapping[str, Any]) -> str:
    """Return the name of a caller, on one line: ``github:acme/checkout@alice``."""
    told = [claims[claim] for claim in vendor.name if isinstance(claims.get(claim), str)]
    name = f"{vendor.prefix}:{'@'.join(told)}"[:_LONGEST_NAME]
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def person_of(vendor: Vendor, claims: Mapping[str, Any], issuer: str) -> str | None:
    """Return the person behind a token: ``https://issuer.example#actor_id=1234``; None if it names none.

    Uses the issuer's id of the user rather than a name: names can change, and can be similar.
    """
    user = claims.get(vendor.user)
    # bool is a subclass of int
    if type(user) not in (str, int) or user == "":
        return None
    person = person_id(f"{issuer}#{vendor.user}={user}")
    if len(person) <= _LONGEST_PERSON and person.isprintable():
        return person
    return f"sha256:{hashlib.sha256(person.encode(errors='surrogatepass')).hexdigest()}"
