"""Numbers of requests and cells are looked up as they are needed, and remembered within a bound."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import ClauseElement, text

from app.core.rollup import Cell
from app.store.connection import Connection, Row
from app.store.rollups import MOST_REMEMBERED, Numbers
from app.store.store import Store
from app.store.transaction import Transaction
from tests.store.records import PATIENT, POLICIES, event, recording, row

NAMES: Final = 20_000
TOGETHER: Final = 1_000


class Watched(Connection):
    """Counts the statements that read, and the rows that they return."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.raw, connection._dialect)
        self.statements = self.read = 0

    def rows(self, statement: ClauseElement, **values: object) -> list[Row]:
        found = super().rows(statement, **values)
        self.statements += 1
        self.read += len(found)
        return found

    def row(self, statement: ClauseElement, **values: object) -> Row | None:
        self.statements += 1
        return super().row(statement, **values)


def cells(names: Sequence[str]) -> list[Cell]:
    return [Cell((name, "production", "normal"), "allow", "") for name in names]


def named(number: int, service: str) -> Callable[[Transaction], None]:
    """Work that records a decision about a service."""

    def work(transaction: Transaction) -> None:
        transaction.record(row(number)._replace(service=service), event(number, "{}"))

    return work


def stored(store: Store) -> list[Row]:
    """The services and the decisions that are counted of each."""
    query = text(
        "SELECT service, sum(decisions) FROM rollup_requests "
        "JOIN rollup_cells ON rollup_cells.request = rollup_requests.id "
        "JOIN rollups ON rollups.cell = rollup_cells.id GROUP BY rollup_requests.id ORDER BY service"
    )
    return [tuple(each) for each in store.query(lambda view: view._connection.rows(query))]


def test_made_up_names_fill_no_memory_and_nothing_is_read_whole(file: Path) -> None:
    url = f"sqlite:///{file}"
    store, numbers = Store.open(url, deadline=PATIENT), Numbers()
    for first in range(0, NAMES, TOGETHER):
        with store._database.writing() as connection:
            new = cells([f"made-up-{number:05}" for number in range(first, first + TOGETHER)])
            assert min(numbers.of_cells(connection, new).values()) == first + 1
    assert len(numbers._cells) == MOST_REMEMBERED
    assert len(numbers._requests) == MOST_REMEMBERED
    store.let_go()

    store, numbers = Store.open(url, deadline=PATIENT), Numbers()
    wanted = cells(["made-up-00007", "made-up-19999"])
    with store._database.writing() as connection:
        watched = Watched(connection)
        assert list(map(numbers.of_cells(watched, wanted).get, wanted)) == [8, NAMES]
        assert (watched.statements, watched.read) == (1, 2)
        numbers.of_cells(watched, wanted)
        numbers.of_requests(watched, [cell.request for cell in wanted])
        assert watched.statements == 1
        assert numbers.of_cells(watched, cells(["new"])) == {cells(["new"])[0]: NAMES + 1}
        assert watched.read == 2
    store.let_go()


def test_what_was_used_last_is_remembered(url: str) -> None:
    store, numbers = Store.open(url, deadline=PATIENT), Numbers(2)
    with store._database.writing() as connection:
        for name in ("a", "b", "a", "c"):
            numbers.of_cells(connection, cells([name]))
        watched = Watched(connection)
        assert numbers.of_cells(watched, cells(["a", "c"])) == dict(
            zip(cells(["a", "c"]), (1, 3), strict=True)
        )
        assert watched.statements == 0
        # More at once than are remembered.
        many = cells(["a", "b", "c", "d"])
        assert list(map(numbers.of_cells(watched, many).get, many)) == [1, 2, 3, 4]
        assert len(numbers._cells) == len(numbers._requests) == 2
    store.let_go()


def test_transactions_remember_for_those_after_them(url: str) -> None:
    store, numbers = Store.open(url, deadline=PATIENT), Numbers()
    with store._database.writing() as connection:
        transaction = Transaction(connection, numbers)
        transaction.keep_policies(POLICIES)
        named(1, "checkout")(transaction)
        transaction.flush()
        watched = Watched(connection)
        request = ("checkout", "production", "normal")
        assert numbers.of_requests(watched, [request]) == {request: 1}
        assert watched.statements == 0
    store.let_go()


@pytest.mark.anyio
async def test_two_replicas_give_a_new_name_one_number(store: Store, url: str) -> None:
    other = Store.open(url, deadline=PATIENT)
    works = [(each, named(number, f"new-{number // 4}")) for number, each in enumerate([store, other] * 8)]
    await asyncio.gather(*(each.write(work) for each, work in works))
    assert stored(store) == [("new-0", 4), ("new-1", 4), ("new-2", 4), ("new-3", 4)]
    await other.close()


@pytest.mark.anyio
async def test_numbers_that_a_failed_transaction_gave_away_are_forgotten(store: Store) -> None:
    await store.write(recording(1))

    def failing(transaction: Transaction) -> None:
        named(2, "lost")(transaction)
        named(1, "lost, too")(transaction)

    found = await asyncio.gather(store.write(failing), store.write(named(3, "kept")), return_exceptions=True)
    assert isinstance(found[0], Exception)
    await store.write(named(4, "last"))
    assert stored(store) == [("api", 1), ("kept", 1), ("last", 1)]
