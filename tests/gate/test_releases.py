"""Waiting deploys are released in batches, each by a claim, and nothing is lost on the way."""

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.decision import Question
from app.core.hold import POLLED, HoldState, Reporting
from app.core.instant import DAY, HOUR, MINUTE, parse_instant
from app.gate import keys
from app.gate.errors import StoreUnavailableError
from app.gate.holds import HoldRequest
from app.gate.keys import KeyRequest
from app.gate.lease import DURATION
from app.gate.record import verify
from app.gate.store_cache import caller_of
from app.identity.caller import Role
from app.store.transaction import Transaction
from app.store.view import View
from tests.api.fakes import FakeClock
from tests.gate.conftest import AFTER, BEFORE, FRIDAY, OPS, Gate, gate_on
from tests.gate.waiting import CI, LATER, REFUSED, TAKEN, Waiting

pytestmark = pytest.mark.anyio

SECRET = "hunter2"  # noqa: S105 - of nothing
MONDAY = parse_instant("2026-11-30T07:00:00Z")


@pytest.fixture
def waiting(gate: Gate) -> Waiting:
    return Waiting(gate)


async def test_a_deploy_that_is_allowed_goes_on_within_a_pass(gate: Gate, waiting: Waiting) -> None:
    gate.clock.at = BEFORE
    held = await waiting.ask(ref="abc", secret=SECRET)
    await waiting.look()
    released = await waiting.holds.show(held.id)
    assert released.state is HoldState.RELEASED
    (decision,) = waiting.events("decision")
    assert decision["answer"]["decision_id"] == released.decision_id
    assert (decision["ref"], decision["request_id"]) == ("abc", held.id)
    assert await waiting.answer() == ["approved run 1"]
    assert waiting.sent[0].secret == SECRET
    assert waiting.sent[0].answer.sentence.startswith("api may be deployed to production.")
    finished = await waiting.holds.show(held.id)
    assert (finished.state, finished.sealed) == (HoldState.APPROVED, None)
    assert await waiting.answer() == []
    assert verify(gate.store.query).whole


async def test_a_denied_one_waits_and_is_told_when_it_opens(gate: Gate, waiting: Waiting) -> None:
    held = await waiting.ask()
    for _ in range(3):
        await waiting.look()
    assert await waiting.answer() == ["progress run 1"]
    answer = waiting.sent[0].answer
    assert answer.opens_at == MONDAY == (await waiting.holds.show(held.id)).opens_at
    assert "No deploys after Friday 14:00" in answer.sentence
    assert waiting.events("decision") == []
    gate.clock.at = MONDAY - 1
    await waiting.look()
    assert await waiting.answer() == []
    gate.clock.at = MONDAY
    await waiting.look()
    assert await waiting.answer() == ["approved run 1"]
    assert verify(gate.store.query).whole


async def test_a_moved_opening_is_reported_within_what_the_vendor_takes(gate: Gate, waiting: Waiting) -> None:
    await waiting.ask()
    told: list[str] = []
    for number in range(20):
        await waiting.look()
        told += await waiting.answer()
        freeze = await waiting.freeze()
        gate.clock.at += 30
        await waiting.look()
        told += await waiting.answer()
        await gate.freezes.lift(OPS, freeze)
        gate.clock.at += 90 + number
    assert told == ["progress run 1"] * 7
    gate.clock.at = MONDAY
    await waiting.look()
    assert await waiting.answer() == ["approved run 1"]
    assert waiting.sent[-1].answer.hold.reports == 8


async def test_a_vendor_that_takes_no_progress_gets_none_and_the_list_has_it(gate: Gate) -> None:
    waiting = Waiting(gate, reportings={"github": Reporting(1)})
    held = await waiting.ask()
    await waiting.look()
    assert await waiting.answer() == []
    assert (await waiting.holds.show(held.id)).opens_at == MONDAY
    freeze = await waiting.freeze()
    await waiting.look()
    assert (await waiting.holds.show(held.id)).opens_at is None
    await gate.freezes.lift(OPS, freeze)
    gate.clock.at = MONDAY
    await waiting.look()
    assert await waiting.answer() == ["approved run 1"]


