"""The responder: sends a vendor the answers to its holds; see `app.core.hold`."""

from typing import TYPE_CHECKING, Protocol

from app.core.hold import HoldAnswer, Reporting
from app.gate.outbox import DeliveryResult

if TYPE_CHECKING:
    import httpx


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


__all__ = ["Reporting", "Responder"]
