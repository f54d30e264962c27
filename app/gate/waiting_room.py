"""The room for deploys that wait: no caller takes that of all others, and vendors have places kept."""

from typing import TYPE_CHECKING, Final

from app.core.hold import Hold
from app.gate.errors import BusyError

if TYPE_CHECKING:
    from app.store.transaction import Transaction

MOST_ANONYMOUS: Final = 200
"""Holds of all anonymous callers: anyone who reaches the port is one."""

MOST_OF_CALLER: Final = 5_000
"""Holds of one API key or name, which may well be that of a whole company's pipelines."""

KEPT_FOR_VENDORS: Final = 2_000
"""Places that callers of the API can't take: the operator chose which systems may send webhooks."""


def check_room(hold: Hold, most: int, transaction: "Transaction") -> None:
    """Check that one more deploy may wait.

    Args:
        hold: the deploy that is to wait.
        most: the number of those that may wait in all.
        transaction: within which it is added.

    Raises:
        BusyError: too many wait; it says of whom.
    """
    room = transaction.count_unfinished(hold.requested_by, hold.key_id)
    if hold.is_of_vendor:
        _check(room.all, most, "")
        return
    _check(room.all, most - KEPT_FOR_VENDORS, "")
    if hold.requested_by:
        _check(room.of_caller, MOST_OF_CALLER, f" for {hold.requested_by}")
    else:
        _check(room.of_caller, MOST_ANONYMOUS, " for callers without a key; send one")


def _check(unfinished: int, most: int, whose: str) -> None:
    if unfinished >= most:
        raise BusyError(f"{most:,} deploys wait already{whose}")
