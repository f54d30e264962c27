"""The gate behind real proxies, with the configurations that the pages show."""

import contextlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from email.message import Message
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.identity.credentials import new_key, new_token
from tests.live.gate import Gate, running
from tests.proxies.servers import HOST, KINDS, PAGES, Proxy, caddy, proxy

POLICIES = """\
version: 1
policies:
  - id: closed
    title: Closed
    reason: For a test.
    applies_to: {services: ["closed*"]}
    when: [{always: true}]
"""
KEY = new_key()
AS_ADMIN = {"Authorization": f"Bearer {KEY}"}
A_MOMENT = 10.0
"""Seconds within which what is not buffered is there; a sign of life would come after 15."""


class Behind(NamedTuple):
    """A gate, and the proxy before it."""

    name: str
    gate: Gate
    proxy: Proxy


@pytest.fixture(scope="module", params=sorted(KINDS))
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "policies.yaml").write_text(POLICIES)
    settings = {
        "FREEZEGATE_ADMIN_KEY": KEY,
        "FREEZEGATE_TRUSTED_PROXIES": "127.0.0.1",
        "FREEZEGATE_ANONYMOUS_CLAIMS": "3/hour",
    }
    (folder / "proxy").mkdir()
    with (
        running(folder / "policies.yaml", folder / "gate.db", **settings) as gate,
        proxy(request.param, gate.url, folder / "proxy") as before,
    ):
        yield Behind(request.param, gate, before)


class Reply(NamedTuple):
    status: int
    headers: Message
    content: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.content)
        return found


