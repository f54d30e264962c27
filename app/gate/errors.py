"""The errors of the use cases.

```
FreezegateError                  (app.core.errors)
├── NotLoadedError               no policy set is in force
├── UnknownRecordError           there is no record of that id
├── StoreUnavailableError        (app.store.errors) the record can't be read or written now
└── IdempotencyConflictError     (app.store.errors) a key came back with another request
```
"""

from app.core.errors import FreezegateError
from app.store.errors import IdempotencyConflictError, StoreUnavailableError


class NotLoadedError(FreezegateError):
    """No policy set has been loaded, so nothing can be decided."""


class UnknownRecordError(FreezegateError):
    """There is no policy or decision of that id."""


__all__ = ["IdempotencyConflictError", "NotLoadedError", "StoreUnavailableError", "UnknownRecordError"]
