"""Any other issuer: its claims are unknown, so its rules must name all that matter."""

from typing import Final

from app.identity.oidc.vendor import Vendor

VENDOR: Final = Vendor(prefix="oidc", known_by=None, name=("sub",), user="sub", refused={})