def send(
    connection: HTTPSConnection,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    content = None if body is None else json.dumps(body).encode()
    kind = {} if content is None else {"Content-Type": "application/json"}
    connection.request(method, path, content, {**kind, **(headers or {})})
    reply: HTTPResponse = connection.getresponse()
    return Reply(reply.status, reply.headers, reply.read())


def claim(connection: HTTPSConnection, service: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(connection, "POST", "/can-deploy", {"service": service}, {**AS_ADMIN, **named})


@contextlib.contextmanager
def connected(behind: Behind, host: str = HOST, source: str = "127.0.0.1") -> Iterator[HTTPSConnection]:
    with contextlib.closing(behind.proxy.connection(host, source)) as connection:
        yield connection


def test_claims_and_questions_get_the_answers_of_the_gate(behind: Behind) -> None:
    with connected(behind) as connection:
        allowed, denied = claim(connection, "api"), claim(connection, "closed")
        asked = send(connection, "GET", "/can-deploy?service=closed")
        token = claim(connection, "closed", X_Override_Token=new_token()).json["override"]
    assert (allowed.status, allowed.json["allowed"]) == (200, True)
    assert (denied.status, denied.json["blocking"][0]["id"]) == (423, "closed")
    assert (asked.status, asked.headers["Cache-Control"]) == (423, "no-store")
    assert token["result"] == "invalid"


def test_a_header_with_an_underscore_is_lost_on_the_way_through_nginx_and_lets_nothing_through(
    behind: Behind,
) -> None:
    with connected(behind) as connection:
        headers = {**AS_ADMIN, "X_Override_Token": new_token()}
        reply = send(connection, "POST", "/can-deploy", {"service": "closed"}, headers)
    assert (reply.status, reply.json["override"]) == (423, None)


def test_each_of_many_on_kept_connections_gets_its_own_answer(behind: Behind) -> None:
    wrong: list[object] = []

    def ask(worker: int) -> None:
        with connected(behind) as connection:
            for number in range(40):
                service = f"{'closed' if number % 3 else 'open'}-{worker}-{number}"
                # As Java's client and `curl --http2` offer it with each POST.
                offer = {
                    "Connection": "Upgrade, HTTP2-Settings",
                    "Upgrade": "h2c",
                    "HTTP2-Settings": "AAMAAABk",
                }
                headers = {**AS_ADMIN, **(offer if number % 2 else {})}
                reply = send(connection, "POST", "/can-deploy", {"service": service}, headers)
                if reply.status != (423 if number % 3 else 200) or reply.json["service"] != service:
                    wrong.append((service, reply))
                reply = send(connection, "GET", f"/can-deploy?service={service}")
                if reply.json["service"] != service:
                    wrong.append((service, reply))

    workers = [threading.Thread(target=ask, args=(worker,)) for worker in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_news_come_at_once_and_the_stream_is_not_buffered(behind: Behind) -> None:
    with connected(behind) as listening, connected(behind) as acting:
        listening.request("GET", "/events", headers=AS_ADMIN)
        reply = listening.getresponse()
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        freeze = {"title": "Incident", "reason": "For a test.", "services": ["elsewhere"], "ttl": "1h"}
        started = send(acting, "POST", "/freezes", freeze, AS_ADMIN)
        assert started.status == 201, started
        began = time.monotonic()
        for line in reply:
            if started.json["id"].encode() in line:
                break
        assert time.monotonic() - began < A_MOMENT


def test_callers_are_told_apart_by_their_address_and_can_not_choose_it(behind: Behind) -> None:
    def statuses(source: str, times: int, **headers: str) -> list[int]:
        with connected(behind, source=source) as connection:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            body = {"service": "api"}
            return [send(connection, "POST", "/can-deploy", body, sent).status for _ in range(times)]

    assert statuses("127.0.0.2", 4) == [200, 200, 200, 429]
    assert statuses("127.0.0.3", 1) == [200]
    for number in range(3):
        assert statuses("127.0.0.2", 1, X_Forwarded_For=f"203.0.113.{number}") == [429]


def test_a_name_that_is_not_served_is_an_error(behind: Behind) -> None:
    with connected(behind, "other.example.com") as connection:
        reply = send(connection, "GET", "/can-deploy?service=api")
    assert reply.status >= 400


def test_a_body_that_is_too_large_is_refused(behind: Behind) -> None:
    with connected(behind) as connection:
        reply = send(connection, "POST", "/can-deploy", {"service": "api", "ref": "x" * 70_000}, AS_ADMIN)
    assert reply.status == 413


CHANGES = {
    "nginx": ("location / {", "location /freezegate/ {"),
    "caddy": (
        "reverse_proxy {gate}",
        "handle /freezegate/* {\n\treverse_proxy {gate}\n\t}\n\thandle {\n\trespond 404\n\t}",
    ),
    "haproxy": ("if { hdr(host),", "if { path_beg /freezegate/ } { hdr(host),"),
    "apache": ('ProxyPass "/" "http://{gate}/"', 'ProxyPass "/freezegate/" "http://{gate}/freezegate/"'),
}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_below_a_path_pages_and_answers_are_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    (tmp_path / "proxy").mkdir()
    settings = {"FREEZEGATE_ADMIN_KEY": KEY, "FREEZEGATE_ROOT_PATH": "/freezegate"}
    with running(tmp_path / "policies.yaml", tmp_path / "gate.db", **settings) as gate:
        before, after = (each.replace("{gate}", gate.url.removeprefix("http://")) for each in CHANGES[name])

        def below(text: str) -> str:
            assert before in text
            return text.replace(before, after)

        with (
            proxy(name, gate.url, tmp_path / "proxy", below) as made,
            contextlib.closing(made.connection()) as connection,
        ):
            assert send(connection, "GET", "/freezegate/can-deploy?service=api").json["allowed"]
            page = send(connection, "GET", "/freezegate/")
            assert page.status == 200
            links = set(re.findall(r'(?:href|src|action)="(/[^"#?]*)', page.content.decode()))
            assert links
            for link in links:
                assert link.startswith("/freezegate/"), link
                assert send(connection, "GET", link).status in (200, 303, 405), link
            assert send(connection, "GET", "/can-deploy?service=api").status in (403, 404, 503)


def test_the_client_line_does_not_take_the_empty_200_of_caddy_for_an_allow(tmp_path: Path) -> None:
    """What it answers by default to a name that no site has; here 127.0.0.1."""
    line = re.search(r"```sh\n(curl.*?) &&\n", (PAGES.parent / "ci" / "shell.md").read_text(), re.DOTALL)
    assert line is not None
    page = f"http://{HOST} {{\n\treverse_proxy 127.0.0.1:1\n}}\n"
    with caddy(page, tmp_path) as port:
        url = f"http://127.0.0.1:{port}"
        bare = run("curl", "-fsS", f"{url}/can-deploy?service=checkout")
        assert (bare.returncode, bare.stdout) == (0, "")
        done = run("sh", "-c", line[1], FREEZEGATE_URL=url, FREEZEGATE_API_KEY=KEY)
        assert done.returncode != 0, done


def run(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, env=kept, capture_output=True, text=True, check=False, timeout=60)
