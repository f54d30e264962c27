"""What goes out to a receiver, whatever its kind."""

from collections.abc import Mapping
from typing import NamedTuple


class Outgoing(NamedTuple):
    """One POST."""

    headers: Mapping[str, str]
    body: bytes
