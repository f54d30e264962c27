"""The CI systems that are known, and what their callers are called."""

from collections.abc import Mapping
from typing import Any, Final

from app.identity.oidc import generic, github, gitlab
from app.identity.oidc.vendor import Vendor

_VENDORS: Final = (github.VENDOR, gitlab.VENDOR)
_LONGEST_NAME: Final = 256


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
