"""Fetching a calendar: from whom, by what connection, and what is taken of an answer."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest

from app.outbound import Outbound
from app.policies.calendars.addresses import Reach
from app.policies.calendars.fetch import CalendarFetchError, Fetch, Fetcher, Validators, resolve
from tests.company import PrivateCA, forward_proxy, secure_server
from tests.policies.calendars.calendar_server import CALENDAR, CalendarServer, redirect, reply

pytestmark = pytest.mark.anyio

HERE = (ip_network("127.0.0.0/8"),)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)


class Names:
    """A resolver with names of its own."""

    def __init__(self, **names: Sequence[str]) -> None:
        self.names = names
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        found = self.names.get(host.partition(".")[0])
        if found is None:
            raise OSError
        return found


@pytest.fixture
async def server() -> AsyncIterator[CalendarServer]:
    async with CalendarServer() as server:
        yield server


def fetcher(server: CalendarServer, *, names: Names | None = None, total: float = 30.0) -> Fetcher:
    """A fetcher that is allowed what the test server needs: no encryption, its port, this machine."""
    reach = Reach(HERE, (server.port,), http=True)
    here = names or Names(calendar=["127.0.0.1"])
    return Fetcher(Outbound(), reach, resolve=here, total=total, wait=30.0)


def url(server: CalendarServer, path: str = "/x.ics") -> str:
    return f"http://calendar.example:{server.port}{path}"


async def refused(server: CalendarServer, answer: object, *, total: float = 30.0) -> str:
    """Why an answer is not taken."""
    server.replies["/x.ics"] = answer  # type: ignore[assignment]
    with pytest.raises(CalendarFetchError) as caught:
        await fetcher(server, total=total).fetch(url(server))
    assert "x.ics" not in str(caught.value)
    return str(caught.value)


async def test_a_calendar_is_fetched_as_it_is(server: CalendarServer) -> None:
    path = "/ical/a%40group.example/private-1/basic.ics?x=1&y=%2F"
    server.replies[path] = reply(ETag='"1"', Last_Modified="Sun, 01 Nov 2026 00:00:00 GMT")
    found = await fetcher(server).fetch(url(server, path))
    assert found == Fetch(CALENDAR, Validators('"1"', "Sun, 01 Nov 2026 00:00:00 GMT"))
    (head,) = server.requests
    assert head.splitlines()[0] == f"GET {path} HTTP/1.1"
    assert f"Host: calendar.example:{server.port}\r\n" in head
    assert "If-" not in head


async def test_a_known_version_is_not_sent_again(server: CalendarServer) -> None:
    server.replies["/x.ics"] = reply("", "304 Not Modified")
    known = Validators('W/"1"', "Sun, 01 Nov 2026 00:00:00 GMT")
    assert await fetcher(server).fetch(url(server), known) == Fetch(None, known)
    assert 'If-None-Match: W/"1"\r\n' in server.requests[0]
    assert "If-Modified-Since: Sun, 01 Nov 2026 00:00:00 GMT\r\n" in server.requests[0]
    assert "answers 304" in await refused(server, reply("", "304 Not Modified"))


async def test_validators_that_could_not_be_sent_back_are_dropped(server: CalendarServer) -> None:
    server.replies["/x.ics"] = reply(ETag='"' + "x" * 2_000 + '"', Last_Modified="")
    assert (await fetcher(server).fetch(url(server))).validators == Validators()


async def test_a_compressed_answer_is_decompressed(server: CalendarServer) -> None:
    server.replies["/x.ics"] = reply(gzip.compress(CALENDAR.encode()), Content_Encoding="gzip")
    assert (await fetcher(server).fetch(url(server))).text == CALENDAR


async def test_a_byte_order_mark_is_no_part_of_the_text(server: CalendarServer) -> None:
    server.replies["/x.ics"] = reply(b"\xef\xbb\xbf" + CALENDAR.encode(), Content_Type="")
    assert (await fetcher(server).fetch(url(server))).text == CALENDAR


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (reply("", "401 Unauthorized"), "asks for a sign-in"),
        (reply("", "403 Forbidden"), "refuses access"),
        (reply("", "404 Not Found"), "no such calendar"),
        (reply("", "410 Gone"), "is gone"),
        (reply("", "429 Too Many Requests"), "asked too often"),
        (reply("", "500 Internal Server Error"), "answers 500"),
        (reply("", "204 No Content"), "answers 204"),
        (reply("", "302 Found"), "answers 302"),
        (reply(""), "sent nothing"),
        (reply(" \r\n"), "sent nothing"),
        (reply("<!doctype html><html>Sign in</html>"), "a web page and no calendar"),
        (reply("<html>", Content_Type="text/plain"), "a web page and no calendar"),
        (reply(CALENDAR, Content_Type="text/html; charset=utf-8"), "a web page and no calendar"),
        (reply('{"error": "x"}'), "does not begin with BEGIN:VCALENDAR"),
        (reply(CALENDAR[:-40]), "breaks off: END:VCALENDAR is missing"),
        (reply(CALENDAR)[:-40], "breaks off, or is no HTTP"),
        (reply(CALENDAR.replace("Freeze", "Fr\xe4").encode("latin-1")), "not UTF-8"),
        (reply(b"BEGIN:VCALENDAR" + b"x" * 1_048_576), "larger than 1 MiB"),
        (
            reply(gzip.compress(b"BEGIN:VCALENDAR" + b" " * 50_000_000), Content_Encoding="gzip"),
            "larger than",
        ),
        (reply(gzip.compress(CALENDAR.encode())[:-9], Content_Encoding="gzip"), "breaks off"),
        (reply(CALENDAR, Content_Encoding="gzip"), "compressed, and damaged"),
        (reply(CALENDAR, Content_Encoding="br"), "not asked for"),
        (b"BEGIN:VCALENDAR\r\n", "no HTTP"),
        (b"", "no HTTP"),
    ],
)
async def test_an_answer_without_a_whole_calendar_is_refused(
    server: CalendarServer, answer: bytes, sentence: str
) -> None:
    assert sentence in await refused(server, answer)


async def test_a_server_that_says_nothing_is_left(server: CalendarServer) -> None:
    async def silent(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    assert "longer than 0.05 seconds" in await refused(server, silent, total=0.05)


async def test_a_server_that_never_stops_is_left_at_the_limit(server: CalendarServer) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
            await writer.drain()

    assert "larger than 1 MiB" in await refused(server, endless)


async def test_redirects_are_followed_within_the_host(server: CalendarServer) -> None:
    server.replies |= {
        "/x.ics": redirect("/y.ics"),
        "/y.ics": redirect(url(server, "/z.ics")),
        "/z.ics": reply(),
    }
    assert (await fetcher(server).fetch(url(server))).text == CALENDAR
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("location", "sentence"),
    [
        ("http://other.example/x.ics", "another host"),
        ("//other.example/x.ics", "another host"),
        ("http://calendar.example.other.example/", "another host"),
        ("http://127.0.0.1/x.ics", "another host"),
        ("http://calendar.example:1/x.ics", "port 1 is not allowed"),
        ("http://calendar.example@other.example/", "no usable address"),
        ("file:///etc/hosts", "no usable address"),
        ("javascript:alert(1)", "no usable address"),
        ("http://[::1", "no usable address"),
        ("/x.ics", "more than 3 times"),
    ],
)
async def test_other_redirects_are_not_followed(server: CalendarServer, location: str, sentence: str) -> None:
    assert sentence in await refused(server, redirect(location))
    assert len(server.requests) == (4 if location == "/x.ics" else 1)


async def test_an_encrypted_address_does_not_redirect_to_one_that_is_not(tmp_path: Path) -> None:
    ca = PrivateCA(tmp_path)
    with secure_server(ca.server_context("calendar.example")) as server:
        server.replies["/x.ics"] = (302, {"Location": f"http://calendar.example:{server.port}/y.ics"}, b"")
        one = Fetcher(
            Outbound(ca.file), Reach(HERE, (server.port,), http=True), resolve=Names(calendar=["127.0.0.1"])
        )
        with pytest.raises(CalendarFetchError, match="that is not encrypted"):
            await one.fetch(f"https://calendar.example:{server.port}/x.ics")


# From whom


async def test_a_name_is_resolved_once_and_its_checked_address_is_used(tmp_path: Path) -> None:
    ca = PrivateCA(tmp_path)
    with secure_server(ca.server_context("calendar.example")) as server:
        server.replies["/x.ics"] = (200, {}, CALENDAR.encode())
        names = Names(calendar=["127.0.0.1"])
        one = Fetcher(Outbound(ca.file), Reach(HERE, (server.port,)), resolve=names)
        assert (await one.fetch(f"https://calendar.example:{server.port}/x.ics")).text == CALENDAR
        assert names.asked == ["calendar.example"]
        (seen,) = server.seen
        assert seen.headers["Host"] == f"calendar.example:{server.port}"


async def test_a_certificate_must_be_of_the_name_and_trusted(tmp_path: Path) -> None:
    ca = PrivateCA(tmp_path)
    for outbound, host, sentence in (
        (Outbound(ca.file), "other.example", "not trusted: Hostname mismatch"),
        (Outbound(), "calendar.example", "not trusted: unable to get local issuer"),
    ):
        with secure_server(ca.server_context(host)) as server:
            one = Fetcher(outbound, Reach(HERE, (server.port,)), resolve=Names(calendar=["127.0.0.1"]))
            with pytest.raises(CalendarFetchError, match=sentence):
                await one.fetch(f"https://calendar.example:{server.port}/x.ics")
            assert server.seen == []


async def test_a_name_with_any_address_inside_is_refused(server: CalendarServer) -> None:
    for addresses in (["10.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["169.254.169.254"], ["::ffff:10.0.0.1"]):
        with pytest.raises(CalendarFetchError, match="the host has an address that is"):
            await fetcher(server, names=Names(calendar=addresses)).fetch(url(server))


async def test_the_next_address_is_tried_if_one_can_not_be_reached(server: CalendarServer) -> None:
    server.replies["/x.ics"] = reply()
    names = Names(calendar=["127.0.0.2", "127.0.0.1"])
    assert (await fetcher(server, names=names).fetch(url(server))).text == CALENDAR
    nowhere = fetcher(server, names=Names(calendar=["127.0.0.2"]))
    with pytest.raises(CalendarFetchError, match="can't be reached"):
        await nowhere.fetch(url(server))
    with pytest.raises(CalendarFetchError, match="can't be found"):
        await fetcher(server, names=Names()).fetch(url(server))


async def test_the_system_resolves_names() -> None:
    assert await resolve("127.0.0.1", 443) == ["127.0.0.1"]


async def test_only_encrypted_calendars_on_the_usual_port_are_fetched_by_default() -> None:
    one = Fetcher(Outbound(), Reach(), resolve=Names(calendar=["93.184.215.14"]))
    for address, sentence in (
        ("http://calendar.example/x.ics", "not encrypted"),
        ("https://calendar.example:8443/x.ics", "port 8443 is not allowed; allowed: 443"),
        ("https://calendar.example/#0123456789abcdef", "masked address of a record"),
        ("https://127.0.0.1/x.ics", "this machine"),
    ):
        with pytest.raises(CalendarFetchError, match=sentence):
            await one.fetch(address)


async def test_a_proxy_resolves_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca = PrivateCA(tmp_path)
    with secure_server(ca.server_context("calendar.example")) as server, forward_proxy(server.port) as proxy:
        server.replies["/x.ics"] = (200, {}, CALENDAR.encode())
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        names = Names(calendar=["10.0.0.1"])
        one = Fetcher(Outbound(ca.file), Reach(), resolve=names)
        assert (await one.fetch("https://calendar.example/x.ics")).text == CALENDAR
        assert proxy.asked == ["CONNECT calendar.example:443 HTTP/1.1"]
        assert names.asked == []
        with pytest.raises(CalendarFetchError, match="private"):
            await one.fetch("https://10.0.0.1/x.ics")
        monkeypatch.setenv("NO_PROXY", "calendar.example")
        with pytest.raises(CalendarFetchError, match="private"):
            await one.fetch("https://calendar.example/x.ics")


async def test_an_unusable_proxy_or_certificate_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Fetcher(Outbound(tmp_path / "none.pem"), Reach(), resolve=Names(calendar=["93.184.215.14"]))
    with pytest.raises(CalendarFetchError, match="FREEZEGATE_CA_FILE"):
        await one.fetch("https://calendar.example/x.ics")
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.example")
    with pytest.raises(CalendarFetchError, match="HTTPS_PROXY"):
        await Fetcher(Outbound(), Reach()).fetch("https://calendar.example/x.ics")
