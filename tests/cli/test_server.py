"""The HTTP request of the client commands, against working and broken servers and proxies."""

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.cli import run
from app.cli import server as server_module
from app.cli.errors import UndecidedError
from app.cli.server import Request, send
from tests.cli.conftest import ALLOW, CannedServer

BODY = json.dumps(ALLOW).encode()
CHECK = ["check", "api", "--at", str(ALLOW["at"]), "--server"]


@contextlib.contextmanager
def saying(*parts: bytes, stays: bool = False) -> Iterator[str]:
    """Serve these bytes to every client, then close the connection or keep it open."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                for part in parts:
                    connection.sendall(part)
                if stays:
                    over.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join()


def head(status: str, *fields: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"])
def test_a_proxy_of_the_environment_is_asked(
    server: CannedServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, server.url)
    assert run([*CHECK, "http://gate.invalid/base"]) == 0
    assert server.received[0].path.startswith("http://gate.invalid/base/can-deploy?service=api")
    assert server.received[0].headers["host"] == "gate.invalid"


def test_a_server_is_asked_through_a_tunnel_where_it_is_encrypted(
    server: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.url.replace("//", "//ann:secret@"))
    assert run([*CHECK, "https://gate.invalid"]) == 3  # the canned server can't go on in TLS
    [received] = server.received
    assert (received.method, received.path) == ("CONNECT", "gate.invalid:443")
    assert "proxy-authorization" in received.headers
    assert "authorization" not in received.headers


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "localhost, 127.0.0.1"])
def test_no_proxy_is_honoured(server: CannedServer, monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert run([*CHECK, server.url]) == 3
    monkeypatch.setenv("no_proxy", exempt)
    assert run([*CHECK, server.url]) == 0


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://", "nonsense"])
def test_a_proxy_that_can_not_be_used_is_no_answer(
    server: CannedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    assert run([*CHECK, server.url]) == 3
    assert f"the server at {server.url} can't be reached through the proxy" in capsys.readouterr().err


class Encrypted(CannedServer):
    """Serve canned responses with a self-signed certificate for `localhost`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gate")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.certificate = folder / "certificate.pem"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = folder / "key.pem"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, private)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[Encrypted]:
    server = Encrypted(tmp_path)
    yield server
    server.close()


def test_a_server_whose_certificate_is_trusted_is_asked(
    encrypted: Encrypted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(encrypted.certificate))
    assert run([*CHECK, f"https://localhost:{encrypted.port}"]) == 0


