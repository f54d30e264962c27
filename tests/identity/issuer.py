"""An issuer of identity tokens on this machine, with keys of its own."""

import base64
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

NOW = 1_795_784_700
AUDIENCE = "freezegate"
MAKERS: dict[str, Callable[[], Any]] = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65_537, key_size=2_048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class LocalIssuer:
    """Serves its discovery document and its keys over HTTP; what it does wrong is up to a test."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[str, Any]] = {}
        self.fetched: list[str] = []
        self.replies: dict[str, tuple[int, bytes]] = {}
        self.discovered: dict[str, Any] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer("")

            def do_POST(self) -> None:
                self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

            def answer(self, form: str) -> None:
                issuer.fetched.append(self.path)
                path, _, query = self.path.partition("?")
                status, content = issuer.replies.get(self.path) or issuer.handle(
                    path, query or form, self.headers.get("Authorization", "")
                )
                self.send_response(status)
                if status in (301, 302):
                    self.send_header("Location", content.decode() or "/elsewhere")
                if content.startswith(b"<"):
                    self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
                """Be silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add_key(self, key_id: str, algorithm: str = "RS256") -> None:
        self.keys[key_id] = (algorithm, MAKERS[algorithm]())

    def handle(self, path: str, form: str, authorization: str) -> tuple[int, bytes]:
        """The answer to a request: its status, and its content or, of a redirect, its target."""
        return self.reply(path)

    def reply(self, path: str) -> tuple[int, bytes]:
        if path == "/.well-known/openid-configuration":
            told = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.discovered}
            return 200, json.dumps(told).encode()
        if path == "/keys":
            return 200, json.dumps({"keys": [self.public(key_id) for key_id in self.keys]}).encode()
        return 404, b""

    def public(self, key_id: str) -> dict[str, Any]:
        algorithm, key = self.keys[key_id]
        told = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key())
        return {**json.loads(told), "kid": key_id, "use": "sig", "alg": algorithm}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a job on the main branch says; a claim that is set to None is left out."""
        told = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "repo:acme/checkout:ref:refs/heads/main",
            "iat": NOW - 10,
            "nbf": NOW - 10,
            "exp": NOW + 300,
            "repository": "acme/checkout",
            "repository_id": 42,
            "ref": "refs/heads/main",
            "event_name": "push",
            "actor": "alice",
            **changes,
        }
        return {name: value for name, value in told.items() if value is not None}

    def token(self, key_id: str = "one", header: dict[str, Any] | None = None, **changes: Any) -> str:
        algorithm, key = self.keys[key_id]
        return jwt.encode(self.claims(**changes), key, algorithm, {"kid": key_id, **(header or {})})


def raw(header: dict[str, Any], claims: dict[str, Any] | bytes, signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = (
        json.dumps(header).encode(),
        claims if isinstance(claims, bytes) else json.dumps(claims).encode(),
        signature,
    )
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
