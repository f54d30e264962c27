"""The errors of the store; `app.gate` hands them on.

```
FreezegateError                  (app.core.errors)
├── DatabaseUrlError             the setting names no database that can be used
│   └── NoDatabaseError          there is none where it should be
├── StoreUnavailableError        a record was not taken or given in time; it may work again later
└── IdempotencyConflictError     a key came back with another request
```
"""

from app.core.errors import FreezegateError


class DatabaseUrlError(FreezegateError):
    """The database URL does not name a database that can be used."""


class NoDatabaseError(DatabaseUrlError):
    """There is no database of freezegate's where one should be.

    Args:
        name: where it was looked for, without a password.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no freezegate database at {name}")


class StoreUnavailableError(FreezegateError):
    """The store did not take or give a record in time."""


class IdempotencyConflictError(FreezegateError):
    """The idempotency key was used before, for another request."""
