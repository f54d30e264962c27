"""The decisions that a backtest reads, on both databases."""

import pytest

from app.store.records import DecidedFilter, OutcomeRow
from app.store.store import Store
from app.store.transaction import Transaction
from tests.store.records import NOW, PATIENT, POLICIES, event, row

PERIOD = DecidedFilter(NOW, NOW + 100)


def fill(transaction: Transaction) -> None:
    transaction.keep_policies(POLICIES)
    for number, (at, changes) in enumerate(
        (
            (NOW + 9, {"outcome": "allow", "blocking": None}),
            (NOW, {}),
            (NOW + 9, {"continues": "dec_000000", "environment": "staging", "duration": 0}),
            (NOW + 100, {}),
            (NOW - 1, {}),
        )
    ):
        made = row(number)._replace(at=at, **changes)  # type: ignore[arg-type]
        transaction.record(made, event(number))


def report(transaction: Transaction) -> None:
    for result in ("succeeded", "failed"):
        outcome = OutcomeRow("dec_000000", result, None, "ci", NOW + 60)
        transaction.report(outcome, event(9))


@pytest.fixture
def filled(url: str) -> Store:
    store = Store.open(url, deadline=PATIENT)
    store.transact(fill)
    store.transact(report)
    return store


def test_they_come_in_the_order_of_their_instants_with_the_latest_result_and_the_first_step(
    filled: Store,
) -> None:
    found = filled.query(lambda view: view.recorded(PERIOD, (NOW, 0), 9))
    assert [(each.id, each.at - NOW, each.result) for each in found] == [
        ("dec_000001", 0, None),
        ("dec_000000", 9, "failed"),
        ("dec_000002", 9, None),
    ]
    assert [(each.first_at, each.first_duration) for each in found] == [(None, None)] * 2 + [(NOW + 9, 600)]
    assert [each.blocking for each in found] == ["friday,frz_1", None, "friday,frz_1"]
    last = found[1]
    assert filled.query(lambda view: view.recorded(PERIOD, (last.at, last.seq), 9)) == found[2:]
    assert filled.query(lambda view: view.recorded(PERIOD, (NOW, 0), 2)) == found[:2]
    assert filled.query(lambda view: view.count_recorded(PERIOD)) == 3
    some = PERIOD._replace(environment="staging", service="api", change="normal")
    assert filled.query(lambda view: view.recorded(some, (NOW, 0), 9)) == found[2:]
    assert filled.query(lambda view: view.count_recorded(some)) == 1
    filled.let_go()
