"""The gate of the API's tests serves the pages' as well."""

from tests.api.conftest import clock, folder, gate, keys, log

__all__ = ["clock", "folder", "gate", "keys", "log"]
