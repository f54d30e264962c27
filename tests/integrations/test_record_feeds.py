"""The record leaves the gate: events to a SIEM, in order and at least once, and anchors that prove it."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from prometheus_client import CollectorRegistry, generate_latest

from app.cli import run
from app.cli.anchor_files import read_anchors
from app.core.anchor import Anchor, parse_anchor
from app.core.audit import Checkpoint, Event
from app.core.errors import FaultyValuesError, FreezegateError, MalformedValueError
from app.core.instant import HOUR, parse_instant
from app.gate import event_feed
from app.gate.anchor_check import compare_anchors
from app.gate.audit_events import Kind, happened
from app.gate.errors import StoreUnavailableError
from app.gate.event_feed import Anchoring, EventFeed
from app.gate.lease import DURATION
from app.identity.anchor_key import is_signed_by, private_key, public_key, signed
from app.integrations.anchors.section import Anchors
from app.integrations.anchors.vendor import send_anchor
from app.integrations.delivery_loop import LONGEST_PAUSE, deliver
from app.integrations.destination import Destination, DestinationError, syslog_message, syslog_server
from app.integrations.integrations import IntegrationsFileError, read_integrations_file
from app.integrations.section import check_section, resolve_secrets
from app.integrations.siem.ocsf import ocsf_event
from app.integrations.siem.push import Push
from app.integrations.siem.section import Siem
from app.outbound import Outbound
from app.server.metrics.record_feeds import RecordFeeds
from app.store.store import Store
from app.store.transaction import Transaction
from tests.api.fakes import FakeClock
from tests.store.records import PATIENT

pytestmark = pytest.mark.anyio

NOW = parse_instant("2026-11-27T13:00:00Z")
TOKEN = {"token": "s3cret"}
SIGNING = Ed25519PrivateKey.generate()
PRIVATE = SIGNING.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = SIGNING.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Endpoint:
    """An endpoint that takes what it is sent, unless it is told to fail."""

    def __init__(self) -> None:
        self.bodies: list[list[dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if endpoint.status == 200:
                    endpoint.bodies.append([json.loads(line) for line in body.splitlines()])
                    endpoint.headers.append({k.lower(): v for k, v in self.headers.items()})
                self.send_response(endpoint.status)
                self.send_header("Retry-After", "7")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
                """Be silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/ingest"

    @property
    def seqs(self) -> list[int]:
        return [each["seq"] for body in self.bodies for each in body]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    found = Endpoint()
    yield found
    found.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(f"sqlite:///{tmp_path / 'gate.db'}", deadline=PATIENT)
    yield found
    found.let_go()


@pytest.fixture
def http() -> httpx.AsyncClient:
    return httpx.AsyncClient()


def record(store: Store, number: int = 1, **data: object) -> None:
    for each in range(number):
        event = happened(NOW * 1_000_000, Kind.REQUEST_REFUSED, "ada", number=each, **data)
        store.transact(partial(_append, event=event))


def _append(transaction: Transaction, event: Event) -> None:
    transaction.append(event)


def siem(**fields: Any) -> Siem:
    section = Siem.model_validate(fields)
    resolve_secrets(section, Path(), {})
    return section


def pushing(store: Store, section: Siem, own_name: str = "one", *, at: int = NOW) -> Push:
    feed = EventFeed(store, FakeClock(at), "siem", own_name, from_start=section.since == "beginning")
    return Push(section, feed, Destination(section, Outbound()))


async def push_all(push: Push, http: httpx.AsyncClient) -> None:
    while await push.next_batch(http):
        pass


async def test_events_are_pushed_in_order_with_the_token(
    store: Store, endpoint: Endpoint, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "MOST_EVENTS", 4)
    record(store, 10)
    push = pushing(store, siem(url=endpoint.url, since="beginning", **TOKEN))
    await push_all(push, http)
    assert endpoint.seqs == list(range(1, 11))
    assert [len(body) for body in endpoint.bodies] == [4, 4, 2]
    assert endpoint.headers[0]["authorization"] == "Bearer s3cret"
    assert endpoint.headers[0]["content-type"] == "application/x-ndjson"
    assert endpoint.bodies[0][0]["kind"] == "request-refused"
    await push_all(push, http)
    assert len(endpoint.seqs) == 10


