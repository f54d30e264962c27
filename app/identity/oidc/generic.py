"""Any other issuer: nothing is known of its jobs, so its rules must say all that matters."""

from typing import Final

from app.identity.oidc.vendor import Vendor

VENDOR: Final = Vendor(prefix="oidc", known_by=None, name=("sub",), user="sub", refused={})
