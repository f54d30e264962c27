"""Errors of the client commands: no usable answer."""

from typing import Final

from app.core.errors import FreezegateError

_RETRYABLE: Final = frozenset({408, 423, 425, 429})
"""Refusals that a retry may overcome: too slow, locked in a reply that can't be read, too early,
too often (RFC 9110, RFC 4918, RFC 8470, RFC 6585)."""


class UndecidedError(FreezegateError):
    """No usable answer came.

    Args:
        sentence: the cause, for people.
        status: the HTTP status, if a response came.
        denied: whether the response, unusable as it is, denies the deploy.
        misnamed: whether the query has a name that the policies don't list.
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
        """Whether the server rejected the request (3xx, 4xx): a wrong setting, not an outage."""
        return self.status is not None and 300 <= self.status < 500  # noqa: PLR2004 - the 3xx and 4xx

    @property
    def passable(self) -> bool:
        """Whether nothing denied the deploy, so that `--on-error allow` may let it through unchecked."""
        return not (self.denied or self.refused)

    @property
    def final(self) -> bool:
        """Whether a retry can't help."""
        return self.misnamed or (self.refused and self.status not in _RETRYABLE)