async def test_a_new_feed_begins_at_the_present_unless_it_says_otherwise(
    store: Store, endpoint: Endpoint, http: httpx.AsyncClient
) -> None:
    record(store, 3)
    push = pushing(store, siem(url=endpoint.url))
    await push_all(push, http)
    record(store, 2)
    await push_all(push, http)
    assert endpoint.seqs == [4, 5]


async def test_what_was_not_taken_is_sent_again_also_by_a_process_that_comes_after(
    store: Store, endpoint: Endpoint, http: httpx.AsyncClient
) -> None:
    record(store, 3)
    section = siem(url=endpoint.url, since="beginning")
    first = pushing(store, section)
    endpoint.status = 503
    with pytest.raises(DestinationError) as caught:
        await first.next_batch(http)
    assert (str(caught.value), caught.value.retry_after) == ("answered 503", 7)
    endpoint.status = 200
    # The first one is killed here; its lease runs out.
    second = pushing(store, section, "two", at=NOW + 2 * DURATION)
    await push_all(second, http)
    assert endpoint.seqs == [1, 2, 3]


async def test_a_batch_whose_position_could_not_be_kept_is_sent_twice_and_none_is_left_out(
    store: Store, endpoint: Endpoint, http: httpx.AsyncClient
) -> None:
    record(store, 2)
    section = siem(url=endpoint.url, since="beginning")
    first = pushing(store, section)
    assert await first._feed.take()
    batch = await first._feed.batch()
    assert batch is not None
    await first._destination.send(http, [json.dumps(each) for each in batch.events], ["t"] * 2)
    second = pushing(store, section, "two", at=NOW + 2 * DURATION)
    await push_all(second, http)
    assert endpoint.seqs == [1, 2, 1, 2]


async def test_one_replica_pushes_at_a_time_and_the_other_goes_on_where_it_stopped(
    store: Store, endpoint: Endpoint, http: httpx.AsyncClient
) -> None:
    record(store, 1)
    section = siem(url=endpoint.url, since="beginning")
    first, second = pushing(store, section), pushing(store, section, "two")
    await push_all(first, http)
    await push_all(second, http)
    await first._feed.release()
    record(store, 1)
    await push_all(second, http)
    assert endpoint.seqs == [1, 2]


async def test_a_batch_is_bounded_by_its_size(
    store: Store, endpoint: Endpoint, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "LARGEST_BATCH", 1_000)
    record(store, 3, why="x" * 900)
    await push_all(pushing(store, siem(url=endpoint.url, since="beginning")), http)
    assert [len(body) for body in endpoint.bodies] == [1, 1, 1]


def test_killed_processes_leave_no_gap(tmp_path: Path, store: Store, endpoint: Endpoint) -> None:
    """Processes push and are killed at different moments; what arrives has every event, in order."""
    record(store, 60)
    code = f"""
import asyncio, httpx, sys
from tests.integrations import test_record_feeds as t
t.event_feed.MOST_EVENTS = 3
store = t.Store.open("sqlite:///{tmp_path / "gate.db"}", deadline=t.PATIENT)
async def main():
    section = t.siem(url="{endpoint.url}", since="beginning")
    async with httpx.AsyncClient() as http:
        await t.push_all(t.pushing(store, section, sys.argv[1], at=int(sys.argv[2])), http)
asyncio.run(main())
"""
    for number in range(4):
        taken, at = len(endpoint.bodies), str(NOW + number * 2 * DURATION)
        process = subprocess.Popen([sys.executable, "-c", code, f"rep{number}", at])
        while len(endpoint.bodies) < taken + 2 + number and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.wait()

    async def push_the_rest() -> None:
        section = siem(url=endpoint.url, since="beginning")
        async with httpx.AsyncClient() as http:
            await push_all(pushing(store, section, "last", at=NOW + 20 * DURATION), http)

    asyncio.run(push_the_rest())
    assert list(dict.fromkeys(endpoint.seqs)) == list(range(1, 61))