async def test_a_vendor_that_must_hear_again_does(gate: Gate, waiting: Waiting) -> None:
    await waiting.ask(responder="tfe")
    told = []
    for _ in range(40):
        await waiting.look()
        told += await waiting.answer()
        gate.clock.at += 60
    assert told == ["progress run 1"] * 8


async def test_what_expires_is_rejected_with_the_opening_time(gate: Gate, waiting: Waiting) -> None:
    held = await waiting.ask(expires_at=AFTER + HOUR, secret=SECRET)
    await waiting.ask("poll", responder=POLLED, expires_at=AFTER + HOUR)
    await waiting.look()
    gate.clock.at = AFTER + HOUR
    await waiting.look()
    assert await waiting.states() == {"run 1": "rejected", "poll": "rejected"}
    assert await waiting.answer(LATER) == ["rejected run 1"]
    gate.clock.at += 10
    assert await waiting.answer() == ["rejected run 1"]
    answer = waiting.sent[-1].answer
    assert (answer.opens_at, waiting.sent[-1].secret) == (MONDAY, SECRET)
    assert answer.sentence.endswith("It can't wait any longer.")
    assert (await waiting.holds.show(held.id)).sealed is None
    assert verify(gate.store.query).whole


async def test_one_who_looks_by_itself_is_answered_by_the_list(gate: Gate, waiting: Waiting) -> None:
    held = await waiting.ask(responder=POLLED)
    await waiting.look()
    assert (await waiting.holds.show(held.id)).opens_at == MONDAY
    gate.clock.at = MONDAY
    await waiting.look()
    released = await waiting.holds.show(held.id)
    assert (released.state, released.decision_id is None) == (HoldState.APPROVED, False)
    assert await waiting.answer() == []


async def test_a_hold_of_a_revoked_key_is_not_released(gate: Gate, waiting: Waiting) -> None:
    record, _ = keys.create(gate.store, gate.clock, KeyRequest("ci", Role.CI), "root")
    gate.cache.load()
    request = HoldRequest(Question("api"), "github", "run 1", {}, MONDAY + DAY)
    await waiting.holds.hold(caller_of(record), request, gate.in_force)
    keys.revoke(gate.store, gate.clock, record.id, "root")
    await gate.cache.refresh()
    gate.clock.at = MONDAY
    await waiting.look()
    assert await waiting.states() == {"run 1": "cancelled"}
    assert await waiting.answer() == ["rejected run 1"]
    assert waiting.sent[0].answer.sentence.endswith("the key that asked was revoked.")
    assert waiting.events("decision") == []
    assert verify(gate.store.query).whole


async def test_a_hold_that_the_policies_list_no_more_is_told_so(
    gate: Gate, waiting: Waiting, policy_file: Path
) -> None:
    await waiting.ask(question=Question("api", "staging"), expires_at=AFTER + HOUR)
    policy_file.write_text(FRIDAY.replace("[production, staging]", "[production]"))  # noqa: ASYNC240
    for _ in range(2):
        gate.policies.poll(AFTER)
    await waiting.look()
    assert await waiting.answer() == ["progress run 1"]
    assert waiting.sent[0].answer.sentence.endswith("the policies don't list it any more.")
    gate.clock.at = AFTER + HOUR
    await waiting.look()
    assert await waiting.states() == {"run 1": "rejected"}


async def test_a_freeze_of_another_replica_stops_a_release(gate: Gate, other: Gate, waiting: Waiting) -> None:
    """Even if this replica has not yet seen it."""
    gate.clock.at = MONDAY
    await waiting.ask()
    await Waiting(other).freeze()
    await waiting.look()
    assert await waiting.states() == {"run 1": "waiting"}
    assert waiting.events("decision") == []


