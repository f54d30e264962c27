"""The errors of the use cases.

```
FreezegateError                  (app.core.errors)
├── NotLoadedError               no policy set is in force
├── StoreUnavailableError        the record can't be read or written now
├── IdempotencyConflictError     an idempotency key came back with another request
└── UnknownRecordError           there is no record of that id
```
"""

from app.core.errors import FreezegateError


class NotLoadedError(FreezegateError):
    """No policy set has been loaded, so nothing can be decided."""


class StoreUnavailableError(FreezegateError):
    """The store did not take or give a record in time."""


class IdempotencyConflictError(FreezegateError):
    """The idempotency key was used before, for another request."""


class UnknownRecordError(FreezegateError):
    """There is no policy or decision of that id."""
