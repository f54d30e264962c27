"""The errors of the store; `app.gate` hands them on."""

from app.core.errors import FreezegateError


class StoreUnavailableError(FreezegateError):
    """The store did not take or give a record in time."""


class IdempotencyConflictError(FreezegateError):
    """The idempotency key was used before, for another request."""