async def test_a_freeze_between_release_and_answer_takes_the_release_back(
    gate: Gate, other: Gate, waiting: Waiting
) -> None:
    gate.clock.at = MONDAY
    await waiting.ask(secret=SECRET)
    await waiting.look()
    freeze = await Waiting(other).freeze()
    assert await waiting.answer() == []
    assert await waiting.states() == {"run 1": "waiting"}
    (returned,) = waiting.events("hold-returned")
    assert returned["blocking"] == [freeze]
    await gate.cache.refresh()
    await waiting.look()
    assert await waiting.answer() == ["progress run 1"]
    await gate.freezes.lift(OPS, freeze)
    gate.clock.at += MINUTE
    await waiting.look()
    assert await waiting.answer() == ["approved run 1"]
    assert waiting.sent[-1].secret == SECRET
    assert verify(gate.store.query).whole


async def test_a_freeze_between_two_attempts_takes_the_release_back(gate: Gate, waiting: Waiting) -> None:
    gate.clock.at = MONDAY
    await waiting.ask()
    await waiting.look()
    assert await waiting.answer(LATER) == ["approved run 1"]
    await waiting.freeze()
    gate.clock.at += MINUTE
    assert await waiting.answer() == []
    assert await waiting.states() == {"run 1": "waiting"}


async def test_an_approval_is_tried_until_the_hold_expires(gate: Gate, waiting: Waiting) -> None:
    gate.clock.at = MONDAY
    held = await waiting.ask(expires_at=MONDAY + HOUR, secret=SECRET)
    await waiting.look()
    attempts = 0
    while (await waiting.holds.show(held.id)).state is HoldState.RELEASED:
        attempts += len(await waiting.answer(LATER))
        gate.clock.at += 60
    assert gate.clock.at - MONDAY >= HOUR
    assert attempts > 6
    failed = await waiting.holds.show(held.id)
    assert (failed.state, failed.sealed) == (HoldState.FAILED, None)
    assert waiting.events("hold-answered")[0]["why"] == "answered 500"
    assert verify(gate.store.query).whole


async def test_a_refused_approval_has_failed(gate: Gate, waiting: Waiting) -> None:
    gate.clock.at = MONDAY
    await waiting.ask()
    await waiting.look()
    assert await waiting.answer(REFUSED) == ["approved run 1"]
    assert await waiting.states() == {"run 1": "failed"}


async def test_an_answer_that_is_read_while_it_is_sent_is_sent_once(gate: Gate, waiting: Waiting) -> None:
    answers = waiting.answering.answers
    await waiting.ask()
    await waiting.look()
    (due,) = await answers.due()
    ready = await answers.prepare(due)
    assert ready is not None
    gate.clock.at += 1
    assert await answers.due() == []
    await answers.settle(ready, TAKEN, 0)
    answers.finish(due)
    assert await answers.due() == []


async def test_an_answer_that_is_outdated_is_dropped(gate: Gate, waiting: Waiting) -> None:
    answers = waiting.answering.answers
    first, second = await waiting.ask("1"), await waiting.ask("2")
    await waiting.look()
    dues = {each.hold_id: each for each in await answers.due()}
    ready = await answers.prepare(dues[second.id])
    assert ready is not None
    for each in (first, second):
        await waiting.holds.cancel(CI, each.id, None)
    assert await answers.prepare(dues[first.id]) is None
    await answers.settle(ready, LATER, 0)
    assert await waiting.states() == {"1": "cancelled", "2": "cancelled"}
    assert gate.store.query(lambda view: view.due_answers(AFTER + DAY, 10)) == []
    await gate.store.write(lambda transaction: answers._return(dues[first.id], None, transaction))
    assert await waiting.states() == {"1": "cancelled", "2": "cancelled"}


async def test_an_answer_of_another_version_is_left_alone(gate: Gate, waiting: Waiting) -> None:
    held = await waiting.ask()
    gate.store.transact(lambda transaction: transaction.put_answer("github", held.id, "{}", AFTER))
    assert await waiting.answer() == []
    assert len(gate.store.query(lambda view: view.due_answers(AFTER, 10))) == 1


