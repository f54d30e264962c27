"""The errors of the store, which `app.gate.errors` re-exports.

```
FreezegateError                  (app.core.errors)
├── DatabaseUrlError             the setting names no usable database
│   └── NoDatabaseError          there is no database where one should be
├── StoreUnavailableError        a write or read failed or timed out; it may succeed later
└── IdempotencyConflictError     a key was reused for another request
```
"""

from app.core.errors import FreezegateError


class DatabaseUrlError(FreezegateError):
    """The database URL names no usable database."""


class NoDatabaseError(DatabaseUrlError):
    """There is no freezegate database where one should be.

    Args:
        name: of the database, without a password.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no freezegate database at {name}")


class StoreUnavailableError(FreezegateError):
    """The store could not write or read in time."""


class IdempotencyConflictError(FreezegateError):
    """The idempotency key was used before, for another request."""
