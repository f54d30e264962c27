"""What ordinary clients make of a deny, as `docs/how-to/ci/http-clients.md` says; those that are at hand."""

import http.client
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

import httpx
import pytest
import requests
from urllib3.util import Retry

BODY = b'{"allowed": false}'
DAYS = 30 * 86_400


class Deny(NamedTuple):
    url: str
    asked: list[str]


@pytest.fixture
def deny() -> Iterator[Deny]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(423)
            self.send_header("Retry-After", str(DAYS))
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Deny(f"http://127.0.0.1:{server.server_port}/", asked)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("options", "status"),
    [(["-sS"], 0), (["-fsS"], 22), (["-fsS", "--retry", "2"], 22)],
    ids=["plain", "-f", "--retry"],
)
def test_curl_fails_with_f_and_never_retries(deny: Deny, options: list[str], status: int) -> None:
    done = subprocess.run(["curl", *options, deny.url], capture_output=True, check=False, timeout=20)
    assert done.returncode == status
    assert (done.stdout == BODY) is (status == 0)
    assert len(deny.asked) == 1


@pytest.mark.skipif(shutil.which("wget") is None, reason="there is no wget here")
def test_wget_fails(deny: Deny) -> None:
    done = subprocess.run(["wget", "-qO-", deny.url], capture_output=True, check=False, timeout=20)
    assert done.returncode == 8
    assert len(deny.asked) == 1


def test_urllib_raises(deny: Deny) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(deny.url, timeout=20)  # noqa: S310 - our own
    assert raised.value.code == http.client.LOCKED
    raised.value.close()


def test_requests_and_httpx_do_not_fail_unless_they_are_told_to(deny: Deny) -> None:
    by_requests = requests.get(deny.url, timeout=20)
    by_httpx = httpx.get(deny.url, timeout=20, trust_env=False)
    assert by_requests.status_code == by_httpx.status_code == 423
    with pytest.raises(requests.HTTPError):
        by_requests.raise_for_status()
    with pytest.raises(httpx.HTTPStatusError):
        by_httpx.raise_for_status()


def test_urllib3_retries_no_deny_unless_it_is_listed() -> None:
    assert not Retry(total=3).is_retry("GET", 423, has_retry_after=True)
    assert Retry(total=3, status_forcelist=[423]).is_retry("GET", 423, has_retry_after=True)
