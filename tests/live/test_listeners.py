"""Listeners and idle connections lock nobody out, and are told nothing once their key is revoked."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.identity.credentials import new_key
from app.server.capacity import capacity_of
from tests.live.gate import ROOT, Gate, clean_environment, running

pytestmark = pytest.mark.anyio

POLICIES = "version: 1\npolicies: []\n"
ADMIN = new_key()
FILES = 320


def address(gate: Gate) -> tuple[str, int]:
    host, _, port = gate.url.removeprefix("http://").partition(":")
    return host, int(port)


async def ask(gate: Gate, request: bytes) -> tuple[bytes, asyncio.StreamWriter]:
    """The first line of an answer, and the connection, which stays open."""
    reader, writer = await asyncio.open_connection(*address(gate), limit=2**20)
    writer.write(request)
    return await asyncio.wait_for(reader.readline(), 20), writer


def open_files(gate: Gate) -> int:
    return len(list(Path(f"/proc/{gate.process.pid}/fd").iterdir()))


LISTEN = b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n"
QUESTION = b"GET /can-deploy?service=api HTTP/1.1\r\nHost: x\r\n\r\n"
CLAIM = (
    b"POST /can-deploy HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n"
    b'{"service": "api"}'
)


async def test_listeners_and_silent_connections_leave_room_for_questions_and_claims(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    proxies = {"FREEZEGATE_TRUSTED_PROXIES": "127.0.0.0/8"}
    with running(tmp_path / "policies.yaml", tmp_path / "gate.db", open_files=str(FILES), **proxies) as gate:
        most = capacity_of(FILES)
        opened, taken = [], 0
        # As many as there are files, and more: first those who listen, then those who say nothing.
        for number in range(2 * most.streams):
            line, writer = await ask(
                gate, LISTEN.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 10.0.%d.1\r\n\r\n" % number)
            )
            opened.append(writer)
            taken += line.startswith(b"HTTP/1.1 200")
            assert line.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503"))
        assert taken == most.streams
        for _ in range(FILES):
            _, writer = await asyncio.open_connection(*address(gate))
            opened.append(writer)
        for request in (QUESTION, CLAIM) * 5:
            line, writer = await ask(gate, request)
            opened.append(writer)
            assert line.startswith(b"HTTP/1.1 200")
        assert open_files(gate) < FILES
        for writer in opened:
            writer.transport.abort()
        await asyncio.sleep(0)


async def test_one_address_can_not_take_every_place_of_a_listener(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    with running(tmp_path / "policies.yaml", tmp_path / "gate.db", open_files=str(FILES)) as gate:
        most = capacity_of(FILES)
        lines = []
        for _ in range(most.streams_of_address + 2):
            line, writer = await ask(gate, LISTEN)
            lines.append((line, writer))
        assert [line[9:12] for line, _ in lines] == [b"200"] * most.streams_of_address + [b"429"] * 2
        refused = await asyncio.to_thread(httpx.get, gate.url + "/events")
        assert (refused.headers["retry-after"], refused.json()["status"]) == ("30", 429)
        for _, writer in lines:
            writer.transport.abort()
        await asyncio.sleep(0)


async def test_a_listener_is_told_nothing_that_happens_after_its_key_was_revoked(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    settings = {"FREEZEGATE_ADMIN_KEY": ADMIN, "FREEZEGATE_ANONYMOUS_ROLE": "none"}
    with running(tmp_path / "policies.yaml", tmp_path / "gate.db", **settings) as gate:
        database = f"sqlite:///{tmp_path / 'gate.db'}"

        def keys(*words: str) -> str:
            command = [sys.executable, "-m", "app.cli", "keys", *words, "--database-url", database]
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env=clean_environment(), cwd=ROOT
            )
            return done.stdout

        made = json.loads(
            await asyncio.to_thread(keys, "create", "--name", "wall", "--role", "viewer", "--json")
        )
        reader, writer = await asyncio.open_connection(*address(gate))
        # Closed where the stream ends, so that all of it can be read.
        more = b"\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n" % made["key"].encode()
        writer.write(LISTEN.replace(b"\r\n\r\n", more))
        assert b" 200 " in await asyncio.wait_for(reader.readline(), 20)

        async def claim(service: str) -> None:
            bearer = {"Authorization": f"Bearer {ADMIN}"}
            body = {"service": service}
            reply = await asyncio.to_thread(
                httpx.post, gate.url + "/can-deploy", json=body, headers=bearer, timeout=20
            )
            assert reply.status_code == 200

        await claim("before")
        told = await asyncio.wait_for(reader.readuntil(b'"before"'), 20)
        assert b"event: decision" in told
        await asyncio.to_thread(keys, "revoke", made["id"])
        await claim("after")
        assert b'"after"' not in await asyncio.wait_for(reader.read(), 30)
        writer.close()
