"""The Nth thing said to the database fails, for every N: nothing is half done, and nothing is allowed."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.core.decision import Question
from app.core.instant import HOUR
from app.core.policy import Selector
from app.gate.claim import Claim
from app.gate.errors import StoreUnavailableError
from app.gate.freezes import StartRequest
from app.gate.overrides import GrantRequest
from app.identity.credentials import digest
from tests.gate.conftest import AFTER, OPS, OTHER, Gate
from tests.store.records import assert_whole, count
from tests.store.test_faults import FailingAt

pytestmark = pytest.mark.anyio

GRANT = GrantRequest(("api",), ("production",), None, "The fix.", AFTER + HOUR)
FREEZE = StartRequest("Incident", "It burns.", Selector.model_validate({}), None, AFTER + HOUR)


async def sweep(
    gate: Gate, failing: FailingAt, request: Callable[[], Awaitable[Any]], trace: Callable[[], Any]
) -> tuple[Any, int]:
    """Try a request with every fault there can be, until none is left; a refused one leaves no trace."""
    for number in range(1, 200):
        before = trace()
        failing.left = number
        try:
            result = await request()
        except StoreUnavailableError:
            failing.left = -1
            assert trace() == before
            assert_whole(gate.store)
            continue
        failing.left = -1
        return result, number - 1
    pytest.fail("it never came through")


async def test_a_token_is_spent_with_its_decision_or_not_at_all(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = await gate.overrides.grant(OPS, GRANT, gate.in_force)
    claim = Claim(Question("api"), token=digest(token))

    def trace() -> Any:
        override = gate.store.query(lambda view: view.override_of_token(digest(token)))
        assert override is not None
        return override.uses, count(gate.store), gate.store.query(lambda view: view.head())

    failing = FailingAt(monkeypatch)
    claimed, faults = await sweep(gate, failing, lambda: gate.claims.claim(claim, gate.in_force), trace)
    assert faults >= 6
    assert json.loads(claimed.body)["outcome"] == "override"
    assert trace()[:2] == (1, 1)
    assert_whole(gate.store)


async def test_what_ops_do_is_done_whole_or_not_at_all(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    override, _ = await gate.overrides.grant(OPS, GRANT, gate.in_force)
    freeze = await gate.freezes.start(OPS, FREEZE, gate.in_force)

    def trace() -> Any:
        return gate.store.query(
            lambda view: (
                view.head(),
                view.newest_overrides(None, None, 9),
                view.newest_freezes(None, 9),
            )
        )

    failing = FailingAt(monkeypatch)
    requests: list[Callable[[], Awaitable[Any]]] = [
        lambda: gate.overrides.grant(OPS, GRANT, gate.in_force),
        lambda: gate.overrides.approve(OTHER, override.id, gate.in_force),
        lambda: gate.overrides.revoke(OPS, override.id),
    ]
    for request in requests:
        _, faults = await sweep(gate, failing, request, trace)
        assert faults >= 4
    gate.clock.at += 1  # one lifted in the second that it started in never held
    # A freeze looks at the store again when it is through, and takes a fault there for a store that is away.
    lifted, _ = await sweep(gate, failing, lambda: gate.freezes.lift(OPS, freeze.id), trace)
    await gate.cache.refresh()
    assert gate.in_force.engine.freezes == (lifted,)
    assert_whole(gate.store)
