import asyncio
import contextlib
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from app.core.instant import HOUR
from app.core.notification import Occasion
from app.core.policy import Selector
from app.gate.errors import StoreUnavailableError
from app.gate.freezes import StartRequest
from app.gate.lease import DURATION
from app.gate.notifications import Notifications
from app.integrations import sender as module
from app.integrations.receivers import Receiver
from app.integrations.sender import Sender
from app.integrations.vendors import notifiers
from app.outbound import Outbound
from tests.api.fakes import FakeClock
from tests.gate.conftest import BEFORE, OPS, Gate
from tests.integrations.receiver import DownReceiver, LocalReceiver
from tests.live.gate import ROOT, clean_environment

pytestmark = pytest.mark.anyio

SECRET = "whsec_plJ3nmyCDGBKInavdOK15jsl"  # noqa: S105 - the one of the specification


def receiver(to: str, **given: Any) -> Receiver:
    made = Receiver(
        "hook", notifiers()["webhook"], SecretStr(to), SecretStr(SECRET), frozenset(Occasion), None
    )
    return made._replace(**given)


def freeze(title: str = "Incident 42") -> StartRequest:
    return StartRequest(title, "Payments are down", Selector.model_validate({}), None, None)


class Sending:
    """A sender whose steps a test takes."""

    def __init__(self, gate: Gate, *receivers: Receiver, name: str = "one") -> None:
        self.receivers = receivers
        self.notifications = Notifications(gate.store, gate.policies, gate.clock, receivers, name)
        outbound = Outbound()
        self.sender = Sender(
            self.notifications, receivers, gate.clock, outbound, deadline=5, jitter=lambda: 0.0
        )
        self.client = outbound.client(5)

    async def step(self) -> None:
        await self.sender.collect()
        for each in self.receivers:
            await self.sender.deliver(self.client, each)


Start = Callable[..., Sending]


@pytest.fixture(autouse=True)
def open_hours(clock: FakeClock) -> None:
    clock.at = BEFORE - 4 * HOUR


@pytest.fixture
async def start(gate: Gate) -> AsyncIterator[Start]:
    made: list[Sending] = []

    def begin(*receivers: Receiver, name: str = "one") -> Sending:
        made.append(Sending(gate, *receivers, name=name))
        return made[-1]

    yield begin
    for each in made:
        await each.client.aclose()


def titles(local: LocalReceiver) -> list[str]:
    return [got.json["data"]["about"]["title"] for got in local.got]


async def test_what_happens_arrives_at_every_receiver(gate: Gate, local: LocalReceiver, start: Start) -> None:
    to_slack = receiver(f"{local.url}/slack", name="slack", notifier=notifiers()["slack"], secret=None)
    sending = start(receiver(f"{local.url}/hook"), to_slack)
    await sending.step()
    await gate.freezes.start(OPS, freeze(), gate.in_force)
    await sending.step()
    hook, message = sorted(local.got, key=lambda got: got.path)
    assert hook.path.endswith("/hook")
    assert hook.json["type"] == "freeze-started"
    assert hook.json["data"]["title"] == "Deploys are frozen: Incident 42"
    assert message.json["text"].startswith("Deploys are frozen: Incident 42\n")
    await sending.step()
    assert len(local.got) == 2


async def test_a_receiver_down_for_an_hour_gets_everything_in_order_for_each_freeze(
    gate: Gate, local: LocalReceiver, down: DownReceiver, start: Start
) -> None:
    sending = start(receiver(down.url), receiver(local.url, name="up"))
    await sending.step()
    began, made = gate.clock.at, []
    for minute in range(60):
        gate.clock.at = began + 60 * minute
        if minute % 2 == 0:
            made.append(await gate.freezes.start(OPS, freeze(f"Incident {minute}"), gate.in_force))
        else:
            await gate.freezes.lift(OPS, made[-1].id)
        await sending.step()
        assert len(local.got) == minute + 1  # the other one is held up by nothing
    up = down.come_up()
    try:
        for _ in range(11):
            gate.clock.at += 60
            await sending.step()
        assert len({got.headers["Webhook-Id"] for got in up.got}) == len(up.got) == 60
        for each in made:
            mine = [got.json["type"] for got in up.got if got.json["data"]["subject"] == each.id]
            assert mine == ["freeze-started", "freeze-lifted"]
    finally:
        up.close()


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 408, 410, 429, 500, 502, 503])
async def test_what_a_receiver_does_not_take_is_tried_again(
    gate: Gate, local: LocalReceiver, start: Start, status: int
) -> None:
    local.answers.append((status, {"Location": f"{local.url}/elsewhere"}))
    sending = start(receiver(local.url))
    await sending.step()
    await gate.freezes.start(OPS, freeze(), gate.in_force)
    await sending.step()
    assert len(local.got) == 1
    gate.clock.at += 5
    await sending.step()
    assert len(local.got) == 2
    assert len({got.headers["Webhook-Id"] for got in local.got}) == 1
    assert len({got.headers["Webhook-Signature"] for got in local.got}) == 2
    assert {got.path for got in local.got} == {"/services/T000/SECRETPATH"}


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_message_that_a_receiver_refuses_is_not_tried_again(
    gate: Gate, local: LocalReceiver, start: Start, status: int
) -> None:
    local.answers.append((status, {}))
    sending = start(receiver(local.url))
    await sending.step()
    await gate.freezes.start(OPS, freeze("first"), gate.in_force)
    await gate.freezes.start(OPS, freeze("second"), gate.in_force)
    await sending.step()
    assert titles(local) == ["first", "second"]
    gate.clock.at += HOUR
    await sending.step()
    assert len(local.got) == 2