async def test_one_whose_turn_does_not_come_in_time_is_rejected(gate: Gate, waiting: Waiting) -> None:
    gate.clock.at = MONDAY
    for number in range(6):
        await waiting.ask(str(number), expires_at=MONDAY + 30)
    await waiting.look()
    gate.clock.at += 30
    await waiting.look()
    await waiting.answer()
    assert Counter((await waiting.states()).values()) == {"approved": 5, "rejected": 1}
    assert waiting.sent[-1].answer.sentence == (
        "api may not be deployed to production: it can't wait any longer, and its turn has not come."
    )


async def test_progress_that_is_not_taken_is_dropped_and_uses_up_the_places(
    gate: Gate, waiting: Waiting
) -> None:
    held = await waiting.ask()
    await waiting.look()
    told = []
    for _ in range(20):
        told += await waiting.answer(LATER)
        gate.clock.at += 30
    assert len(told) == 3
    assert (await waiting.holds.show(held.id)).reports == 3


async def test_a_cancelled_hold_is_answered_only_if_somebody_else_cancels(
    gate: Gate, waiting: Waiting
) -> None:
    taken_back, stopped = await waiting.ask("1", secret=SECRET), await waiting.ask("2", secret=SECRET)
    await waiting.look()
    await waiting.holds.cancel(CI, taken_back.id, None)
    await waiting.holds.cancel(OPS, stopped.id, "Not today.")
    assert await waiting.answer() == ["rejected 2"]
    assert waiting.sent[0].answer.sentence == (
        "api is not deployed to production: Alice cancelled it: Not today."
    )
    assert await waiting.states() == {"1": "cancelled", "2": "cancelled"}
    assert (await waiting.holds.show(stopped.id)).sealed is None
    assert verify(gate.store.query).whole


async def test_a_secret_that_no_key_opens_waits_for_the_key(gate: Gate, waiting: Waiting) -> None:
    gate.clock.at = MONDAY
    await waiting.ask(secret=SECRET)
    await waiting.look()
    sealing, waiting.holds.sealing = waiting.holds.sealing, None
    assert await waiting.answer() == []
    waiting.holds.sealing = sealing
    gate.clock.at += MINUTE
    assert await waiting.answer() == ["approved run 1"]


async def test_the_longest_waiting_go_first_and_five_a_minute(gate: Gate, waiting: Waiting) -> None:
    for number in range(12):
        gate.clock.at = AFTER + number
        await waiting.ask(f"{number:02}", question=Question("api" if number % 2 else "web"))
    gate.clock.at = MONDAY
    approved: list[list[str]] = []
    for _ in range(181):
        await waiting.look()
        if told := await waiting.answer():
            approved.append([each.removeprefix("approved ") for each in told if "approved" in each])
        gate.clock.at += 1
    assert [sorted(each) for each in approved] == [
        ["00", "01", "02", "03", "04"],
        ["05", "06", "07", "08", "09"],
        ["10", "11"],
    ]


async def test_after_an_outage_of_a_platform_it_gets_no_more_than_a_batch_either(
    gate: Gate, waiting: Waiting
) -> None:
    gate.clock.at = MONDAY
    for number in range(20):
        await waiting.ask(f"{number:02}", expires_at=MONDAY + DAY)
    for _ in range(3):
        await waiting.look()
        await waiting.answer(LATER)
        gate.clock.at += MINUTE
    assert Counter((await waiting.states()).values()) == {"released": 15, "waiting": 5}
    waiting.sent.clear()
    approved: list[tuple[int, str]] = []
    for _ in range(60):
        await waiting.look()
        told = [each for each in await waiting.answer() if each.startswith("approved")]
        approved += [(gate.clock.at, each.split()[1]) for each in told]
        gate.clock.at += 10
    assert len(approved) == 20
    assert all(late - soon >= MINUTE for (soon, _), (late, _) in zip(approved, approved[5:], strict=False))
    assert verify(gate.store.query).whole


async def test_one_installation_of_an_app_that_is_limited_delays_no_other(
    gate: Gate, waiting: Waiting
) -> None:
    gate.clock.at = MONDAY
    for number in range(2):
        await waiting.ask(f"{number}", target={"installation": number, "repository": "acme/api"})
    await waiting.look()
    answers = waiting.answering.answers
    limited, other = await answers.due()
    ready = await answers.prepare(limited)
    assert ready is not None
    answers.finish(other)
    await answers.settle(ready, LATER._replace(retry_after=HOUR), 0)
    answers.finish(limited)
    gate.clock.at += 1
    assert [each.hold_id for each in await answers.due()] == [other.hold_id]


