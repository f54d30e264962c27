"""The way of pruning to the store."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from app.store.transaction import Transaction
    from app.store.view import View

Found = TypeVar("Found")


class Access(Protocol):
    """The way to the store, and the pace beside others who use it."""

    def query(self, query: "Callable[[View], Found]") -> Found:
        """Run a query; see `app.store.store.Store.query`."""
        ...

    def transact(self, work: "Callable[[Transaction], Found]") -> Found:
        """Do work in a transaction; see `app.store.store.Store.transact`."""
        ...

    def transact_again(self, work: "Callable[[Transaction], Found]") -> Found:
        """Do work that is done again if it is lost, without waiting for the disk where that is possible."""
        ...

    def pause(self, microseconds: int) -> None:
        """Let others have their turn.

        Raises:
            PruneError: the process is stopping.
        """
        ...
