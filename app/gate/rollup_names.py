"""The names that rollups are counted under: those that no kept row has any more are deleted.

A name goes when the last day that counts it is pruned. The record goes on meanwhile: a name that is used
again stays, as each deletion looks again, in its own transaction.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from app.core.instant import DAY
from app.gate.pace import Steps

if TYPE_CHECKING:
    from app.gate.store_access import Access
    from app.store.transaction import Transaction
    from app.store.view import View

_TOGETHER: Final = 2_000
"""Names that are read at a time."""

_ALL_DAYS: Final = 2**31 - 1


class _Numbers:
    """A set of small numbers: a bit for each, so that of a million it takes an eighth of a megabyte."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            place = number >> 3
            if place >= len(self._bits):
                self._bits.extend(bytes(place + 1 - len(self._bits)))
            self._bits[place] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] >> (number & 7) & 1)


class UnusedNames:
    """Deletes the cells and requests of rollups that nothing names any more, a few at a time."""

    def __init__(self, access: "Access", reading: Steps, deleting: Steps, renew: Callable[[], None]) -> None:
        """Delete through `access` at two paces; `renew` is called between steps."""
        self._access = access
        self._reading = reading
        self._deleting = deleting
        self._renew = renew

    def drop(self) -> int:
        """Delete them; return how many.

        The latest cell and the latest request stay: numbers count on from them, so that none is given twice.
        """
        since, days, (cell, request) = self._access.query(_standing)
        used, waiting = _Numbers(), _Numbers()
        for day in days:
            used.add(self._read(partial(_used_cells, day=day)))
            waiting.add(self._read(partial(_waiting, day=day)))
        deleted = 0
        for page in self._pages(_cells):
            unused = [number for number in page if number < cell and number not in used]
            deleted += self._delete(unused, partial(_drop_cells, since=since))
        for page in self._pages(_requests):
            unused = [number for number in page if number < request and number not in waiting]
            deleted += self._delete(unused, _drop_requests)
        return deleted

    def _pages(self, read: "Callable[[View, int], list[int]]") -> Iterator[list[int]]:
        after = 0
        while page := self._read(partial(_after, read=read, after=after)):
            yield page
            after = page[-1]

    def _read(self, query: "Callable[[View], list[int]]") -> list[int]:
        found = self._reading.do(partial(self._access.query, query))
        self._renew()
        return found

    def _delete(self, numbers: list[int], drop: "Callable[[Transaction, Sequence[int]], int]") -> int:
        deleted = 0
        while numbers:
            rows = self._deleting.rows
            work = self._deleting.timed(partial(_with, drop=drop, numbers=numbers[:rows]))
            deleted += self._deleting.do(partial(self._access.transact, work))
            numbers = numbers[rows:]
            self._renew()
        return deleted


def _standing(view: "View") -> tuple[int, list[int], tuple[int, int]]:
    """Return the end of the record, the days that count something, and the latest numbers."""
    return view.head().seq, sorted(view.rollup_days(0, _ALL_DAYS)), view.latest_numbers()


def _used_cells(view: "View", day: int) -> list[int]:
    return view.used_cells(day)


def _waiting(view: "View", day: int) -> list[int]:
    return view.requests_of_waits(day * DAY, (day + 1) * DAY)


def _cells(view: "View", after: int) -> list[int]:
    return view.cell_numbers(after, _TOGETHER)


def _requests(view: "View", after: int) -> list[int]:
    return view.requests_without_cells(after, _TOGETHER)


def _after(view: "View", read: "Callable[[View, int], list[int]]", after: int) -> list[int]:
    return read(view, after)


def _with(
    transaction: "Transaction", drop: "Callable[[Transaction, Sequence[int]], int]", numbers: Sequence[int]
) -> int:
    return drop(transaction, numbers)


def _drop_cells(transaction: "Transaction", numbers: Sequence[int], since: int) -> int:
    return transaction.drop_cells(numbers, since)


def _drop_requests(transaction: "Transaction", numbers: Sequence[int]) -> int:
    return transaction.drop_requests(numbers)
