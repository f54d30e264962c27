"""A database of version 0.1, brought up to date: it is whole, and what was decided is decided again."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.gate.record import verify
from app.gate.replay import replay
from app.store.store import Store
from app.yaml.problem import PolicyFileError
from tests.store.older import TABLES, write_older_database

IDS: list[str] = [row[1] for row in TABLES["decisions"]]


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    write_older_database(url)
    store = Store.open(url)
    yield store
    store.let_go()


def test_it_is_whole_and_the_values_that_it_lacks_are_named(store: Store) -> None:
    found = verify(store.query)
    assert found.whole, found
    assert found.events == len(TABLES["events"])
    assert found.unproven == {
        "hashes of keys": len(TABLES["keys"]),
        "hashes of tokens": len(TABLES["overrides"]),
        "hashes of sessions": len(TABLES["sessions"]),
        "idempotency keys of decisions": 1,
    }


def test_time_goes_on_from_its_latest_event(store: Store) -> None:
    assert store.query(lambda view: view.head().latest_at) == max(event[1] for event in TABLES["events"])


def test_what_it_could_not_know_belongs_to_nobody(store: Store) -> None:
    assert {key.person for key in store.query(lambda view: view.keys())} == {None}
    overrides = store.query(lambda view: view.newest_overrides(None, None, 9))
    assert {(override.granter, override.starts_at, override.ref) for override in overrides} == {(None,) * 3}
    assert [each.person for override in overrides for each in override.approvals] == ["bob"]
    freezes = store.query(lambda view: view.newest_freezes(None, 9))
    assert {
        (freeze.exempt, freeze.lift_reason, freeze.rescoped_at, freeze.running) for freeze in freezes
    } == {((), None, None, "stop")}
    assert sum(freeze.changed_at is not None for freeze in freezes) == 2


def test_its_sessions_are_those_of_keys(store: Store) -> None:
    sessions = [session for _, session in store.query(lambda view: view.session_rows())]
    assert sorted(row[0] for row in TABLES["sessions"]) == [session.id for session in sessions]
    assert all(session.key_id is not None for session in sessions)
    assert {session[6:] for session in sessions} == {(None,) * 6}


def test_a_row_that_was_changed_is_named(store: Store) -> None:
    statement = "UPDATE decisions SET outcome = 'allow' WHERE id = :id"
    with store._database.engine.begin() as connection:
        connection.execute(text(statement), {"id": IDS[0]})
    first, *others = verify(store.query).differences
    assert (first.table, first.id) == ("decisions", IDS[0])
    # What is counted from the rows differs as well.
    assert {each.table for each in others} == {"rollups"}


@pytest.mark.parametrize("number", range(len(IDS) - 1))
def test_its_decisions_are_evaluated_to_the_same_answers(store: Store, number: int) -> None:
    assert store.query(lambda view: replay(view, IDS[number])).same


def test_policies_that_are_refused_by_now_are_told(store: Store) -> None:
    with pytest.raises(PolicyFileError, match="an empty selector would mean every request"):
        store.query(lambda view: replay(view, IDS[-1]))
