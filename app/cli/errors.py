"""What keeps the client commands from an answer."""

from typing import Final

from app.core.errors import FreezegateError

_PASSING: Final = frozenset({408, 423, 425, 429})
"""Refusals that another attempt may overcome: too slow, locked by a reply that can't be read, too early,
too often (RFC 9110, RFC 4918, RFC 8470, RFC 6585)."""


class UndecidedError(FreezegateError):
    """No usable answer came.

    Args:
        sentence: what is wrong, for people.
        status: the HTTP status, where a reply came.
        denied: whether the reply says no, unusable as it is.
        misnamed: whether the policies do not list a name of the question.
    """

    def __init__(
        self, sentence: str, status: int | None = None, *, denied: bool = False, misnamed: bool = False
    ) -> None:
        self.status = status
        self.denied = denied
        self.misnamed = misnamed
        super().__init__(sentence)

    @property
    def refused(self) -> bool:
        """Whether the request was turned away (3xx, 4xx): something is set up wrong, nothing is broken."""
        return self.status is not None and 300 <= self.status < 500  # noqa: PLR2004 - the 3xx and 4xx

    @property
    def passable(self) -> bool:
        """Whether nobody said no, so that who asked for it may go on unchecked."""
        return not (self.denied or self.refused)

    @property
    def final(self) -> bool:
        """Whether asking again would not help."""
        return self.misnamed or (self.refused and self.status not in _PASSING)