async def test_the_lag_is_in_the_metrics_of_the_replica_that_pushes(
    store: Store, endpoint: Endpoint, http: httpx.AsyncClient
) -> None:
    record(store, 5)
    clock = FakeClock(NOW + 60)
    feed = EventFeed(store, clock, "siem", "one", from_start=True)
    anchoring = Anchoring(store, clock, HOUR, "one")
    registry = CollectorRegistry()
    registry.register(RecordFeeds([feed], [anchoring], clock))
    assert "freezegate_siem_events_waiting 5" not in generate_latest(registry).decode()
    await feed.take()
    assert await feed.batch() is not None
    await anchoring.due()
    clock.at += 10
    assert "freezegate_anchor_overdue_seconds 10.0" in generate_latest(registry).decode()
    clock.at -= 10
    await anchoring.passed()
    text = generate_latest(registry).decode()
    assert "freezegate_siem_events_waiting 5.0" in text
    assert "freezegate_siem_age_seconds 60.0" in text
    assert "freezegate_anchor_overdue_seconds 0.0" in text
    batch = await feed.batch()
    assert batch is not None
    await feed.passed(batch)
    assert "freezegate_siem_events_waiting 0.0" in generate_latest(registry).decode()
    assert "freezegate_siem_age_seconds 0.0" in generate_latest(registry).decode()


def test_ocsf_has_the_required_attributes_of_a_base_event_and_nothing_made_up() -> None:
    event = {"seq": 7, "at": "2026-11-27T13:00:00Z", "kind": "override-spent", "actor": None,
             "data": {"a": 1}, "hash": "ab"}  # fmt: skip
    found = ocsf_event(event)
    assert {key: found[key] for key in ("category_uid", "class_uid", "activity_id", "type_uid")} == {
        "category_uid": 0, "class_uid": 0, "activity_id": 99, "type_uid": 99,
    }  # fmt: skip
    assert found["time"] == NOW * 1_000
    assert found["severity_id"] == 3
    assert found["metadata"]["version"] == "1.3.0"
    assert found["metadata"]["product"]["name"] == "freezegate"
    assert (found["metadata"]["sequence"], found["metadata"]["uid"]) == (7, "ab")
    assert found["unmapped"] == {"actor": None, "data": {"a": 1}}
    assert ocsf_event({**event, "kind": "decision", "actor": "ada"})["severity_id"] == 1
    said = [
        ocsf_event({**event, "kind": kind, "actor": actor})["message"]
        for kind, actor in (("decision", "ada"), ("decision", None), ("record-pruned", None))
    ]
    assert said == ["decision by ada", "decision by anonymous", "record-pruned by freezegate"]


async def test_ocsf_is_sent_where_it_is_asked_for(
    store: Store, endpoint: Endpoint, http: httpx.AsyncClient
) -> None:
    record(store, 1)
    await push_all(pushing(store, siem(url=endpoint.url, since="beginning", format="ocsf")), http)
    assert endpoint.bodies[0][0]["class_uid"] == 0


async def test_a_file_gets_whole_lines_after_a_crash(
    store: Store, tmp_path: Path, http: httpx.AsyncClient
) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text('{"seq": 1}\n{"se')
    record(store, 2)
    await push_all(pushing(store, siem(file=str(file), since="beginning")), http)
    lines = file.read_text().splitlines()
    assert lines[:2] == ['{"seq": 1}', '{"se']
    assert [json.loads(line)["seq"] for line in lines[2:]] == [1, 2]
    gone = siem(file=str(tmp_path / "none" / "x"), since="beginning")
    record(store, 1)
    with pytest.raises(DestinationError, match="FileNotFoundError"):
        await pushing(store, gone, at=NOW + 2 * DURATION).next_batch(http)


def test_a_syslog_message_has_the_form_of_rfc_5424() -> None:
    text = syslog_message('{"a": "é"}', "2026-11-27T13:00:00Z")
    head, _, line = text.partition(b"\xef\xbb\xbf")
    assert line.decode() == '{"a": "é"}'
    parts = head.decode("ascii").split(" ")
    assert parts[0] == "<110>1"
    assert parts[1] == "2026-11-27T13:00:00Z"
    assert parts[3] == "freezegate"
    assert parts[5:] == ["audit", "-", ""]


