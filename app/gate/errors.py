"""The errors of the use cases.

```
FreezegateError                  (app.core.errors)
├── NotLoadedError               no policy set is in force
├── UnknownRecordError           there is no record of that id
├── InvalidFieldError            a field of a request says what can't be
├── UnauthenticatedError         who asks is not who may ask anything
├── ForbiddenError               who asks may not do this
├── StateConflictError           it can't be done to a thing in that state
├── BusyError                    too much is being worked on
├── DatabaseUrlError             (app.store.errors) the setting names no database that can be used
│   └── NoDatabaseError          (app.store.errors) there is no database where one should be
├── StoreUnavailableError        (app.store.errors) the record can't be read or written now
└── IdempotencyConflictError     (app.store.errors) a key came back with another request
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
    """A field of a request says what can't be; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class UnauthenticatedError(FreezegateError):
    """The credentials are missing, or no good (any more)."""


class ForbiddenError(FreezegateError):
    """Whoever asks is known, and may not do this."""


class StateConflictError(FreezegateError):
    """It can't be done to a thing in the state that it is in."""


class BusyError(FreezegateError):
    """Too much is being worked on; it may be done later."""


__all__ = [
    "BusyError",
    "DatabaseUrlError",
    "ForbiddenError",
    "IdempotencyConflictError",
    "InvalidFieldError",
    "NoDatabaseError",
    "NotLoadedError",
    "StateConflictError",
    "StoreUnavailableError",
    "UnauthenticatedError",
    "UnknownRecordError",
]
