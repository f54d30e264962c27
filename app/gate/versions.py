"""The versions of the data that answers depend on; a recorded decision names them."""

from functools import cache
from importlib.metadata import version


@cache
def tzdata_version() -> str:
    """Return the version of the time zone database's package."""
    return version("tzdata")


@cache
def holidays_version() -> str:
    """Return the version of the holiday calendars' package."""
    return version("holidays")
