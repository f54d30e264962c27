"""Calls to issuers and receivers from within a company: its CA, its proxy, and nothing of its secrets."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from app.clock import SystemClock
from app.core.notification import Notification, Occasion
from app.gate.outbox import DeliveryResult, Outstanding
from app.identity.oidc.issuers import Issuer
from app.identity.oidc.keyring import Keyring, fetch
from app.integrations.receivers import Receiver
from app.integrations.sender import Sender
from app.integrations.vendors import notifiers
from app.outbound import Outbound, OutboundError
from app.store.records import OutboxMessage
from tests.company import ForwardProxy, PrivateCA, SecureServer, forward_proxy, secure_server
from tests.identity.issuer import LocalIssuer

pytestmark = pytest.mark.anyio

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)


@pytest.fixture
def ca(tmp_path: Path) -> PrivateCA:
    return PrivateCA(tmp_path)


@pytest.fixture
def server(ca: PrivateCA) -> Iterator[SecureServer]:
    with secure_server(ca.server_context("issuer.example", "127.0.0.1")) as server:
        server.replies["/"] = (200, {}, b"here")
        yield server


@pytest.fixture
def proxy(server: SecureServer) -> Iterator[ForwardProxy]:
    with forward_proxy(server.port) as proxy:
        yield proxy


async def test_a_private_ca_is_trusted_where_it_is_named_and_not_otherwise(
    ca: PrivateCA, server: SecureServer
) -> None:
    url = f"https://127.0.0.1:{server.port}/"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await fetch(Outbound(), url)
    assert await fetch(Outbound(ca.file), url) == b"here"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_the_usual_variables_say_whom_to_trust(
    variable: str, ca: PrivateCA, server: SecureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = ca.folder / "hashed"
    hashed.mkdir()
    # As `openssl rehash` names it; the name is of the subject.
    (hashed / f"{ca.subject_hash()}.0").symlink_to(ca.file)
    monkeypatch.setenv(variable, str(ca.file if variable == "SSL_CERT_FILE" else hashed))
    assert await fetch(Outbound(), f"https://127.0.0.1:{server.port}/") == b"here"


async def test_a_certificate_for_another_name_is_refused(ca: PrivateCA) -> None:
    with secure_server(ca.server_context("other.example")) as server, pytest.raises(httpx.ConnectError):
        await fetch(Outbound(ca.file), f"https://127.0.0.1:{server.port}/")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_calls_go_through_the_proxy(
    variable: str, ca: PrivateCA, server: SecureServer, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    assert await fetch(Outbound(ca.file), "https://issuer.example/") == b"here"
    assert proxy.asked == ["CONNECT issuer.example:443 HTTP/1.1"]


@pytest.mark.parametrize("exempt", ["issuer.example", ".example", "other.example,issuer.example", "*"])
async def test_what_no_proxy_names_is_called_directly(
    exempt: str, ca: PrivateCA, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", exempt)
    # The name is reserved (RFC 2606): a direct call finds nobody.
    with pytest.raises(httpx.ConnectError):
        await fetch(Outbound(ca.file), "https://issuer.example/")
    assert not proxy.asked


async def test_calls_to_this_machine_go_through_no_proxy(
    ca: PrivateCA, server: SecureServer, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, proxy.url)
    assert await fetch(Outbound(ca.file), f"https://127.0.0.1:{server.port}/") == b"here"
    issuer = LocalIssuer()
    try:
        issuer.add_key("one")
        assert await fetch(Outbound(), f"{issuer.url}/keys")
    finally:
        issuer.close()
    assert not proxy.asked


async def test_no_redirect_is_followed_not_even_to_the_same_host(ca: PrivateCA, server: SecureServer) -> None:
    for location in ("/elsewhere", "https://other.example/", f"https://127.0.0.1:{server.port}/elsewhere"):
        server.replies["/"] = (302, {"Location": location}, b"")
        with pytest.raises(ValueError, match="302"):
            await fetch(Outbound(ca.file), f"https://127.0.0.1:{server.port}/")
    assert {each.path for each in server.seen} == {"/"}


async def test_a_netrc_is_not_read(
    ca: PrivateCA, server: SecureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password nothing\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    await fetch(Outbound(ca.file), f"https://127.0.0.1:{server.port}/")
    assert "Authorization" not in server.seen[0].headers


async def test_an_issuer_and_a_receiver_are_reached_through_proxy_and_ca(
    ca: PrivateCA, server: SecureServer, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    outbound = Outbound(ca.file)
    issuer = LocalIssuer()
    issuer.add_key("one")
    issuer.close()
    server.replies["/keys"] = (200, {}, json.dumps({"keys": [issuer.public("one")]}).encode())
    server.replies["/hook"] = (204, {}, b"")
    configured = Issuer.model_validate(
        {
            "issuer": "https://issuer.example",
            "audience": "a",
            "jwks_url": "https://issuer.example/keys",
            "rules": [{"claims": {"sub": "x"}, "role": "ci"}],
        }
    )
    keyring = Keyring(configured, lambda url: fetch(outbound, url), deadline=30)
    assert await keyring.find("one", 0) is not None
    notifications = OneNotification()
    receiver = Receiver(
        "hook",
        notifiers()["webhook"],
        SecretStr("https://issuer.example/hook"),
        SecretStr("s" * 24),
        frozenset(Occasion),
        None,
    )
    sender = Sender(notifications, [receiver], SystemClock(), outbound)  # type: ignore[arg-type]
    async with outbound.client(30) as client:
        await sender.deliver(client, receiver)
    assert notifications.replies == [DeliveryResult("taken")]
    assert [each.path for each in server.seen] == ["/keys", "/hook"]
    assert proxy.asked == ["CONNECT issuer.example:443 HTTP/1.1"] * 2


class OneNotification:
    """An outbox with one notification in it."""

    def __init__(self) -> None:
        self.replies: list[DeliveryResult] = []

    async def due(self, receiver: str) -> Outstanding | None:
        if self.replies:
            return None
        message = OutboxMessage("not_1", receiver, "k", "{}", 0, 0, 0)
        return Outstanding(message, Notification("k", Occasion.GATE_OPEN, 0, "t", ("x",), ()))

    async def settle(self, _: OutboxMessage, reply: DeliveryResult, __: float) -> None:
        self.replies.append(reply)


@pytest.mark.parametrize(
    "proxy", ["socks5://ada:SECRET@127.0.0.1:1", "ftp://ada:SECRET@x", "http://ada:SECRET@x:port"]
)
def test_a_proxy_that_is_none_is_told_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(OutboundError, match="HTTPS_PROXY") as raised:
        Outbound().check()
    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty.pem", "the file holds no certificates in PEM form"),
        ("none.pem", "the file can't be read: No such file or directory"),
    ],
)
def test_certificates_that_are_none_are_told(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    with pytest.raises(OutboundError) as raised:
        Outbound(tmp_path / name).check()
    assert str(raised.value) == f"FREEZEGATE_CA_FILE: {said}"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
    with pytest.raises(OutboundError) as raised:
        Outbound().check()
    assert str(raised.value) == f"SSL_CERT_FILE: {said}"


def test_a_folder_of_certificates_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with pytest.raises(OutboundError, match="SSL_CERT_DIR: there is no such folder"):
        Outbound().check()


def test_one_place_makes_every_client() -> None:
    root = Path(__file__).parents[1] / "app"
    making = re.compile(r"\bhttpx\.(?:AsyncClient|Client|get|post|request|stream)\(", re.MULTILINE)
    made = [str(file.relative_to(root)) for file in root.rglob("*.py") if making.search(file.read_text())]
    assert made == ["outbound.py"]
