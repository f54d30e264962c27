"""An issuer at which people sign in: OpenID Connect over HTTP, which checks what a client must send."""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, unquote_plus, urlencode

import jwt

from tests.identity.issuer import NOW, LocalIssuer

CLIENT: Final = "freezegate"
SECRET: Final = "a/secret of+the client"  # noqa: S105 - of nobody; it must be encoded to arrive


class PersonIssuer(LocalIssuer):
    """An issuer with one person; what it does wrong is up to a test."""

    def __init__(self) -> None:
        super().__init__()
        self.add_key("one", "ES256")
        self.now: Callable[[], int] = lambda: NOW
        self.secret: str | None = SECRET
        self.redirects: set[str] = set()
        """The redirect URIs that are registered; empty: any."""
        self.person: dict[str, Any] = {"sub": "7", "preferred_username": "ada", "groups": ["sre"]}
        self.changed: dict[str, Any] = {}
        """Claims of the ID token that are not as they should be; None: it is left out."""
        self.told: dict[str, Any] = {}
        """What the answer with the tokens has besides, or in place of, what it should."""
        self.userinfo: dict[str, Any] | None = None
        self.refuses: str | None = None
        self.asks = False
        """Whether a page asks the person to go on."""
        self.sends: dict[str, str] = {}
        """What the browser is sent back with, besides or in place of what it should be."""
        self.hangs = threading.Event()
        self.hangs.set()
        self.codes: dict[str, dict[str, str]] = {}
        self.requests: list[dict[str, str]] = []
        self.discovered.update(
            authorization_endpoint=f"{self.url}/authorize?kind=person",
            token_endpoint=f"{self.url}/token",
            userinfo_endpoint=f"{self.url}/userinfo",
            end_session_endpoint=f"{self.url}/logout",
            authorization_response_iss_parameter_supported=True,
        )

    def handle(self, path: str, form: str, authorization: str) -> tuple[int, bytes]:
        sent = {name: values[0] for name, values in parse_qs(form).items()}
        answers: dict[str, Callable[[], tuple[int, bytes]]] = {
            "/authorize": lambda: self._authorize(sent, form),
            "/token": lambda: self._token(sent, authorization),
            "/userinfo": lambda: self._userinfo(authorization),
            "/logout": lambda: (200, b"<!doctype html><title>Bye</title><h1>Bye</h1>"),
        }
        return answers[path]() if path in answers else self.reply(path)

    def _authorize(self, sent: dict[str, str], form: str) -> tuple[int, bytes]:
        """Let the person in, and send the browser back with a code."""
        self.requests.append(sent)
        known = not self.redirects or sent["redirect_uri"] in self.redirects
        right = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256"}
        if not known or any(sent.get(name) != value for name, value in right.items()):
            return 400, b"this is no request of a client"
        if self.asks and "go" not in sent:
            go_on = f"<a href='/authorize?{form.replace('&', '&amp;')}&amp;go=on'>Continue as Ada</a>"
            return 200, f"<!doctype html><html lang=en><title>Acme</title><h1>Acme</h1>{go_on}".encode()
        code = secrets.token_urlsafe(16)
        self.codes[code] = sent
        back = {"code": code, "state": sent["state"], "iss": self.url, **self.sends}
        if self.refuses is not None:
            back = {
                "error": self.refuses,
                "error_description": "Ada said no",
                "state": sent["state"],
                "iss": self.url,
            }
        return 302, f"{sent['redirect_uri']}?{urlencode(back)}".encode()

    def _token(self, sent: dict[str, str], authorization: str) -> tuple[int, bytes]:
        """Give tokens for a code, once, to the client that asked for it."""
        self.hangs.wait()
        request = self.codes.pop(sent.get("code", ""), None)
        if not self._is_client(sent, authorization):
            return 401, json.dumps({"error": "invalid_client"}).encode()
        proof = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        if (
            request is None
            or sent.get("grant_type") != "authorization_code"
            or sent.get("redirect_uri") != request["redirect_uri"]
            or request["code_challenge"] != challenge
        ):
            return 400, json.dumps({"error": "invalid_grant", "error_description": "no such code"}).encode()
        access = "access-token"
        told = {"access_token": access, "token_type": "Bearer", "id_token": self.id_token(request, access)}
        return 200, json.dumps({**told, **self.told}).encode()

    def _is_client(self, sent: dict[str, str], authorization: str) -> bool:
        if self.secret is None:
            return sent.get("client_id") == CLIENT and not authorization
        if authorization:
            given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            return [unquote_plus(each) for each in given.split(":")] == [CLIENT, self.secret]
        return (sent.get("client_id"), sent.get("client_secret")) == (CLIENT, self.secret)

    def id_token(self, request: dict[str, str], access: str) -> str:
        now = self.now()
        half = hashlib.sha256(access.encode()).digest()[:16]
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": request["nonce"],
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
            **self.person,
            **self.changed,
        }
        told = {name: value for name, value in claims.items() if value is not None}
        key_id = next(reversed(self.keys))
        algorithm, key = self.keys[key_id]
        return jwt.encode(told, key, algorithm, {"kid": key_id})

    def _userinfo(self, authorization: str) -> tuple[int, bytes]:
        if authorization != "Bearer access-token" or self.userinfo is None:
            return 401, b""
        return 200, json.dumps(self.userinfo).encode()