async def test_an_approval_that_waits_for_room_goes_before_those_that_wait(
    gate: Gate, waiting: Waiting
) -> None:
    gate.clock.at = MONDAY
    for number in range(10):
        await waiting.ask(f"{number}", target={"url": f"https://{number}.example/"})
    for _ in range(2):
        await waiting.look()
        await waiting.answer(LATER)
        gate.clock.at += MINUTE
    await waiting.ask("new", target={"url": "https://new.example/"})
    gate.clock.at -= 1
    assert len(await waiting.answer()) == 5
    gate.clock.at += MINUTE - 1
    assert await waiting.answer() == []
    gate.clock.at += 1
    await waiting.look()
    assert (await waiting.states())["new"] == "waiting"
    assert sum(each.startswith("approved") for each in await waiting.answer()) == 5
    gate.clock.at += MINUTE
    await waiting.look()
    assert await waiting.answer() == ["approved new"]


async def test_a_platform_that_is_down_takes_up_no_room_of_others(gate: Gate, waiting: Waiting) -> None:
    """Not with a batch of one, which each attempt needs anew."""
    gate.clock.at = MONDAY
    for number in range(5):
        await waiting.ask(f"dead {number}")
    await waiting.look()
    await waiting.answer(LATER)
    gate.clock.at += MINUTE
    for number in range(5):
        await waiting.ask(f"good {number}", responder=POLLED)
    for _ in range(5):
        await waiting.answer(LATER)
        gate.clock.at += 1
    await waiting.look()
    states = await waiting.states()
    assert Counter(states[f"good {number}"] for number in range(5)) == {"approved": 5}


async def test_environments_have_their_own_batches(gate: Gate, waiting: Waiting) -> None:
    gate.clock.at = MONDAY
    for number, place in itertools.product(range(6), ("production", "staging")):
        await waiting.ask(f"{place} {number}", question=Question("api", place))
    await waiting.look()
    states = Counter((key.split()[0], state) for key, state in (await waiting.states()).items())
    assert states == {
        ("production", "released"): 5,
        ("staging", "released"): 5,
        ("production", "waiting"): 1,
        ("staging", "waiting"): 1,
    }


async def test_another_replica_and_a_restart_keep_to_the_same_batches(
    gate: Gate, other: Gate, waiting: Waiting
) -> None:
    gate.clock.at = MONDAY
    for number in range(12):
        await waiting.ask(str(number))
    second = Waiting(other, "two")
    await waiting.look()
    await second.look()
    assert Counter((await waiting.states()).values()) == {"released": 5, "waiting": 7}
    gate.clock.at += DURATION + 1  # the first one was killed: its lease ends
    await second.look()
    assert Counter((await waiting.states()).values()) == {"released": 5, "waiting": 7}
    told = await second.answer()
    assert Counter(each.split()[0] for each in told) == {"approved": 5, "progress": 7}
    gate.clock.at += MINUTE  # since the answers, which came late
    await second.look()
    await waiting.look()
    assert Counter((await waiting.states()).values())["waiting"] == 2


