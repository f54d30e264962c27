"""The table of vendors, read from the folders beside this file."""

import importlib
import pkgutil
from collections.abc import Mapping

from app import integrations
from app.integrations.vendor import Notifier, Vendor


def vendors() -> Mapping[str, Vendor]:
    """Return the vendors by their names, in alphabetical order.

    Raises:
        TypeError: the `vendor.py` of a folder has no table entry, or one of another name.
    """
    folders = sorted(each.name for each in pkgutil.iter_modules(integrations.__path__) if each.ispkg)
    return {vendor.name: vendor for vendor in map(_vendor, folders)}


def notifiers() -> Mapping[str, Notifier]:
    """Return how vendors are notified, by their names; those that take no notifications are left out."""
    return {name: each.notifier for name, each in vendors().items() if each.notifier is not None}


def _vendor(folder: str) -> Vendor:
    module = f"{integrations.__name__}.{folder}.vendor"
    vendor = getattr(importlib.import_module(module), "VENDOR", None)
    if not isinstance(vendor, Vendor) or vendor.name.replace("-", "_") != folder:
        raise TypeError(f"{module} has no VENDOR of that name")
    return vendor
