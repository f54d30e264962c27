"""The responder: sends a vendor the answers to its holds; see `app.core.hold`."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

from app.core.hold import HoldAnswer
from app.gate.outbox import DeliveryResult

if TYPE_CHECKING:
    import httpx


class Reporting(NamedTuple):
    """The progress reports that a vendor takes."""

    most: int
    """The most answers of any kind that it takes for one deploy; the final one has a place kept."""
    every: int | None = None
    """Seconds after which it must hear of a deploy again, or takes it for lost; None: it need not."""


class Responder(Protocol):
    """The answers to one vendor."""

    @property
    def reporting(self) -> Reporting:
        """The progress reports that the vendor takes."""
        ...

    async def send(
        self, client: "httpx.AsyncClient", answer: HoldAnswer, secret: str | None
    ) -> DeliveryResult:
        """Send an answer; `secret` is the decrypted one of the hold.

        Returns:
            ``taken``; ``later`` to be tried again; ``refused`` if the vendor will never take it. An error of
            the client may be raised, and counts as ``later``.
        """
        ...
