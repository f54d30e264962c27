"""A vendor, as a table entry; each has a folder of its own."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr

from app.clock import Clock
from app.core.notification import Notification
from app.gate.gate import Gate
from app.integrations.responder import Responder
from app.integrations.section import Section
from app.outbound import Outbound

if TYPE_CHECKING:
    from app.server.routes import Routes


class Message(NamedTuple):
    """The headers and the body of a POST."""

    headers: Mapping[str, str]
    body: bytes


class Notifier(NamedTuple):
    """The way to notify a vendor: its messages, and whether they are signed."""

    needs_secret: bool
    """Whether messages are signed with a secret; if not, a receiver with one is refused."""
    request: Callable[[Notification, SecretStr | None, int], Message]
    """Builds the message for a notification, from the receiver's secret and the time in microseconds."""


class Surroundings(NamedTuple):
    """The parts of a running gate that the background work of a vendor uses."""

    gate: Gate
    clock: Clock
    outbound: Outbound
    own_name: str
    """The name of this replica, unique to it."""


class Vendor(NamedTuple):
    """A system that the gate talks with, and the ways in which it does."""

    name: str
    """Its name in the integrations file and the receivers file, and that of its folder."""
    notifier: Notifier | None = None
    """None: it receives no notifications."""
    section: type[Section] | None = None
    """Its section of the integrations file; None: it has none."""
    router: "Routes | None" = None
    """The routes that it calls; they answer 404 while it has no section in the file."""
    responder: "Callable[[Any, Surroundings], Responder] | None" = None
    """Returns how its waiting deploys are answered, from its section."""
    check_target: "Callable[[Any, Mapping[str, Any]], None] | None" = None
    """Checks the target of a hold by its section, and raises a `MalformedValueError`; None: each is good."""
    work: "Callable[[Any, Surroundings], Sequence[Coroutine[None, None, None]]] | None" = None
    """Returns its background work, from its section."""
