"""The errors of the use cases.

```
FreezegateError                  (app.core.errors)
├── NotLoadedError               no policy set is in force
├── UnknownRecordError           there is no record of that id
├── InvalidFieldError            a field of a request has an invalid value
├── UnauthenticatedError         missing or invalid credentials
├── ForbiddenError               the caller may not do this
├── StateConflictError           the record's state doesn't permit it
├── BusyError                    too many requests of this kind are unfinished
├── NoSecretKeyError             a secret can't be kept without a key that encrypts it
├── DatabaseUrlError             (app.store.errors) the setting names no usable database
│   └── NoDatabaseError          (app.store.errors) the database of the setting doesn't exist
├── StoreUnavailableError        (app.store.errors) the record can't be read or written now
└── IdempotencyConflictError     (app.store.errors) an idempotency key was reused for another request
```
"""

from app.core.errors import FreezegateError
from app.store.errors import (
    DatabaseUrlError,
    IdempotencyConflictError,
    NoDatabaseError,
    StoreUnavailableError,
)


class NotLoadedError(FreezegateError):
    """No policy set has been loaded, so nothing can be decided."""


class UnknownRecordError(FreezegateError):
    """There is no policy, decision, override, freeze or key of that id."""


class InvalidFieldError(FreezegateError):
    """A field of a request has an invalid value; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class UnauthenticatedError(FreezegateError):
    """The credentials are missing, invalid, expired or revoked."""


class ForbiddenError(FreezegateError):
    """The caller is authenticated, and may not do this."""


class StateConflictError(FreezegateError):
    """The state of the record doesn't permit this action."""


class BusyError(FreezegateError):
    """Too many requests of this kind are unfinished; retry later."""


class NoSecretKeyError(FreezegateError):
    """A secret must be kept, and there is no key to encrypt it with."""

    def __init__(self) -> None:
        super().__init__(
            "this deploy can't wait: its answer needs a secret, and the gate has no key to keep it with; set "
            "FREEZEGATE_SECRET_KEY, the same for all replicas"
        )


__all__ = [
    "BusyError",
    "DatabaseUrlError",
    "ForbiddenError",
    "IdempotencyConflictError",
    "InvalidFieldError",
    "NoDatabaseError",
    "NoSecretKeyError",
    "NotLoadedError",
    "StateConflictError",
    "StoreUnavailableError",
    "UnauthenticatedError",
    "UnknownRecordError",
]
