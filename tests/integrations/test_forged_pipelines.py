"""Requests that are forged, truncated, replayed or another system's: all are refused, and none is held."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from app.core.instant import HOUR, parse_instant
from tests.api.fakes import FakeClock
from tests.integrations.azure_devops.fake import Check
from tests.integrations.buildkite import fake as buildkite
from tests.integrations.flagger.fake import Canary
from tests.integrations.gates import gate_with, holds_of, recorded
from tests.integrations.gitlab import fake as gitlab
from tests.integrations.hcp_terraform import fake as terraform
from tests.integrations.hcp_terraform.fake import Task

NOW = parse_instant("2026-11-25T13:05:00Z")
"""A Wednesday: what is accepted would be allowed."""

Sent = tuple[bytes, dict[str, str]]

REQUESTS: Final = 2_000

SECTIONS: Final[dict[str, Any]] = {
    "azure-devops": {"secret": "the-secret-of-the-checks", "hosts": ["localhost:9"]},
    "buildkite": {
        "organization": "acme",
        "secret": buildkite.SECRET,
        "token": "bkua_x",
        "deployments": [{"service": "{pipeline}", "environment": "production"}],
    },
    "flagger": {
        "secret": "the-token-of-flagger",
        "deployments": [{"service": "{canary}", "environment": "production"}],
    },
    "gitlab": {
        "secret": gitlab.SIGNING_TOKEN,
        "deployments": [
            {"project": "*/*", "job": "*", "service": "{name}", "environment": "production", "token": "x"}
        ],
    },
    "hcp-terraform": {
        "secret": terraform.KEY,
        "hosts": ["localhost:9"],
        "deployments": [{"service": "{workspace}", "environment": "production"}],
    },
}


def good(now: int) -> dict[str, Sent]:
    """A request of each system that is accepted at an instant, by its name."""
    check = Check(1, "http://localhost:9", now, {"service": "checkout"})
    return {
        "azure-devops": (json.dumps(check.body).encode(), check.headers()),
        "buildkite": buildkite.signed(buildkite.Build(1).event(), now),
        "flagger": (json.dumps(Canary("checkout").payload()).encode(), {}),
        "gitlab": gitlab.signed(gitlab.Job(7, "https://gitlab.example").job_event(), now),
        "hcp-terraform": terraform.signed(Task(1, "localhost:9").payload()),
    }


AUTHENTICATED_BY: Final = {
    "azure-devops": "Authorization",
    "buildkite": "X-Buildkite-Signature",
    "gitlab": "webhook-signature",
    "hcp-terraform": "X-TFC-Task-Signature",
}


def forged(seeded: random.Random) -> Iterator[tuple[str, Sent]]:
    """Yield requests, each with the system that it claims to be of."""
    names = sorted(SECTIONS)
    while True:
        sent = good(NOW)
        name, other = seeded.choice(names), seeded.choice(names)
        body, headers = sent[name]
        kind = seeded.choice(("changed", "truncated", "unsigned", "signature", "other", "replayed", "noise"))
        if kind == "other" and other != name:
            yield name, sent[other]
        elif kind == "unsigned":
            left = {key: value for key, value in headers.items() if key != AUTHENTICATED_BY.get(name)}
            yield name, (_without_token(body), left)
        elif kind == "signature":
            yield name, (_without_token(body), _changed(headers, AUTHENTICATED_BY.get(name), seeded))
        elif kind == "noise":
            yield name, (seeded.randbytes(seeded.randrange(200)), {} if name == "azure-devops" else headers)
        elif kind == "replayed" and name in ("buildkite", "gitlab"):
            yield name, good(NOW - HOUR)[name]
        elif kind in ("changed", "truncated") and name in ("buildkite", "gitlab", "hcp-terraform"):
            cut = seeded.randrange(len(body))
            rest = b"" if kind == "truncated" else bytes([body[cut] ^ 1]) + body[cut + 1 :]
            yield name, (body[:cut] + rest, headers)


def _without_token(body: bytes) -> bytes:
    return body.replace(b"the-token-of-flagger", b"flagger-taken")


def _changed(headers: dict[str, str], name: str | None, seeded: random.Random) -> dict[str, str]:
    """Return headers of which one letter of the signature is another."""
    if name is None:
        return headers
    value = headers[name]
    at = seeded.randrange(len(value) - 40, len(value) - 4)
    return headers | {name: value[:at] + ("1" if value[at] != "1" else "2") + value[at + 1 :]}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def gate(tmp_path: Path, clock: FakeClock) -> Iterator[TestClient]:
    with gate_with(tmp_path, clock, SECTIONS) as client:
        yield client


def test_the_requests_that_are_varied_are_accepted_themselves(gate: TestClient) -> None:
    for name, (body, headers) in good(NOW).items():
        assert gate.post(f"/integrations/{name}", content=body, headers=headers).status_code == 200
    assert {hold.responder for hold in holds_of(gate)} == SECTIONS.keys() - {"flagger"}
    assert [each["caller"] for each in recorded(gate)] == ["flagger"]


def test_all_forged_requests_are_refused_and_none_is_held(gate: TestClient) -> None:
    failures = gate.app.state.context.failures  # type: ignore[attr-defined]
    requests = forged(random.Random(2026))
    for _ in range(REQUESTS):
        name, (body, headers) = next(requests)
        failures._counts.clear()  # else nearly all of them would be refused for their number
        reply = gate.post(f"/integrations/{name}", content=body, headers=headers)
        assert reply.status_code == 401, (name, headers, body)
    assert holds_of(gate) == []
    assert recorded(gate) == []


def test_after_many_of_them_the_address_is_refused(gate: TestClient) -> None:
    requests = forged(random.Random(1))
    statuses = []
    for _ in range(40):
        name, (body, headers) = next(requests)
        statuses.append(gate.post(f"/integrations/{name}", content=body, headers=headers).status_code)
    assert statuses == [401] * 20 + [429] * 20
