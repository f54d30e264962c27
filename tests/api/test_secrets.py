"""A thousand tokens and keys in use leave no trace of themselves."""

import io
import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.gate.keys import KeyRequest
from app.identity.caller import Role
from tests.api.conftest import bearer, key_for

KEYS = 300
TOKENS = 700
PART = 12


def parts(secret: str) -> set[str]:
    """Every part of a secret that would give something away; the prefix is no secret."""
    body = secret[4:]
    return {body[start : start + PART] for start in range(len(body) - PART + 1)}


def test_no_part_of_any_token_or_key_is_found_anywhere(
    gate: TestClient,
    folder: Path,
    log: io.BytesIO,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    # The client of this test writes its own log.
    caplog.set_level("WARNING", "httpx2")
    keys = [key_for(gate, KeyRequest(f"person {number}", Role.OPS)) for number in range(KEYS)]
    admin = key_for(gate, KeyRequest("root", Role.ADMIN))
    tokens, told = [], []
    wanted = {"services": ["api"], "environments": ["production"], "reason": "A test.", "ttl": "1h"}
    for number in range(TOKENS):
        granted = gate.post("/overrides", json=wanted, headers=bearer(keys[number % KEYS])).json()
        tokens.append(granted.pop("token"))
        told.append(json.dumps(granted))
        headers = {"X-Override-Token": tokens[-1], **bearer(keys[number % KEYS])}
        reply = gate.post("/can-deploy", json={"service": "api"}, headers=headers)
        assert reply.status_code == 200
        told.append(reply.text)
    # Where a secret is sent to the wrong place, it is not repeated either.
    for secret in (tokens[0], keys[0]):
        told += [
            gate.post("/can-deploy", json={"service": secret}).text,
            gate.post("/can-deploy", json={"service": "api", "ref": {secret: secret}}).text,
            gate.get("/can-deploy", params={"service": "api", secret: secret}).text,
            gate.get("/can-deploy?service=api", headers={"X-Override-Token": secret}).text,
            gate.get(f"/overrides/{secret}", headers=bearer(admin)).text,
            gate.get("/status", headers={"Authorization": f"Basic {secret}"}).text,
            gate.post("/overrides", json={**wanted, "ticket": secret}, headers=bearer(admin)).text,
            gate.post("/overrides", json={**wanted, "reason": f"as {secret}"}, headers=bearer(admin)).text,
            gate.post("/can-deploy", json={"service": "api", "ref": f"v1 {secret}"}).text,
            gate.post("/can-deploy", json={"service": "api", "run_url": f"https://x/?t={secret}"}).text,
        ]
    cursor: str | None = ""
    while cursor is not None:
        page = gate.get(
            "/audit", params={"limit": "500", **({"cursor": cursor} if cursor else {})}, headers=bearer(admin)
        )
        told.append(page.text)
        cursor = page.json()["next"]
    for path in ("/overrides?state=all&limit=500", "/decisions?limit=500", "/metrics", "/status", "/freezes"):
        told.append(gate.get(path, headers=bearer(admin)).text)
    told += [caplog.text, log.getvalue().decode(), *capfd.readouterr()]
    stored = [file.read_bytes().decode("latin-1") for file in folder.glob("gate.db*")]
    assert len(stored) >= 2, "the log of the database is to be looked at, too"
    everything = "\n".join([*told, *stored])
    found = {everything[start : start + PART] for start in range(len(everything) - PART + 1)}
    for secret in (*tokens, *keys, admin):
        assert not parts(secret) & found