def test_a_server_whose_certificate_nobody_knows_is_told_nothing(
    encrypted: Encrypted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FREEZEGATE_API_KEY", "fzk_secret")
    assert run([*CHECK, f"https://localhost:{encrypted.port}"]) == 3
    assert "its certificate is self-signed; set SSL_CERT_FILE" in capsys.readouterr().err
    assert encrypted.received == []


def test_a_certificate_of_another_name_is_not_taken(
    encrypted: Encrypted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(encrypted.certificate))
    assert run([*CHECK, f"https://127.0.0.1:{encrypted.port}"]) == 3
    assert encrypted.received == []


def test_whom_browsers_trust_is_trusted_where_the_system_knows_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nowhere"))
    known = server_module._tls_context().cert_store_stats()["x509_ca"]
    assert known == Path(certifi.where()).read_text().count("BEGIN CERTIFICATE")


def test_a_name_and_password_in_the_address_are_sent_unless_there_is_a_key(
    server: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = server.url.replace("//", "//ann:pass%20word@")
    assert run([*CHECK, named]) == 0
    assert server.received[-1].headers["authorization"] == "Basic YW5uOnBhc3Mgd29yZA=="
    assert server.received[-1].headers["host"] == server.url.removeprefix("http://")
    monkeypatch.setenv("FREEZEGATE_API_KEY", "fzk_key")
    assert run([*CHECK, named]) == 0
    assert server.received[-1].headers["authorization"] == "Bearer fzk_key"


def test_who_asks_says_so(server: CannedServer) -> None:
    assert run([*CHECK, server.url]) == 0
    assert server.received[0].headers["user-agent"].startswith("freezegate/")


def test_a_check_over_plain_http_loads_neither_urllib_nor_tls(server: CannedServer) -> None:
    check = ["check", "api", "--server", server.url]
    code = f"import sys; from app.cli import run; assert run({check}) == 0; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"http", "email", "ssl", "urllib.request", "tempfile", "difflib"} & set(ran.stdout.split())


def test_a_reply_in_chunks_is_read() -> None:
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (10, BODY[:10], len(BODY) - 10, BODY[10:])
    with saying(head("200 OK", "Transfer-Encoding: chunked"), chunks) as url:
        assert run([*CHECK, url]) == 0


@pytest.mark.parametrize(
    "reply",
    [
        [head("200 OK", f"Content-Length: {len(BODY) + 1}"), BODY],
        [head("200 OK", "Transfer-Encoding: chunked"), b"%x\r\n%s\r\n" % (len(BODY), BODY)],
        [head("200 OK", *["X: 1"] * 200), BODY],
        [head("200 OK", f"X: {'x' * 70_000}"), BODY],
        [b"HTTP/1.1 200"],
        [b"SSH-2.0-OpenSSH_9.2\r\n"],
        [BODY],
        [b""],
    ],
    ids=["short", "unfinished", "many fields", "a long field", "half a line", "another", "bare", "nothing"],
)
@pytest.mark.parametrize("through_proxy", [False, True], ids=["direct", "through a proxy"])
def test_a_reply_that_is_not_whole_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, reply: list[bytes], *, through_proxy: bool
) -> None:
    with saying(*reply) as url:
        if through_proxy:
            monkeypatch.setenv("http_proxy", url)
        assert run([*CHECK, "http://gate.invalid" if through_proxy else url]) == 3


@pytest.mark.parametrize(
    "reply",
    [
        [head("200 OK"), BODY],
        [head("103 Early Hints", "Link: </>"), head("200 OK", f"Content-Length: {len(BODY)}"), BODY],
        [head("200 OK", f"Content-Length: {len(BODY)}") + BODY + head("423 Locked", "Content-Length: 0")],
        [head("200 OK", f"Content-Length: {len(BODY)}", "Connection: close") + BODY + b"rest"],
    ],
    ids=["until the end", "an interim one before", "another behind", "bytes behind"],
)
def test_the_first_final_response_is_the_answer(reply: list[bytes]) -> None:
    with saying(*reply) as url:
        assert run([*CHECK, url]) == 0


def test_bytes_behind_a_response_without_a_body_are_not_its_body() -> None:
    with saying(head("204 No Content") + BODY) as url:
        assert send(Request("GET", url, {})) == (204, b"")


@pytest.mark.parametrize(("path", "field"), [("/a b", "x"), ("/", "x\r\nY: z"), ("/", "\u00fc")])
def test_a_request_is_one_request(server: CannedServer, path: str, field: str) -> None:
    with pytest.raises(UndecidedError):
        send(Request("GET", server.url + path, {"X": field}))
    assert server.received == []


@pytest.mark.parametrize("through_proxy", [False, True], ids=["direct", "through a proxy"])
@pytest.mark.parametrize("status", ["423 Locked", "401 Unauthorized", "302 Found"])
@pytest.mark.parametrize("stays", [False, True], ids=["breaks off", "hangs"])
def test_a_refusal_whose_rest_never_comes_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch, status: str, *, stays: bool, through_proxy: bool
) -> None:
    with saying(head(status, "Content-Length: 100"), b"{", stays=stays) as url:
        if through_proxy:
            monkeypatch.setenv("http_proxy", url)
        with pytest.raises(UndecidedError) as raised:
            send(Request("GET", "http://gate.invalid" if through_proxy else url, {}), 0.5)
        assert raised.value.status == int(status[:3])
        assert not raised.value.passable


@pytest.mark.skipif(not socket.has_ipv6, reason="without IPv6 there is nothing to ask")
def test_an_address_of_ipv6_is_asked() -> None:
    reply = head("200 OK", f"Content-Length: {len(BODY)}") + BODY
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        assert run([*CHECK, f"http://[::1]:{listener.getsockname()[1]}"]) == 0
        thread.join()