async def test_two_leaders_at_once_release_one_batch(
    gate: Gate, other: Gate, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.clock.at = MONDAY
    for number in range(12):
        await waiting.ask(str(number))
    second = Waiting(other, "two")

    read = other.store.read

    async def stale(query: Callable[[View], Any]) -> Any:
        """Count no releases, as if the other leader's were committed right after this look."""
        waits, released = await read(query)
        return waits, dict.fromkeys(released, 0)

    await waiting.look()
    await waiting.answering.lease.release()
    with monkeypatch.context() as patched:
        patched.setattr(other.store, "read", stale)
        await second.look()
    assert second.answering.lease.held
    assert Counter((await waiting.states()).values()) == {"released": 5, "waiting": 7}
    assert verify(gate.store.query).whole


async def test_a_clock_that_is_set_back_releases_no_second_batch(gate: Gate, waiting: Waiting) -> None:
    gate.clock.at = MONDAY + HOUR
    for number in range(8):
        await waiting.ask(str(number))
    await waiting.look()
    gate.clock.at = MONDAY
    await gate.cache.refresh()
    await waiting.look()
    assert Counter((await waiting.states()).values()) == {"released": 5, "waiting": 3}
    gate.clock.elapsed_us += 2 * MINUTE * 1_000_000
    gate.clock.at = MONDAY + 2 * MINUTE
    await waiting.look()
    assert Counter((await waiting.states()).values()) == {"released": 8}


async def test_a_store_that_is_away_releases_nothing(gate: Gate, waiting: Waiting) -> None:
    gate.clock.at = MONDAY
    await waiting.ask()
    await waiting.answering.lease.take()
    for kind in ("read", "write"):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(gate.store, kind, _refuse)
            with pytest.raises(StoreUnavailableError):
                await waiting.look()
    await waiting.look()
    assert await waiting.states() == {"run 1": "released"}


@pytest.fixture
def quick(tmp_path: Path, policy_file: Path, clock: FakeClock) -> Gate:
    return gate_on(f"sqlite:///{tmp_path / 'quick.db'}", policy_file, clock)


async def test_no_window_ever_has_more_than_a_batch_and_the_longest_wait_first(quick: Gate) -> None:
    """At random instants, with freezes, vendors that refuse or fail, and leaders that come and go."""
    dice, batch, window = random.Random(13), 5, MINUTE
    quick.clock.at = MONDAY
    replicas = [Waiting(quick, name) for name in ("one", "two", "three")]
    started: list[int] = []
    approved: list[int] = []
    numbers = itertools.count()
    freeze: str | None = None
    for _ in range(150):
        quick.clock.at += dice.choice((0, 1, 10, 20, 40))
        replica = dice.choice(replicas)
        for _ in range(dice.choice((0, 0, 1, 1, 12))):
            await replica.ask(f"{next(numbers)}", question=Question(dice.choice(("api", "web"))))
        if dice.random() < 0.1:
            if freeze is None:
                freeze = await replica.freeze()
            else:
                await quick.freezes.lift(OPS, freeze)
                freeze = None
        before = _waiting(quick)
        await replica.look()
        after = _waiting(quick)
        released = before - after
        started += [quick.clock.at] * len(released)
        if released and after:
            assert max(released) < min(after)
        if dice.random() < 0.7:
            result = dice.choice((TAKEN, TAKEN, TAKEN, LATER, REFUSED))
            told = await dice.choice(replicas).answer(result)
            if result is not LATER:
                approved += [quick.clock.at for each in told if each.startswith("approved")]
        if dice.random() < 0.05:
            await replica.answering.lease.release()
    for instants in (started, approved):
        for first in range(len(instants) - batch):
            assert instants[first + batch] - instants[first] >= window
    assert len(started) > 40
    assert verify(quick.store.query).whole
    await quick.store.close()


def _waiting(gate: Gate) -> set[tuple[int, str]]:
    found = gate.store.query(lambda view: view.waiting_holds(100_000))
    return {(each.created_at, each.id) for each in found}


async def test_two_thousand_that_wait_hold_up_nothing(quick: Gate) -> None:
    """A pass over holds that stay denied costs the event loop next to nothing."""
    waiting = Waiting(quick)
    template = await waiting.ask("0")
    many = [
        template._replace(id=f"hld_{n:06}", key=f"run {n}", question=Question(f"service-{n}"))
        for n in range(2_000)
    ]

    def add(transaction: Transaction) -> None:
        for each in many:
            transaction.add_hold(each)

    quick.store.transact(add)
    await waiting.look()
    held = 0.0
    for _ in range(3):
        started = time.thread_time()
        await waiting.look()
        held = max(held, time.thread_time() - started)
    assert held < 0.1
    await quick.store.close()


async def _refuse(*_: object, **__: object) -> None:
    raise StoreUnavailableError("away")
