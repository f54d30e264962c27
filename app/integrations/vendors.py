"""The table of vendors, read from the folders beside this file."""

import importlib
import pkgutil
from collections.abc import Mapping

from app import integrations
from app.integrations.vendor import Vendor


def vendors() -> Mapping[str, Vendor]:
    """Return the vendors by their kind, in alphabetical order.

    Raises:
        TypeError: the `vendor.py` of a folder has no table entry.
    """
    names = sorted(each.name for each in pkgutil.iter_modules(integrations.__path__) if each.ispkg)
    return {vendor.kind: vendor for vendor in (_vendor(f"{integrations.__name__}.{name}") for name in names)}


def _vendor(folder: str) -> Vendor:
    vendor = getattr(importlib.import_module(f"{folder}.vendor"), "VENDOR", None)
    if not isinstance(vendor, Vendor):
        raise TypeError(f"{folder}.vendor has no VENDOR")
    return vendor
