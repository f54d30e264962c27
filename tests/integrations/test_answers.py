"""The loops that release and answer, over real HTTP, with vendors that are down, slow or wrong."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.decision import Question
from app.core.hold import Hold, HoldAnswer, Reporting
from app.core.instant import DAY, MINUTE, parse_instant
from app.gate.answers import MOST_AT_ONCE, MOST_OF_DESTINATION
from app.gate.errors import StoreUnavailableError
from app.gate.holds import HoldRequest
from app.gate.outbox import DeliveryResult
from app.gate.record import verify
from app.integrations import answers as module
from app.integrations.answers import Answerer
from app.integrations.callback.message import CallbackResponder
from app.integrations.responder import Responder
from app.outbound import Outbound
from tests.api.fakes import FakeClock
from tests.gate.conftest import FRIDAY, Gate, gate_on
from tests.gate.waiting import CI, Waiting
from tests.integrations.receiver import LocalReceiver
from tests.integrations.test_callback import section

pytestmark = pytest.mark.anyio

MONDAY = parse_instant("2026-11-30T07:00:00Z")
BATCH = "environments: {production: {release: {batch: 1000}}, staging: {}}"


class Fake:
    """A vendor that answers as a test says, and counts what is on its way."""

    reporting = Reporting(100)

    def __init__(self, reply: Callable[[HoldAnswer], DeliveryResult] | None = None) -> None:
        self.got: list[str] = []
        self.at_once = self.most_at_once = 0
        self.reply = reply or (lambda _: DeliveryResult("taken"))
        self.stuck = asyncio.Event()
        self.stuck.set()

    async def send(self, client: httpx.AsyncClient, answer: HoldAnswer, secret: str | None) -> DeliveryResult:
        del client, secret
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.stuck.wait()
            self.got.append(f"{answer.kind} {answer.hold.key}")
            return self.reply(answer)
        finally:
            self.at_once -= 1


@pytest.fixture
async def gate(tmp_path: Path, policy_file: Path, clock: FakeClock) -> AsyncIterator[Gate]:
    clock.at = MONDAY
    text = FRIDAY.replace("environments: [production, staging]", BATCH)
    policy_file.write_text(text)  # noqa: ASYNC240 - a few letters
    opened = gate_on(f"sqlite:///{tmp_path / 'gate.db'}", policy_file, clock)
    yield opened
    await opened.store.close()


def answerer(waiting: Waiting, responders: Mapping[str, Responder], deadline: float = 10) -> Answerer:
    return Answerer(
        waiting.answering,
        responders,
        Outbound(),
        deadline=deadline,
        interval=0.01,
        jitter=lambda: 0.0,
    )


@contextlib.asynccontextmanager
async def running(loops: Answerer) -> AsyncIterator[None]:
    task = asyncio.create_task(loops.run())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], bool]) -> None:
    """Wait; the deadline only ends a test that has failed."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition is in the store
            await asyncio.sleep(0.01)


async def later(gate: Gate, condition: Callable[[], bool]) -> None:
    """Let time pass until something has happened."""

    def passes() -> bool:
        gate.clock.at += 1
        return condition()

    await until(passes)


async def ask(waiting: Waiting, key: str, **other: Any) -> Hold:
    given: dict[str, Any] = {"target": {"url": "https://one.example/"}, "responder": "fake"}
    request = HoldRequest(Question("api"), key=key, expires_at=MONDAY + DAY, **given | other)
    return await waiting.holds.hold(CI, request, waiting.gate.in_force)


async def test_a_deploy_that_waits_is_called_back(gate: Gate, local: LocalReceiver) -> None:
    waiting = Waiting(gate, reportings={"callback": Reporting(1)})
    url = f"http://127.0.0.1:{local.port}/resume"
    local.answers.append((500, {}))
    responder = CallbackResponder(section(f"127.0.0.1:{local.port}"), gate.clock)
    held = await ask(waiting, "run 7", responder="callback", target={"url": url})
    async with running(answerer(waiting, {"callback": responder})):
        await later(gate, lambda: len(local.got) == 2)
        await until(lambda: bool(waiting.events("hold-answered")))
    first, second = (each.json["data"] for each in local.got)
    assert first == second
    assert first["decision"] == {"allowed": True, "id": (await waiting.holds.show(held.id)).decision_id}
    assert local.got[0].headers["Webhook-Id"] == local.got[1].headers["Webhook-Id"]
    assert not waiting.answering.lease.held
    assert verify(gate.store.query).whole


async def test_a_host_that_is_down_delays_no_other(gate: Gate) -> None:
    waiting = Waiting(gate, reportings={"fake": Reporting(100)})
    dead = Fake()
    dead.stuck.clear()

    class OneIsDead(Fake):
        async def send(
            self, client: httpx.AsyncClient, answer: HoldAnswer, secret: str | None
        ) -> DeliveryResult:
            if "dead" in answer.hold.target["url"]:
                return await dead.send(client, answer, secret)
            return await super().send(client, answer, secret)

    for number in range(30):
        await ask(waiting, f"dead {number}", target={"url": "https://dead.example/"})
    for number in range(30):
        await ask(waiting, f"good {number}")
    vendor = OneIsDead()
    async with running(answerer(waiting, {"fake": vendor})):
        await until(lambda: len(vendor.got) == 30)
        assert dead.most_at_once <= MOST_OF_DESTINATION
        assert dead.got == []
    assert vendor.most_at_once <= MOST_AT_ONCE


