"""``python -m tests.patient``: `freezegate` with time for its database; no test fails for a slow disk."""

from app.cli import main
from app.store.store import Store
from tests.store.records import PATIENT

if __name__ == "__main__":
    Store.open.__func__.__kwdefaults__["deadline"] = PATIENT  # type: ignore[attr-defined]
    main()
