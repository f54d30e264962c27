"""The only home of SQL: what must survive a crash."""

from app.store.records import DecisionRecord, Recorded
from app.store.store import Store

__all__ = ["DecisionRecord", "Recorded", "Store"]