@pytest.mark.parametrize(
    ("asked", "waited"), [("120", 120), ("1", 5), ("soon", 5), ("-3", 5), ("9" * 30, HOUR)]
)
async def test_a_receiver_says_how_long_to_wait(
    gate: Gate, local: LocalReceiver, start: Start, asked: str, waited: int
) -> None:
    local.answers.append((429, {"Retry-After": asked}))
    sending = start(receiver(local.url))
    await sending.step()
    await gate.freezes.start(OPS, freeze(), gate.in_force)
    await sending.step()
    gate.clock.at += waited - 1
    await sending.step()
    assert len(local.got) == 1
    gate.clock.at += 1
    await sending.step()
    assert len(local.got) == 2


async def test_a_receiver_that_never_answers_is_given_up_on_in_time(
    gate: Gate, start: Start, local: LocalReceiver
) -> None:
    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)

    opened: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sending = start(receiver(f"http://127.0.0.1:{port}/"), receiver(local.url, name="up"))
    sending.sender._deadline = 0.2
    await sending.step()
    await gate.freezes.start(OPS, freeze(), gate.in_force)
    await sending.step()
    assert len(local.got) == 1
    assert opened
    for writer in opened:
        writer.close()
    server.close()
    (message,) = await gate.store.read(lambda view: view.pending_messages("hook", 2))
    assert message.attempts == 1


async def test_neither_url_nor_secret_is_logged_or_kept(
    gate: Gate, local: LocalReceiver, down: DownReceiver, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sending = start(receiver(local.url), receiver(down.url, name="down"))
    local.answers += [(500, {}), (400, {"X-Echo": local.url})]
    await sending.step()
    await gate.freezes.start(OPS, freeze(), gate.in_force)
    for _ in range(3):
        await sending.step()
        gate.clock.at += 60
    assert "a notification could not be sent" in caplog.text
    assert "a notification was given up" in caplog.text
    written = caplog.text + "".join(f"{record.__dict__}" for record in caplog.records)
    written += repr(sending.receivers)
    for secret in ("SECRETPATH", SECRET, SECRET.removeprefix("whsec_"), f":{local.port}", f":{down.port}"):
        assert secret not in written


async def test_it_runs_until_it_is_stopped_and_then_lets_another_one_send(
    gate: Gate, local: LocalReceiver, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.01)
    first, second = start(receiver(local.url)), start(receiver(local.url), name="two")
    running = asyncio.create_task(first.sender.run())
    while not first.notifications.holds_lease:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    await gate.freezes.start(OPS, freeze("first"), gate.in_force)
    await asyncio.to_thread(local.wait_for, 1)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert not first.notifications.holds_lease
    await gate.freezes.start(OPS, freeze("second"), gate.in_force)
    await second.step()
    assert titles(local)[-1] == "second"


async def test_an_error_ends_no_loop(
    gate: Gate, local: LocalReceiver, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.01)
    sending = start(receiver(local.url))
    errors: list[Exception] = [ValueError("odd"), StoreUnavailableError("away")] * 2
    collect = sending.notifications.collect

    async def failing() -> bool:
        if errors:
            raise errors.pop()
        return await collect()

    monkeypatch.setattr(sending.notifications, "collect", failing)
    running = asyncio.create_task(sending.sender.run())
    while not sending.notifications.holds_lease:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    await gate.freezes.start(OPS, freeze(), gate.in_force)
    await asyncio.to_thread(local.wait_for, 1)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


PROGRAM = """
import asyncio, sys
from pathlib import Path
from app.clock import SystemClock
from tests.gate.conftest import OPS, gate_on
from tests.integrations.test_sender import Sending, freeze, receiver

async def run(url, file, to):
    gate = gate_on(url, Path(file), SystemClock())
    sending = Sending(gate, receiver(to), name="killed")
    await sending.step()
    for number in range(10):
        await gate.freezes.start(OPS, freeze(f"Incident {number}"), gate.in_force)
        if number % 3 == 0:
            await sending.step()
    await sending.step()

asyncio.run(run(*sys.argv[1:]))
"""


@pytest.mark.parametrize("at", [1, 2, 4, 9])
async def test_a_process_that_is_killed_while_it_sends_loses_nothing(
    gate: Gate, local: LocalReceiver, start: Start, policy_file: object, url: str, at: int
) -> None:
    process = subprocess.Popen(  # noqa: ASYNC220 - waited for in a thread
        [sys.executable, "-c", PROGRAM, url, str(policy_file), local.url],
        cwd=ROOT,
        env=clean_environment(),
    )

    def kill() -> None:
        if len(local.got) == at:
            process.kill()
            process.wait()

    local.meanwhile = kill
    assert await asyncio.to_thread(process.wait, 60) == -9
    # By their titles: of two that were made within a millisecond, the ids do not tell which came first.
    made = sorted(each.title for each in await gate.freezes.newest(None, 100))
    assert len(made) >= at
    # In the time of the process that was killed: its clock was the real one.
    gate.clock.at = (await gate.store.read(lambda view: view.lease())).held_until + DURATION
    await start(receiver(local.url), name="next").step()
    arrived = titles(local)
    assert [*dict.fromkeys(arrived)] == made
    # Only the one that nobody could note comes again.
    assert len(arrived) == len(made) + 1
    assert arrived[at - 1] == arrived[at]
