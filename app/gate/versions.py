"""The versions of the data that answers depend on, and the host: the record names them."""

import socket
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


def host_name() -> str:
    """Return the name of this host: in a container or pod, that of the replica."""
    return socket.gethostname()