async def test_syslog_over_tcp_counts_octets(store: Store, http: httpx.AsyncClient) -> None:
    got = bytearray()
    done = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.extend(await reader.read())
        writer.close()
        done.set()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    record(store, 2)
    port = server.sockets[0].getsockname()[1]
    await push_all(pushing(store, siem(syslog=f"tcp://127.0.0.1:{port}", since="beginning")), http)
    await asyncio.wait_for(done.wait(), 20)
    server.close()
    rest, messages = bytes(got), []
    while rest:
        length, _, rest = rest.partition(b" ")
        messages.append(rest[: int(length)])
        rest = rest[int(length) :]
    assert [json.loads(each.partition(b"\xef\xbb\xbf")[2])["seq"] for each in messages] == [1, 2]


async def test_syslog_over_udp_has_a_datagram_for_each_event(store: Store, http: httpx.AsyncClient) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        record(store, 1)
        port = server.getsockname()[1]
        await push_all(pushing(store, siem(syslog=f"udp://127.0.0.1:{port}", since="beginning")), http)
        assert b'"seq": 1' in server.recv(65_536)


@pytest.mark.parametrize("form", ["json", "ocsf"])
async def test_an_event_too_large_for_a_datagram_is_shortened_and_stays_json(
    store: Store, http: httpx.AsyncClient, form: str
) -> None:
    record(store, 1, text="é" * 40_000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        url = f"udp://127.0.0.1:{server.getsockname()[1]}"
        await push_all(pushing(store, siem(syslog=url, format=form, since="beginning")), http)
        sent = json.loads(server.recv(65_536).partition(b"\xef\xbb\xbf")[2])
    assert list(sent.get("unmapped", sent)["data"]) == ["left_out"]
    assert sent.get("seq") == 1 or sent["metadata"]["sequence"] == 1


def test_the_ports_of_syslog_are_the_registered_ones() -> None:
    assert syslog_server("tls://siem.example.com").port == 6514
    assert syslog_server("udp://siem.example.com").port == 514
    assert syslog_server("tcp://siem.example.com:1514").port == 1514


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("siem: {}", "exactly one of url, file and syslog is required"),
        ("siem: {url: 'http://siem.example.com'}", "must begin with https://"),
        ("siem: {file: a, syslog: 'tls://a'}", "exactly one of url, file and syslog is required"),
        ("siem: {syslog: 'http://a'}", "must be tls://, tcp:// or udp:// and a host"),
        ("siem: {file: a, format: cef}", '"cef" is not one of json, ocsf'),
        ("anchors: {file: a, every: 5s}", "must be between a minute and 31 days"),
        ("anchors: {file: a, key: x}", "is no private key of Ed25519"),
    ],
)
def test_a_wrong_section_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "integrations.yaml"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(IntegrationsFileError) as caught:
        read_integrations_file(file, {})
    assert words.replace('"cef"', "this") in str(caught.value) or words in str(caught.value)


def anchors(**fields: Any) -> Anchors:
    section = Anchors.model_validate(fields)
    resolve_secrets(section, Path(), {})
    check_section(section)
    return section


async def test_anchors_are_made_at_the_interval_signed_and_verified(
    store: Store, tmp_path: Path, http: httpx.AsyncClient
) -> None:
    file, clock = tmp_path / "anchors.ndjson", FakeClock(NOW)
    section = anchors(file=str(file), key=PRIVATE, every="1h")
    anchoring = Anchoring(store, clock, section.every, "one")
    for _ in range(3):
        record(store, 2)
        for _ in range(2):
            await send_anchor(section, anchoring, Destination(section, Outbound()), http)
        clock.at += HOUR
    made = [parse_anchor(line) for line in file.read_text().splitlines()]
    assert [each.seq for each in made] == [2, 4, 6]
    assert all(is_signed_by(each, public_key(PUBLIC)) for each in made)
    assert not is_signed_by(made[0]._replace(seq=3), public_key(PUBLIC))
    assert not is_signed_by(made[0]._replace(signature=None), public_key(PUBLIC))
    assert not is_signed_by(made[0]._replace(signature="#"), public_key(PUBLIC))
    found = compare_anchors(store.query, made)
    assert (found.agreeing, found.pruned, found.fault) == (3, 0, None)
    await anchoring.release()