async def test_a_host_that_is_down_is_tried_by_one_at_a_time(gate: Gate) -> None:
    waiting = Waiting(gate, reportings={"fake": Reporting(100)})
    vendor = Fake(lambda _: DeliveryResult("later", "answered 503"))
    for number in range(20):
        await ask(waiting, f"{number}")
    async with running(answerer(waiting, {"fake": vendor})):
        await until(lambda: len(vendor.got) >= 3)
        tried = len(vendor.got)
        assert tried <= 2 * MOST_OF_DESTINATION
        await later(gate, lambda: len(set(vendor.got)) > 8)
        vendor.reply = lambda _: DeliveryResult("taken")
        await later(gate, lambda: len(waiting.events("hold-answered")) == 20)


async def test_one_answer_that_always_fails_holds_up_none_to_the_same_host(gate: Gate) -> None:
    waiting = Waiting(gate, reportings={"fake": Reporting(100)})
    vendor = Fake(lambda answer: DeliveryResult("later" if "bad" in answer.hold.key else "taken"))
    for number in range(3):
        await ask(waiting, f"bad {number}")
    async with running(answerer(waiting, {"fake": vendor})):
        await until(lambda: len(vendor.got) == 3)
        await ask(waiting, "good")
        asked_at = gate.clock.at
        await later(gate, lambda: "approved good" in vendor.got)
        assert gate.clock.at - asked_at <= 2 * MINUTE


async def test_a_vendor_that_hangs_or_breaks_is_tried_again(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = Waiting(gate, reportings={"fake": Reporting(100)})

    def breaks(_: HoldAnswer) -> DeliveryResult:
        raise ValueError("https://SECRET")

    vendor = Fake(breaks)
    await ask(waiting, "1")
    with caplog.at_level(logging.WARNING):
        async with running(answerer(waiting, {"fake": vendor}, deadline=0.05)):
            await until(lambda: len(vendor.got) == 1)
            vendor.stuck.clear()
            await later(gate, lambda: vendor.at_once == 1)
            await until(lambda: vendor.at_once == 0)
            vendor.stuck.set()
            vendor.reply = lambda _: DeliveryResult("taken")
            await later(gate, lambda: bool(waiting.events("hold-answered")))
    assert "SECRET" not in caplog.text
    assert "an answer could not be sent" in caplog.text


async def test_a_hold_of_a_vendor_without_a_section_takes_no_place(gate: Gate) -> None:
    waiting = Waiting(gate, reportings={})
    held = await ask(waiting, "1")
    await waiting.look()
    assert (await waiting.holds.show(held.id)).state == "waiting"
    assert waiting.events("decision") == []
    gate.clock.at = held.expires_at
    await waiting.look()
    assert (await waiting.holds.show(held.id)).state == "rejected"


async def test_a_vendor_without_a_section_keeps_its_answers(gate: Gate) -> None:
    waiting = Waiting(gate)
    held = await ask(waiting, "1")
    async with running(answerer(waiting, {})):
        await until(lambda: bool(_failed(waiting, MONDAY + DAY)))
    assert (await waiting.holds.show(held.id)).state == "released"


async def test_a_store_that_is_away_is_told_once_by_the_one_that_works(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waiting, vendor = Waiting(gate), Fake()
    await ask(waiting, "1", responder="github")
    await waiting.answering.lease.take()
    calls = 0

    async def away() -> None:
        nonlocal calls
        calls += 1
        raise StoreUnavailableError("away")

    with caplog.at_level(logging.WARNING), monkeypatch.context() as patched:
        patched.setattr(waiting.answering.releases, "look", away)
        async with running(answerer(waiting, {"github": vendor})):
            await until(lambda: calls == 3)
            patched.undo()
            await until(lambda: len(vendor.got) == 1)
    assert caplog.text.count("deploys that wait are not released: away") == 1


async def test_an_unforeseen_error_ends_no_loop(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waiting, vendor = Waiting(gate), Fake()
    await ask(waiting, "1")
    look, calls = waiting.answering.releases.look, 0

    async def breaks() -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ValueError("unforeseen")
        await look()

    monkeypatch.setattr(waiting.answering.releases, "look", breaks)
    async with running(answerer(waiting, {"fake": vendor})):
        await until(lambda: len(vendor.got) == 1)
    assert "releasing deploys that wait failed" in caplog.text


async def test_a_result_that_can_not_be_recorded_is_sent_once_more(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waiting, vendor = Waiting(gate), Fake()
    await ask(waiting, "1")
    failures = [StoreUnavailableError("away"), ValueError("unforeseen")]
    settle = waiting.answering.answers.settle

    async def fails(*given: Any) -> None:
        if failures:
            raise failures.pop(0)
        await settle(*given)

    monkeypatch.setattr(waiting.answering.answers, "settle", fails)
    with caplog.at_level(logging.WARNING):
        async with running(answerer(waiting, {"fake": vendor})):
            await until(lambda: bool(waiting.events("hold-answered")))
    assert vendor.got == ["approved 1"] * 3
    assert "can't be recorded: away" in caplog.text
    assert "an answer failed" in caplog.text


def test_the_deadline_leaves_room_for_another_leader() -> None:
    assert module.DEADLINE < 15


def _failed(waiting: Waiting, until: int) -> list[Any]:
    due = waiting.gate.store.query(lambda view: view.due_answers(until, 10))
    return [each for each in due if each.attempts]
