"""The decisions of one policy, and those that a rule that only warns would have stopped."""

import pytest

from app.store.records import DecisionFilter, DecisionRow
from app.store.store import Store
from app.store.transaction import Transaction
from tests.store.records import PATIENT, POLICIES, event, override, row

BARE = row(0)._replace(blocking=None, warnings=None)
WARNED = BARE._replace(outcome="warn", warnings="nights,month-end")
OVERRIDDEN = BARE._replace(outcome="override", blocking="friday", warnings="month-end")
ROWS = {
    "vetoed": BARE._replace(blocking="friday,month-end"),
    "overridden": OVERRIDDEN._replace(blocking="month-end", warnings=None),
    "warned": WARNED,
    "warned while denied": BARE._replace(blocking="friday", warnings="month-end"),
    "warned, any token": OVERRIDDEN._replace(override_id="ovr_000001"),
    "warned, its token": OVERRIDDEN._replace(override_id="ovr_000002"),
    "warned, other token": OVERRIDDEN._replace(override_id="ovr_000003"),
    "warned in a later step": WARNED._replace(continues="dec_000001"),
    "other rules": BARE._replace(blocking="month-end-2,a-month-end", warnings="month"),
    "a freeze": BARE._replace(blocking="frz_1"),
    "nothing": BARE._replace(outcome="allow"),
}
TOKENS = {1: None, 2: ("friday", "month-end"), 3: ("friday", "month-end-2")}


def fill(transaction: Transaction) -> None:
    transaction.keep_policies(POLICIES)
    for number, names in TOKENS.items():
        transaction.add_override(override(number)._replace(policies=names), f"digest {number}")
    for number, each in enumerate(ROWS.values()):
        made: DecisionRow = each._replace(id=f"dec_{number:06}")
        transaction.record(made, event(number))


@pytest.fixture
def filled(url: str) -> Store:
    store = Store.open(url, deadline=PATIENT)
    store.transact(fill)
    return store


def found(store: Store, wanted: DecisionFilter, least: int = 0) -> list[str]:
    page = store.query(lambda view: view.newest_decisions(wanted, None, 100, least))
    return [list(ROWS)[each.seq - 1] for each in reversed(page)]


def test_a_policy_finds_what_it_vetoed_and_what_it_warned_about(filled: Store) -> None:
    touched = [name for name in ROWS if name.startswith(("vetoed", "overridden", "warned"))]
    assert found(filled, DecisionFilter(policy="month-end")) == touched
    assert found(filled, DecisionFilter(policy="month-end", outcome="deny")) == [touched[0], touched[3]]
    assert found(filled, DecisionFilter(policy="month-end"), least=3) == touched[2:]
    assert found(filled, DecisionFilter(policy="frz_1")) == ["a freeze"]
    for other in ("onth-end", "%", "month_end"):
        assert found(filled, DecisionFilter(policy=other)) == []
    filled.let_go()


def test_it_would_deny_deploys_that_went_out_with_its_warning_and_no_token_for_it(filled: Store) -> None:
    wanted = DecisionFilter(policy="month-end", would_deny=True)
    assert found(filled, wanted) == ["warned", "warned, other token"]
    assert found(filled, wanted._replace(policy="friday")) == []
    by_any_token = ["warned", "warned, any token", "warned, its token", "warned, other token"]
    assert found(filled, wanted._replace(never_lifted=True)) == by_any_token
    filled.let_go()
