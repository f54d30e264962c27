"""A request that offers an upgrade keeps its body, and no part of a body is ever read as a request.

Java's HttpClient and ``curl --http2`` offer HTTP/2 with every request on plain HTTP; proxies with the usual
websocket settings pass on whatever offer comes.
"""

import asyncio
import contextlib
import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.gate import Gate, running

pytestmark = pytest.mark.anyio

POLICIES = """version: 1
environments: [production, staging]
policies:
  - id: frozen
    title: Frozen
    reason: A test.
    applies_to: {services: ["frozen-*"]}
    when: [{always: true}]
"""
CONNECTIONS = 200
ROUNDS = 6
OFFERS = (
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "upgrade: TLS/1.0, something/2\r\nCONNECTION: upgrade\r\n",
    "Connection: upgrade\r\nConnection: keep-alive\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
)
JAVA = """
import java.net.URI;
import java.net.http.*;

public class Claim {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (String service : new String[] {"open-java", "frozen-java"}) {
            HttpRequest claim = HttpRequest.newBuilder(URI.create(args[0] + "/can-deploy"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString("{\\"service\\": \\"" + service + "\\"}")).build();
            HttpResponse<String> reply = client.send(claim, HttpResponse.BodyHandlers.ofString());
            System.out.println(reply.statusCode() + " " + reply.body());
        }
    }
}
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("gate")
    (folder / "policies.yaml").write_text(POLICIES)
    settings = {"FREEZEGATE_ANONYMOUS_CLAIMS": "100000/minute"}
    with running(folder / "policies.yaml", folder / "gate.db", **settings) as gate:
        yield gate


def address(gate: Gate) -> tuple[str, int]:
    host, _, port = gate.url.removeprefix("http://").partition(":")
    return host, int(port)


def post(body: bytes, offer: str, more: str = "") -> bytes:
    head = (
        f"POST /can-deploy HTTP/1.1\r\nHost: gate\r\n{offer}Content-Type: application/json\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(service: str, offer: str = "") -> bytes:
    return f"GET /can-deploy?service={service} HTTP/1.1\r\nHost: gate\r\n{offer}\r\n".encode()


async def reply_to(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    [length] = [int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length:")]
    return int(head.split(" ", 2)[1]), json.loads(await reader.readexactly(length))


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("apart", [False, True], ids=["in one packet", "head and body apart"])
async def test_a_claim_that_offers_an_upgrade_is_decided_and_its_connection_goes_on(
    gate: Gate, offer: str, *, apart: bool
) -> None:
    reader, writer = await asyncio.open_connection(*address(gate))
    for service, status in (("open-1", 200), ("frozen-1", 423), ("open-2", 200)):
        claim = post(json.dumps({"service": service}).encode(), offer)
        cut = claim.index(b"\r\n\r\n") + 4 if apart else len(claim)
        writer.write(claim[:cut])
        await asyncio.sleep(0.02 if apart else 0)
        writer.write(claim[cut:])
        assert (await reply_to(reader))[0] == status
    writer.write(get("open-3", offer))
    assert (await reply_to(reader))[1]["service"] == "open-3"
    writer.close()


@pytest.mark.parametrize("offer", OFFERS)
async def test_a_body_that_looks_like_a_request_is_a_body(gate: Gate, offer: str) -> None:
    reader, writer = await asyncio.open_connection(*address(gate))
    writer.write(post(get("open-of-the-body"), offer))
    await asyncio.sleep(0.02)
    writer.write(get("frozen-asked"))
    assert (await reply_to(reader))[0] == 422
    assert (await reply_to(reader))[1]["service"] == "frozen-asked"
    writer.close()


@pytest.mark.parametrize("offer", OFFERS)
async def test_a_chunked_body_is_delivered_as_well(gate: Gate, offer: str) -> None:
    reader, writer = await asyncio.open_connection(*address(gate))
    head = f"POST /can-deploy HTTP/1.1\r\nHost: gate\r\n{offer}Content-Type: application/json\r\n"
    body = b'{"service": "frozen-chunks"}'
    for piece in (head.encode(), b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\n" + body[:5] + b"\r\n"):
        writer.write(piece)
        await asyncio.sleep(0.01)
    writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) - 5, body[5:]) + get("open-next"))
    assert (await reply_to(reader))[1]["service"] == "frozen-chunks"
    assert (await reply_to(reader))[1]["service"] == "open-next"
    writer.close()


async def test_every_reply_names_the_service_that_was_asked_for(gate: Gate) -> None:
    chance = random.Random(9)

    async def ask(number: int) -> None:
        reader, writer = await asyncio.open_connection(*address(gate))
        for turn in range(ROUNDS):
            kind = chance.choice(("open", "frozen"))
            service = f"{kind}-{number}-{turn}"
            offer = chance.choice(("", *OFFERS))
            if chance.random() < 0.5:
                writer.write(get(service, offer))
            else:
                claim = post(json.dumps({"service": service}).encode(), offer)
                cut = chance.randrange(1, len(claim))
                writer.write(claim[:cut])
                await asyncio.sleep(chance.random() / 100)
                writer.write(claim[cut:])
            status, told = await reply_to(reader)
            assert (told["service"], status) == (service, 200 if kind == "open" else 423)
        writer.close()

    await asyncio.gather(*(ask(number) for number in range(CONNECTIONS)))


async def test_many_offers_sent_at_once_are_answered_in_turn(gate: Gate) -> None:
    reader, writer = await asyncio.open_connection(*address(gate))
    names = [f"{kind}-{number}" for number in range(6) for kind in ("open", "frozen")]
    claims = [post(json.dumps({"service": name}).encode(), OFFERS[0]) for name in names]
    writer.write(b"".join(claims))
    assert [(await reply_to(reader))[1]["service"] for _ in names] == names
    writer.close()


async def test_a_tunnel_is_refused_and_nothing_behind_it_is_read(gate: Gate) -> None:
    reader, writer = await asyncio.open_connection(*address(gate))
    writer.write(b"CONNECT gate:1400 HTTP/1.1\r\nHost: gate:1400\r\n\r\n" + get("open-tunnelled"))
    status, told = await reply_to(reader)
    assert (status, told["status"]) == (405, 405)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: +3\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
    ],
)
@pytest.mark.parametrize("offer", ["", OFFERS[0]])
async def test_a_body_of_unclear_length_closes_the_connection(gate: Gate, framing: str, offer: str) -> None:
    reader, writer = await asyncio.open_connection(*address(gate))
    head = (
        f"POST /can-deploy HTTP/1.1\r\nHost: gate\r\n{offer}{framing}Content-Type: application/json\r\n\r\n"
    )
    writer.write(head.encode() + b"0\r\n\r\n" + get("open-smuggled"))
    status, _ = await reply_to(reader)
    assert status == 400
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_request_of_http_1_0_is_answered_once_and_closed(gate: Gate) -> None:
    reader, writer = await asyncio.open_connection(*address(gate))
    old = post(b'{"service": "open-old"}', "Connection: keep-alive\r\n").replace(b"HTTP/1.1", b"HTTP/1.0")
    writer.write(old + get("open-smuggled"))
    assert (await reply_to(reader))[1]["service"] == "open-old"
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_who_waits_for_100_is_told_to_go_on_and_decided(gate: Gate) -> None:
    reader, writer = await asyncio.open_connection(*address(gate))
    claim = post(b'{"service": "frozen-wait"}', OFFERS[0], "Expect: 100-continue\r\n")
    head, body = claim[: claim.index(b"\r\n\r\n") + 4], claim[claim.index(b"\r\n\r\n") + 4 :]
    writer.write(head)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(body)
    assert (await reply_to(reader))[1]["service"] == "frozen-wait"
    writer.close()


async def test_who_waits_for_100_and_is_refused_has_its_connection_closed(gate: Gate) -> None:
    reader, writer = await asyncio.open_connection(*address(gate))
    refused = post(b"", "", "Expect: 100-continue\r\n").replace(b"Length: 0", b"Length: 70000")
    writer.write(refused)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    # Else this client's next request would be taken for the body that it kept to itself.
    assert b"connection: close" in head
    writer.close()


async def test_fields_behind_a_chunked_body_are_no_headers(gate: Gate) -> None:
    reader, writer = await asyncio.open_connection(*address(gate))
    head = b"POST /can-deploy HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n"
    for number in range(2):
        body = b'{"service": "open-trailer-%d"}' % number
        writer.write(head + b"Content-Type: application/json\r\n\r\n%x\r\n%s\r\n0\r\n" % (len(body), body))
        # As headers, both would be refused: the first is no token, the second a key used for something else.
        writer.write(b"X-Override-Token: none\r\nIdempotency-Key: the-same\r\n\r\n")
        status, told = await reply_to(reader)
        assert (status, told["service"], told["override"]) == (200, f"open-trailer-{number}", None)
    writer.close()


def test_curl_that_offers_http_2_claims(gate: Gate) -> None:
    curl = shutil.which("curl")
    if curl is None or b"HTTP2" not in subprocess.run([curl, "-V"], check=True, capture_output=True).stdout:
        pytest.skip("there is no curl here that speaks HTTP/2")
    for service, status in (("open-curl", "200"), ("frozen-curl", "423")):
        body = json.dumps({"service": service})
        command = [curl, "-sS", "--http2", "-w", "\n%{http_code}", "-H", "Content-Type: application/json"]
        asked = subprocess.run(
            [*command, "-d", body, gate.url + "/can-deploy"], check=True, capture_output=True, text=True
        )
        answer, _, code = asked.stdout.rpartition("\n")
        assert (json.loads(answer)["service"], code) == (service, status)


def test_the_client_of_java_claims(gate: Gate, tmp_path: Path) -> None:
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None:
        pytest.skip("there is no Java here with a compiler")
    (tmp_path / "Claim.java").write_text(JAVA)
    command = [java, str(tmp_path / "Claim.java"), gate.url]
    asked = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    replies = [line.split(" ", 1) for line in asked.stdout.splitlines()]
    assert [(status, json.loads(body)["service"]) for status, body in replies] == [
        ("200", "open-java"),
        ("423", "frozen-java"),
    ]


def test_httpx_is_answered_as_ever(gate: Gate) -> None:
    with httpx.Client(base_url=gate.url) as client:
        assert client.post("/can-deploy", json={"service": "open-httpx"}).json()["service"] == "open-httpx"
