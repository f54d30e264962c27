"""``/events`` of a real gate: what is told, to whom, and that listeners keep nothing from stopping."""

import asyncio
import contextlib
import json
import os
import signal
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.identity.credentials import new_key
from tests.live.gate import Gate, running

pytestmark = pytest.mark.anyio

POLICIES = "version: 1\nenvironments: [production, staging]\npolicies: []\n"
KEY = new_key()
FREEZE = {"title": "Incident", "reason": "Cards fail.", "environments": ["production"], "ttl": "1h"}
LISTENERS = 300


class News(NamedTuple):
    name: str
    data: dict[str, Any]
    place: str | None


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    with running(tmp_path / "policies.yaml", tmp_path / "gate.db", FREEZEGATE_ADMIN_KEY=KEY) as gate:
        yield gate


def send(gate: Gate, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(  # noqa: S310 - our own gate
        gate.url + path, json.dumps(body).encode() if method == "POST" else None, headers, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310
        found: dict[str, Any] = json.load(reply)
        return found


async def listen(gate: Gate, seen: str | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = gate.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    last = "" if seen is None else f"Last-Event-ID: {seen}\r\n"
    writer.write(f"GET /events HTTP/1.1\r\nHost: {host}\r\n{last}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"text/event-stream" in head
    return reader, writer


async def news(reader: asyncio.StreamReader) -> AsyncIterator[News]:
    """What is told, without the frames of chunked transfer."""
    fields: dict[str, str] = {}
    async for raw in reader:
        line = raw.decode().rstrip("\r\n")
        name, found, value = line.partition(": ")
        if found and name in ("event", "data", "id", "retry"):
            fields[name] = value
        elif not line and "event" in fields:
            yield News(fields["event"], json.loads(fields["data"]), fields.get("id"))
            fields = {}


async def first(told: AsyncIterator[News], name: str) -> News:
    async with asyncio.timeout(30):
        async for each in told:
            if each.name == name:
                return each
    raise AssertionError(f"nothing of the name {name}")


async def test_the_state_comes_first_and_then_what_changes(gate: Gate) -> None:
    reader, writer = await listen(gate)
    told = news(reader)
    state = await first(told, "state")
    assert [each["allowed"] for each in state.data["environments"]] == [True, True]
    await asyncio.to_thread(send, gate, "/can-deploy", {"service": "api", "actor": "ada"})
    decision = await first(told, "decision")
    assert (decision.data["service"], decision.data["outcome"], decision.data["actor"]) == (
        "api",
        "allow",
        "ada",
    )
    freeze = await asyncio.to_thread(send, gate, "/freezes", FREEZE)
    seen = {(await anext(told)).name for _ in range(2)}
    assert seen == {"freeze", "state"}
    await asyncio.to_thread(send, gate, f"/freezes/{freeze['id']}", {}, "DELETE")
    state = await first(told, "state")
    assert [each["allowed"] for each in state.data["environments"]] == [True, True]
    writer.close()


async def test_who_was_away_is_told_what_was_recorded_since(gate: Gate) -> None:
    reader, writer = await listen(gate)
    told = news(reader)
    await asyncio.to_thread(send, gate, "/can-deploy", {"service": "one"})
    place = (await first(told, "decision")).place
    writer.close()
    for service in ("two", "three"):
        await asyncio.to_thread(send, gate, "/can-deploy", {"service": service})
    reader, writer = await listen(gate, place)
    told = news(reader)
    services = [(await first(told, "decision")).data["service"] for _ in range(2)]
    assert services == ["two", "three"]
    writer.close()


async def test_no_secret_and_nothing_of_keys_is_told(gate: Gate) -> None:
    reader, writer = await listen(gate, "0")
    wanted = {"services": ["api"], "environments": ["production"], "reason": "Fix", "ttl": "1h"}
    granted = await asyncio.to_thread(send, gate, "/overrides", wanted)
    told = news(reader)
    override = await first(told, "override")
    assert override.data["id"] == granted["id"]
    assert granted["token"] not in json.dumps(override.data)
    assert override.data.keys() == {"kind", "recorded_at", "by", "id"}
    writer.close()


async def test_many_listeners_do_not_keep_the_process_from_stopping(gate: Gate) -> None:
    listeners = [await listen(gate) for _ in range(LISTENERS)]
    gate.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        for reader, writer in listeners:
            whole = await reader.read()
            assert whole.endswith(b"0\r\n\r\n"), "the stream was cut off, not ended"
            writer.close()
        await asyncio.to_thread(gate.process.wait, 60)
    assert gate.process.returncode in (0, -signal.SIGTERM)


async def test_listeners_that_leave_are_forgotten(gate: Gate) -> None:
    for _ in range(3):
        listeners = [await listen(gate) for _ in range(100)]
        for _, writer in listeners:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    async with asyncio.timeout(30):
        while _sockets(gate) > 20:  # noqa: ASYNC110 - of another process, which tells nobody
            await asyncio.sleep(0.05)


def _sockets(gate: Gate) -> int:
    folder = Path(f"/proc/{gate.process.pid}/fd")
    links = []
    for each in folder.iterdir():
        with contextlib.suppress(OSError):
            links.append(os.readlink(each))  # noqa: PTH115 - what it links to is no path
    return sum(link.startswith("socket:") for link in links)
