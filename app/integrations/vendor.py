"""A vendor of notifications, as a table entry; each has a folder of its own."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import SecretStr

from app.core.notification import Notification


class Message(NamedTuple):
    """The headers and the body of a POST."""

    headers: Mapping[str, str]
    body: bytes


class Vendor(NamedTuple):
    """A kind of receiver."""

    kind: str
    """The `kind` in the receivers file, and the name of the folder."""
    needs_secret: bool
    """Whether messages are signed with a secret; if not, a receiver with one is refused."""
    request: Callable[[Notification, SecretStr | None, int], Message]
    """Builds the message for a notification, from the receiver's secret and the time in microseconds."""
