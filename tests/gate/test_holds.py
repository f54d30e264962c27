"""Deploys that wait: asked for once, listed, cancelled, and proven by the record."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.core.decision import Question, together
from app.core.errors import MalformedValueError, UnknownNameError
from app.core.hold import CALLBACK, LONGEST_WAIT, POLLED, Hold, HoldState
from app.core.instant import DAY, HOUR
from app.core.policy import Selector
from app.gate import holds as module
from app.gate.claim import RETRIED_FOR
from app.gate.errors import (
    BusyError,
    ForbiddenError,
    InvalidFieldError,
    NoSecretKeyError,
    StateConflictError,
    UnknownRecordError,
)
from app.gate.freezes import StartRequest
from app.gate.holds import KEPT_FOR, HoldRequest, Holds
from app.gate.record import verify
from app.identity.caller import Caller, Role
from app.identity.credentials import new_secret_key
from app.identity.sealing import Sealing
from app.store.records import HoldFilter
from tests.gate.conftest import AFTER, OPS, Gate

pytestmark = pytest.mark.anyio

CI = Caller("pipeline", Role.CI)
OPEN = AFTER + 3 * DAY
FROZEN = AFTER + 3 * DAY + 10 * HOUR
"""The audit week begins."""
SECRET = "hunter2 of the platform"  # noqa: S105 - of nothing


def wanted(key: str = "run 1", **other: Any) -> HoldRequest:
    given: dict[str, Any] = {"question": Question("api"), "expires_at": AFTER + DAY, "target": {"run": 1}}
    return HoldRequest(responder="github", key=key, **given | other)


@pytest.fixture
def holds(gate: Gate) -> Holds:
    made = Holds(gate.store, gate.clock, gate.cache)
    made.sealing = Sealing([new_secret_key()])
    return made


async def test_a_deploy_that_asks_twice_waits_once(gate: Gate, holds: Holds) -> None:
    request = wanted(ref="abc", actor="ada", run_url="https://ci.example/1", secret=SECRET)
    held = await holds.hold(CI, request, gate.in_force)
    again = await holds.hold(CI, wanted(expires_at=AFTER + 2 * DAY), gate.in_force)
    assert again == held == await holds.show(held.id) == await holds.find("github", "run 1")
    assert (held.state, held.requested_by, held.expires_at) == (HoldState.WAITING, "pipeline", AFTER + DAY)
    assert (held.question, held.target, held.ref, held.reports) == (Question("api"), {"run": 1}, "abc", 0)
    assert await holds.find("buildkite", "run 1") is None
    assert [(each.environment, each.state, each.holds) for each in await holds.counts()] == [
        ("production", "waiting", 1)
    ]


def polled(key: str = "run 1", **other: Any) -> HoldRequest:
    given: dict[str, Any] = {"target": {}, "expires_at": AFTER + 7 * DAY}
    return wanted(key, **given | other)._replace(responder=POLLED)


def end(gate: Gate, held: Hold, state: HoldState) -> Hold:
    """Finish a hold now, whoever released or rejected it."""
    finished = held._replace(state=state, changed_at=gate.clock.at)
    gate.store.transact(lambda transaction: transaction.change_hold(finished))
    return finished


async def test_an_approval_is_given_again_for_a_quarter_of_an_hour(gate: Gate, holds: Holds) -> None:
    gate.clock.at = OPEN
    held = await holds.hold(CI, polled(), gate.in_force)
    gate.clock.at += 60
    approved = end(gate, held, HoldState.APPROVED)
    gate.clock.at += RETRIED_FOR
    assert await holds.ask(CI, polled(), gate.in_force) == (approved, False)
    gate.clock.at += 1
    again, is_new = await holds.ask(CI, polled(), gate.in_force)
    assert (again.id == held.id, again.state, is_new) == (False, HoldState.WAITING, True)
    assert await holds.find(POLLED, "run 1") == again


async def test_an_approval_of_before_a_freeze_is_not_given_again(gate: Gate, holds: Holds) -> None:
    gate.clock.at = FROZEN - 1
    approved = end(gate, await holds.hold(CI, polled(), gate.in_force), HoldState.APPROVED)
    assert (await holds.ask(CI, polled(), gate.in_force)).hold == approved
    gate.clock.at = FROZEN
    again = await holds.hold(CI, polled(), gate.in_force)
    assert (again.id == approved.id, again.state) == (False, HoldState.WAITING)


async def test_an_approval_of_before_a_freeze_that_this_replica_has_not_seen_is_not_given_again(
    gate: Gate, holds: Holds
) -> None:
    gate.clock.at = OPEN
    approved = end(gate, await holds.hold(CI, polled(), gate.in_force), HoldState.APPROVED)
    stale = gate.in_force
    await gate.freezes.start(
        OPS, StartRequest("Incident", "It burns.", Selector.model_validate({}), None, None), stale
    )
    again = await holds.hold(CI, polled(), stale)
    assert (again.id == approved.id, again.state) == (False, HoldState.WAITING)


@pytest.mark.parametrize("state", [HoldState.REJECTED, HoldState.FAILED])
async def test_a_key_whose_hold_came_to_nothing_is_free_again(
    gate: Gate, holds: Holds, state: HoldState
) -> None:
    ended = end(gate, await holds.hold(CI, polled(), gate.in_force), state)
    again = await holds.hold(CI, polled(), gate.in_force)
    assert (again.id == ended.id, again.state) == (False, HoldState.WAITING)


async def test_a_key_that_was_cancelled_is_free_again_after_a_quarter_of_an_hour(
    gate: Gate, holds: Holds
) -> None:
    held = await holds.hold(CI, polled(), gate.in_force)
    cancelled = await holds.cancel(OPS, held.id, "Not this one.")
    gate.clock.at += RETRIED_FOR
    assert await holds.ask(CI, polled(), gate.in_force) == (cancelled, False)
    gate.clock.at += 1
    assert (await holds.ask(CI, polled(), gate.in_force)).is_new


async def test_a_request_that_a_vendor_repeats_is_the_same_hold_for_as_long_as_it_is_kept(
    gate: Gate, holds: Holds
) -> None:
    approved = end(gate, await holds.hold(CI, wanted(), gate.in_force), HoldState.APPROVED)
    gate.clock.at += RETRIED_FOR + 1
    assert await holds.ask(CI, wanted(), gate.in_force) == (approved, False)


async def test_a_key_is_one_hold_whether_it_is_called_back_or_not(gate: Gate, holds: Holds) -> None:
    held = await holds.hold(CI, polled(), gate.in_force)
    called = polled(target={"url": "https://ci.example/"})._replace(responder=CALLBACK)
    assert await holds.ask(CI, called, gate.in_force) == (held, False)


@pytest.mark.parametrize(
    ("opens_at", "end"),
    [(None, DAY), (AFTER - 1, DAY), (AFTER + 3 * DAY, 4 * DAY), (AFTER + 60 * DAY, LONGEST_WAIT)],
)
def test_one_that_does_not_say_waits_until_a_day_after_the_opening(opens_at: int | None, end: int) -> None:
    assert module._usual_end(opens_at, AFTER) == AFTER + end


async def test_several_services_wait_together(gate: Gate, holds: Holds) -> None:
    question = together(["api", "web"], duration=600)
    held = await holds.hold(CI, wanted(question=question), gate.in_force)
    assert (await holds.show(held.id)).question == question
    assert module.to_json(held)["services"] == ["api", "web"]


async def test_holds_are_listed_newest_first(gate: Gate, holds: Holds) -> None:
    made: list[Hold] = []
    for number, service in enumerate(("api", "web", "api")):
        gate.clock.at = AFTER + number
        made.append(await holds.hold(CI, wanted(f"{number}", question=Question(service)), gate.in_force))
    await holds.cancel(CI, made[0].id, None)

    async def ids(before: str | None = None, most: int = 10, **wanted: Any) -> list[str]:
        return [each.id for each in await holds.listed(HoldFilter(**wanted), before, most)]

    first, second, third = (each.id for each in made)
    assert await ids() == [third, second, first]
    assert await ids(most=2) == [third, second]
    assert await ids(before=second) == [first]
    assert await ids(unfinished=True) == [third, second]
    assert await ids(service="api") == [third, first]
    assert await ids(state="cancelled") == [first]
    assert await ids(responder="gitlab") == []
    assert await ids(environment="staging") == []


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (wanted(question=Question("api", "nowhere")), UnknownNameError),
        (wanted(question=Question("api", change="odd")), UnknownNameError),
        (wanted(question=Question("other")), ForbiddenError),
        (wanted(expires_at=AFTER), InvalidFieldError),
        (wanted(expires_at=AFTER + LONGEST_WAIT + 1), InvalidFieldError),
        (wanted("k" * 257), InvalidFieldError),
        (wanted("a\nb"), MalformedValueError),
        (wanted(actor="\ud800"), MalformedValueError),
        (wanted(ref="r" * 2_001), InvalidFieldError),
        (wanted(target={"url": "x" * 8_192}), InvalidFieldError),
        (wanted(secret=SECRET * 16_385), InvalidFieldError),
    ],
)
async def test_what_can_not_wait_is_refused(
    gate: Gate, holds: Holds, request_: HoldRequest, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await holds.hold(Caller("pipeline", Role.CI, ("api",)), request_, gate.in_force)
    assert await holds.listed(HoldFilter(), None, 10) == []


async def test_too_many_are_refused(gate: Gate, holds: Holds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNFINISHED", 1)
    held = await holds.hold(CI, wanted("1"), gate.in_force)
    with pytest.raises(BusyError, match="1 deploys wait already"):
        await holds.hold(CI, wanted("2"), gate.in_force)
    await holds.cancel(CI, held.id, None)
    await holds.hold(CI, wanted("2"), gate.in_force)


async def test_a_cancelled_hold_stays_cancelled_and_its_secret_is_gone(gate: Gate, holds: Holds) -> None:
    held = await holds.hold(CI, wanted(secret=SECRET), gate.in_force)
    gate.clock.at = AFTER + 60
    cancelled = await holds.cancel(CI, held.id, "Not today.")
    assert cancelled == held._replace(
        state=HoldState.CANCELLED,
        sealed=None,
        changed_at=AFTER + 60,
        cancelled_by=CI.name,
        cancel_reason="Not today.",
    )
    assert await holds.cancel(OPS, held.id, "Again.") == cancelled == await holds.show(held.id)
    assert await holds.hold(CI, wanted(), gate.in_force) == cancelled
    with pytest.raises(UnknownRecordError):
        await holds.cancel(CI, "hld_0", None)
    with pytest.raises(UnknownRecordError):
        await holds.show("hld_0")
    with pytest.raises(InvalidFieldError):
        await holds.cancel(CI, held.id, "a\x00b")
    rejected = cancelled._replace(state=HoldState.REJECTED)
    gate.store.transact(lambda transaction: transaction.change_hold(rejected))
    with pytest.raises(StateConflictError, match="finished: rejected"):
        await holds.cancel(CI, held.id, None)


async def test_one_that_is_cancelled_after_its_release_keeps_the_decision_that_may_have_arrived(
    gate: Gate, holds: Holds
) -> None:
    held = await holds.hold(CI, wanted(), gate.in_force)
    released = held._replace(state=HoldState.RELEASED, decision_id="dec_1")
    gate.store.transact(lambda transaction: transaction.change_hold(released))
    cancelled = await holds.cancel(CI, held.id, None)
    assert (cancelled.state, cancelled.decision_id) == (HoldState.CANCELLED, "dec_1")


async def test_a_secret_is_stored_encrypted_and_is_in_no_event(gate: Gate, holds: Holds) -> None:
    held = await holds.hold(CI, wanted(secret=SECRET), gate.in_force)
    assert held.sealed is not None
    assert holds.sealing is not None
    assert holds.sealing.unseal(held.sealed) == SECRET
    events = gate.store.query(lambda view: view.events_after(0, 100))
    texts = [each.data for each in events] + [held.sealed, repr(held)]
    assert not any(SECRET in text for text in texts)
    assert not any(held.sealed in each.data for each in events)


async def test_the_files_of_the_database_have_no_plain_secret(
    gate: Gate, holds: Holds, tmp_path: Path
) -> None:
    await holds.hold(CI, wanted(secret=SECRET), gate.in_force)
    files = [each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()]  # noqa: ASYNC240
    assert not any(SECRET.encode() in content for content in files)


async def test_a_secret_without_a_key_is_refused_with_what_to_set(gate: Gate, holds: Holds) -> None:
    holds.sealing = None
    with pytest.raises(NoSecretKeyError, match="set FREEZEGATE_SECRET_KEY, the same for all replicas"):
        await holds.hold(CI, wanted(secret=SECRET), gate.in_force)
    await holds.hold(CI, wanted(), gate.in_force)


async def test_only_vendors_that_can_answer_let_deploys_wait(gate: Gate, holds: Holds) -> None:
    def check(target: Mapping[str, Any]) -> None:
        if target != {"run": 1}:
            raise MalformedValueError("no such place")

    holds.targets = {"github": check}
    await holds.hold(CI, wanted(), gate.in_force)
    with pytest.raises(MalformedValueError, match="no such place"):
        await holds.hold(CI, wanted("2", target={}), gate.in_force)
    holds.targets = {}
    with pytest.raises(InvalidFieldError, match="the integrations file has no section github"):
        await holds.hold(CI, wanted("3"), gate.in_force)
    request = HoldRequest(Question("api"), POLLED, "4", {}, AFTER + DAY)
    await holds.hold(CI, request, gate.in_force)


async def test_finished_holds_are_forgotten_and_the_record_agrees(gate: Gate, holds: Holds) -> None:
    first = await holds.hold(CI, wanted("1"), gate.in_force)
    await holds.hold(CI, wanted("2"), gate.in_force)
    await holds.cancel(CI, first.id, "Superseded.")
    assert verify(gate.store.query).whole
    gate.clock.at = AFTER + KEPT_FOR + 1
    await holds.hold(CI, wanted("3", expires_at=gate.clock.at + HOUR), gate.in_force)
    assert [each.key for each in await holds.listed(HoldFilter(), None, 10)] == ["3", "2"]
    assert verify(gate.store.query).whole


TAMPERED: list[tuple[str, Callable[[Hold], Hold]]] = [
    ("state", lambda hold: hold._replace(state=HoldState.APPROVED)),
    ("decision_id", lambda hold: hold._replace(decision_id="dec_1")),
    ("cancelled_by", lambda hold: hold._replace(cancelled_by="eve")),
    ("cancel_reason", lambda hold: hold._replace(cancel_reason="No.")),
    ("sealed", lambda hold: hold._replace(sealed="exchanged")),
    ("sealed", lambda hold: hold._replace(sealed=None)),
]


@pytest.mark.parametrize(("column", "tamper"), TAMPERED)
async def test_a_row_that_was_changed_is_named(
    gate: Gate, holds: Holds, column: str, tamper: Callable[[Hold], Hold]
) -> None:
    held = await holds.hold(CI, wanted(secret=SECRET), gate.in_force)
    assert verify(gate.store.query).whole
    gate.store.transact(lambda transaction: transaction.change_hold(tamper(held)))
    (difference,) = verify(gate.store.query).differences
    assert difference == ("holds", held.id, f"differs from the record in {column}")


async def test_a_row_that_is_in_no_event_is_named(gate: Gate, holds: Holds) -> None:
    held = await holds.hold(CI, wanted(), gate.in_force)
    other = held._replace(id="hld_0", key="other", target={"run": 2})
    gate.store.transact(lambda transaction: transaction.add_hold(other))
    assert verify(gate.store.query).differences == (("holds", "hld_0", "is in no event"),)
