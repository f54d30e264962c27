"""Decisions that share passages are stored short, and read as they were recorded."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from app.core.audit import Event
from app.core.passages import HOLE
from app.gate.record import verify
from app.store import passages
from app.store.passages import REACH, START, SharedPassages
from app.store.store import Store
from app.store.transaction import Transaction
from tests.store.records import NOW, PATIENT, POLICIES, event, row

pytestmark = pytest.mark.anyio

REASON = "Nothing good happens after 14:00 on a Friday." * 4


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url, deadline=PATIENT)
    opened.transact(lambda transaction: transaction.keep_policies(POLICIES))
    passages.forget()
    yield opened
    opened.let_go()


def told(number: int, reason: str = REASON) -> str:
    """What the gate writes of `row(number)`, with a reason that all share."""
    data = json.loads(event(1).data)
    data["answer"]["decision_id"] = f"dec_{number:06}"
    return json.dumps({**data, "reason": reason})


async def record(store: Store, *numbers: int, reason: str = REASON) -> None:
    def write(transaction: Transaction) -> None:
        for number in numbers:
            transaction.record(row(number), Event(NOW, "decision", "", told(number, reason)))

    await store.write(write)


def stored(store: Store, column: str = "data", table: str = "events") -> list[Any]:
    query = text(f"SELECT {column} FROM {table} ORDER BY 1")  # noqa: S608 - names of our own
    with store._database.engine.begin() as connection:
        return list(connection.execute(query).scalars())


def change(store: Store, statement: str) -> None:
    with store._database.engine.begin() as connection:
        connection.execute(text(statement))


async def test_what_many_decisions_say_is_stored_once_and_read_as_it_was(store: Store) -> None:
    await record(store, *range(10))
    short = [data for data in stored(store) if data.startswith(START)]
    # The first one could be the only one of its form.
    assert len(short) == 9
    assert sum(REASON in data for data in stored(store)) == 1
    assert sum(REASON in each for each in stored(store, "text", "passages")) == 1
    assert [link.data for link in store.query(lambda view: view.events_after(0, 99))] == [
        told(number) for number in range(10)
    ]
    found = store.query(lambda view: view.decision("dec_000007"))
    assert found is not None
    assert found.data == told(7)
    assert [each.data for each in store.query(lambda view: view.denials(0, 99))][3] == told(3)
    assert verify(store.query).fault is None


async def test_forms_that_come_often_get_moulds_and_the_same_rows(store: Store) -> None:
    reasons = [f"{REASON} {word}" for word in ("one", "two", "three")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passages, "_WORTH_A_MOULD", 2)
        patch.setattr(passages, "_MOST_MOULDS", 2)
        for number in range(18):
            await record(store, number, reason=reasons[number % 3])
    assert sum(data.startswith(START) for data in stored(store)) >= 12
    assert store.query(lambda view: [link.data for link in view.events_after(0, 18)]) == [
        told(number, reasons[number % 3]) for number in range(18)
    ]
    assert len(store._passages._moulds._moulds) == 2
    assert len([each for each in stored(store, "text", "passages") if each.startswith(START)]) == 3
    assert verify(store.query).fault is None


async def test_it_is_read_from_the_database_by_another_process(store: Store) -> None:
    await record(store, 1, 2, 3)
    passages.forget()
    assert [each.data for each in store.query(lambda view: view.denials(0, 99))] == [
        told(1),
        told(2),
        told(3),
    ]


async def test_another_replica_shares_what_is_stored_already(store: Store, url: str) -> None:
    await record(store, 1, 2)
    rows = stored(store, "name", "passages")
    other = Store.open(url, deadline=PATIENT)
    await record(other, 3)
    await other.close()
    assert sum(data.startswith(START) for data in stored(store)) == 2
    assert stored(store, "name", "passages") == rows


async def test_a_form_that_is_seen_once_gets_no_rows_unless_most_of_it_is_stored(store: Store) -> None:
    for number in range(4):
        await record(store, number, reason=f"another {'reason' * 200} {'x' * number}")
    assert stored(store, "name", "passages") == []
    await record(store, 4, 5)
    assert sum(data.startswith(START) for data in stored(store)) == 1
    await record(store, 6, reason=REASON[1:])
    assert sum(data.startswith(START) for data in stored(store)) == 1


async def test_what_was_rolled_back_is_not_known_as_stored(store: Store) -> None:
    def fail(transaction: Transaction) -> None:
        for number in (1, 2):
            transaction.record(row(number), Event(NOW, "decision", "", told(number)))
        transaction.flush()
        raise RuntimeError

    with pytest.raises(Exception, match="could not be recorded"):
        await store.write(fail)
    await record(store, 3)
    passages.forget()
    assert [each.data for each in store.query(lambda view: view.denials(0, 99))] == [told(3)]


@pytest.mark.parametrize("data", ['{"a": "\x1f"}', f"{START}abc"])
async def test_data_that_could_be_misread_is_stored_whole(store: Store, data: str) -> None:
    def write(transaction: Transaction) -> None:
        for number in range(3):
            transaction.record(row(number), Event(NOW, "decision", "", data))

    await store.write(write)
    assert stored(store) == [data] * 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE passages SET text = replace(text, 'Nothing good', 'Nothing bad')",
        "DELETE FROM passages WHERE text LIKE '%Nothing good%'",
        "DELETE FROM passages",
        f"UPDATE passages SET text = text || '{HOLE}0' WHERE text LIKE '{START}%'",  # noqa: S608 - of ours
    ],
    ids=["a passage is changed", "a passage is missing", "all are missing", "a form is changed"],
)
async def test_a_change_of_what_is_shared_is_found_by_verification(store: Store, statement: str) -> None:
    await record(store, 1, 2, 3)
    assert verify(store.query).fault is None
    change(store, statement)
    fault = verify(store.query).fault
    assert fault is not None
    assert fault.seq == 2


async def test_a_passage_under_a_taken_name_is_not_shared(store: Store, url: str) -> None:
    await record(store, 1, 2)
    change(store, "UPDATE passages SET text = 'something else' WHERE text LIKE '%Nothing good%'")
    another = Store.open(url, deadline=PATIENT)
    await record(another, 3, 4)
    await another.close()
    assert [data for data in stored(store) if data in (told(3), told(4))] == [told(3), told(4)]


async def test_texts_whose_names_are_equal_are_never_taken_for_each_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of 256 names, these texts have many twice.
    monkeypatch.setattr("app.core.passages._NAME_BYTES", 1)
    monkeypatch.setattr(passages, "_forms", {})
    written = [(number, f"{REASON} {chr(65 + number % 80) * 9}!") for number in range(240)]

    def write(transaction: Transaction) -> None:
        for number, reason in written:
            transaction.record(row(number), Event(NOW, "decision", "", told(number, reason)))

    await store.write(write)
    for number, reason in [(500, written[0][1]), (501, written[41][1]), (502, written[79][1])]:
        await record(store, number, reason=reason)
        written.append((number, reason))
    assert any(data.startswith(START) for data in stored(store))
    passages.forget()
    found = store.query(lambda view: view.events_after(0, 999))
    assert [link.data for link in found] == [told(*each) for each in written]


async def test_only_what_no_later_event_needs_is_dropped(store: Store) -> None:
    await record(store, 1, 2)
    used = stored(store, "used", "passages")
    assert set(used) == {2}
    with store._database.writing() as connection:
        assert passages.drop_unused(connection, REACH + 2) == 0
        assert passages.drop_unused(connection, REACH + 3) == len(used)


async def test_the_use_is_noted_again_in_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.passages.REACH", 5)
    for number in range(9):
        await record(store, number)
    assert set(stored(store, "used", "passages")) == {7}


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.passages._MOST_REMEMBERED", 2)
    shared = SharedPassages()

    def form(name: str) -> passages._Form:
        return passages._Form(name, {name: name})

    for name in "abcd":
        shared.note({name: (form(name), 7)})
        shared.was_seen(name)
    assert [shared.knows(form(name), 8) for name in "abcd"] == [False, False, False, True]
    assert [shared.was_seen(name) for name in "dc"] == [True, True]
