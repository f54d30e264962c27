"""Limits of connections and streams, derived from the process's limit of open files.

Every connection is an open file. The database, outgoing calls and policy files need some as well, so some
are reserved: a process that has run out of files can neither answer nor record.
"""

import contextlib
from typing import Final, NamedTuple

try:
    import resource
except ImportError:  # pragma: no cover - Windows has no such limit
    resource = None  # type: ignore[assignment]

_MOST_FILES: Final = 65_536
_KEPT_BACK: Final = 192
"""Files for everything but connections: pools of databases, outgoing calls, policy files, refusals."""
_MOST_CONNECTIONS: Final = 10_000
_MOST_STREAMS: Final = 5_000


class Capacity(NamedTuple):
    """The most connections and streams at a time."""

    connections: int
    connections_of_address: int
    """Half of all: one address can't take everything, and an undeclared proxy still serves many clients."""
    streams: int
    """Half of all connections: the rest is for questions and claims."""
    streams_of_address: int


def capacity_of(files: int) -> Capacity:
    """Return the capacity of a process that may open `files` files."""
    connections = max(16, min(files - _KEPT_BACK, _MOST_CONNECTIONS))
    streams = min(connections // 2, _MOST_STREAMS)
    return Capacity(connections, connections // 2, streams, max(4, streams // 4))


def raise_file_limit() -> int:
    """Raise the soft limit of open files towards the hard one; return the resulting limit."""
    if resource is None:  # pragma: no cover
        return 1_024
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Some systems allow less than they say; then the limit stays as it is.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return _MOST_FILES if soft == resource.RLIM_INFINITY else min(soft, _MOST_FILES)
