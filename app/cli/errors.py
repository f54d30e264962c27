"""What keeps the client commands from an answer."""

from typing import Final

from app.core.errors import FreezegateError

_PASSING: Final = frozenset({408, 423, 425, 429})
"""Refusals that another attempt may overcome: too slow, locked by a reply that can't be read, too early,
too often (RFC 9110, RFC 4918, RFC 8470, RFC 6585)."""


class UndecidedError(FreezegateError):
    """No usable answer came; `status` is the HTTP status where that is what was wrong."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(sentence)

    @property
    def refused(self) -> bool:
        """Whether the request was turned away (3xx, 4xx): something is set up wrong, nothing is broken."""
        return self.status is not None and 300 <= self.status < 500  # noqa: PLR2004 - the 3xx and 4xx

    @property
    def final(self) -> bool:
        """Whether asking again would not help."""
        return self.refused and self.status not in _PASSING