async def test_another_replica_makes_no_anchor_meanwhile(store: Store) -> None:
    first, second = Anchoring(store, FakeClock(NOW), HOUR, "one"), Anchoring(store, FakeClock(NOW), HOUR, "b")
    assert await first.due() is not None
    assert await second.due() is None


def test_a_record_that_was_written_anew_or_cut_off_contradicts_its_anchors(store: Store) -> None:
    record(store, 3)
    good = store.query(lambda view: view.events_after(1, 1))[0]
    other = Anchor(2, "f" * 64, "2026-11-27T13:00:00Z")
    beyond = Anchor(9, good.hash, "2026-11-27T13:00:00Z")
    right = Anchor(2, good.hash, "t")
    assert right.checkpoint == Checkpoint(2, good.hash)
    assert compare_anchors(store.query, [right, Anchor(0, "0" * 64, "t")]).agreeing == 2
    assert "event 2 has another hash: the record was written anew" in str(
        compare_anchors(store.query, [right, other]).fault
    )
    assert "event 9 is missing: the record was cut off" in str(compare_anchors(store.query, [beyond]).fault)


def test_audit_verify_compares_the_record_with_anchors(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(store, 2)
    head = store.query(lambda view: view.head())
    url, file, key = f"sqlite:///{tmp_path / 'gate.db'}", tmp_path / "anchors", tmp_path / "key.pem"
    anchor = signed(Anchor(head.seq, head.hash, "2026-11-27T13:00:00Z"), SIGNING)
    file.write_text(json.dumps({"host": "collector", **anchor.to_json()}) + "\n\n")
    key.write_text(PUBLIC)
    command = ["audit", "verify", "--database-url", url, "--anchor", str(file)]
    assert run([*command, "--anchor-key", str(key)]) == 0
    assert "It leads to 1 anchor." in capsys.readouterr().out
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["anchors"] == {"agreeing": 1, "pruned": 0, "fault": None}
    file.write_text(json.dumps(anchor._replace(hash="e" * 64).to_json()))
    assert run(command) == 1
    assert "has another hash" in capsys.readouterr().err
    assert run([*command, "--anchor-key", str(key)]) == 2
    assert "anchors:1: this anchor is not signed by the key" in capsys.readouterr().err
    assert run(["audit", "verify", "--database-url", url, "--anchor-key", str(key)]) == 2
    assert "--anchor-key needs --anchor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "there is no anchor in it"),
        (b"{}", "anchors:1: this is no anchor"),
        (b"[]", "anchors:1: this is no anchor"),
        (b'{"freezegate_anchor": 1, "seq": 1, "hash": "a"}', "anchors:1: this anchor is not complete"),
        (b"\xff", "this is no text"),
    ],
)
def test_a_file_without_anchors_is_wrong_usage(tmp_path: Path, text: bytes, words: str) -> None:
    file = tmp_path / "anchors"
    file.write_bytes(text)
    with pytest.raises(Exception, match=words):
        read_anchors(file, None)


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedValueError):
        private_key(PUBLIC)
    with pytest.raises(MalformedValueError):
        public_key(PRIVATE)
    file, key = tmp_path / "anchors", tmp_path / "key"
    file.write_text(json.dumps(Anchor(1, "a", "t").to_json()))
    key.write_text("no key")
    with pytest.raises(Exception, match="--anchor-key: the file is no public key"):
        read_anchors(file, key)
    with pytest.raises(FaultyValuesError):
        anchors(file="a", key="x")


async def test_failures_are_tried_again_after_growing_pauses() -> None:
    pauses: list[float] = []
    replies: list[object] = [
        *[StoreUnavailableError("gone")] * 12, DestinationError("answered 429", 400), True, False,
    ]  # fmt: skip

    async def attempt() -> bool:
        reply = replies.pop(0)
        if isinstance(reply, FreezegateError):
            raise reply
        return bool(reply)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if not replies:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await deliver("x", attempt, 5.0, sleep=sleep, jitter=lambda: 0.0)
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(pauses[:12]) == LONGEST_PAUSE
    assert pauses[12:] == [400, 5.0]
