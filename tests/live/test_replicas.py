"""Two replicas on one database: what is done on one holds on the other."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.identity.credentials import new_key
from tests.live.gate import running

ADMIN = new_key()
OPEN = """version: 1
policies:
  - {id: far, title: Far away, reason: x, when: [{dates: {from: 2099-01-01, to: 2099-01-02}}]}
tests:
  - {at: 2026-11-27T12:00:00Z, service: api, expect: allow}
"""
KEY = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(params=["sqlite", "postgresql"])
def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    policies = tmp_path / "policies.yaml"
    policies.write_text(OPEN)
    database = f"sqlite:///{tmp_path / 'gate.db'}"
    if request.param == "postgresql":
        database = str(request.getfixturevalue("postgresql_url"))
    with (
        running(policies, database, FREEZEGATE_ADMIN_KEY=ADMIN) as one,
        running(policies, database) as two,
        httpx.Client(base_url=one.url, headers=KEY) as first,
        httpx.Client(base_url=two.url, headers=KEY) as second,
    ):
        yield first, second


def test_a_freeze_on_one_denies_claims_on_the_other_at_once_and_reads_soon(
    replicas: tuple[httpx.Client, httpx.Client],
) -> None:
    one, two = replicas
    for number in range(5):
        assert two.post("/can-deploy", json={"service": "api"}).status_code == 200
        frozen = {"title": f"Incident {number}", "reason": "x", "open_ended": True}
        started = one.post("/freezes", json=frozen)
        assert started.status_code == 201
        assert two.post("/can-deploy", json={"service": "api"}).status_code == 423
        while two.get("/can-deploy?service=api").status_code != 423:
            time.sleep(0.02)  # or this test never ends
        assert one.delete(f"/freezes/{started.json()['id']}").status_code == 200
        assert two.post("/can-deploy", json={"service": "api"}).status_code == 200
        while two.get("/can-deploy?service=api").status_code != 200:
            time.sleep(0.02)
    assert two.get("/audit/verify").json()["whole"] is True


def test_a_token_of_one_is_spent_on_the_other_once(replicas: tuple[httpx.Client, httpx.Client]) -> None:
    one, two = replicas
    one.post("/freezes", json={"title": "Incident", "reason": "x", "open_ended": True})
    wanted = {"services": ["api"], "environments": ["production"], "reason": "The fix", "ttl": "1h"}
    granted = one.post("/overrides", json=wanted).json()
    token = {"X-Override-Token": granted["token"]}
    statuses = [
        each.post("/can-deploy", json={"service": "api"}, headers=token).status_code for each in (two, one)
    ]
    assert statuses == [200, 423]
    another = one.post("/overrides", json=wanted).json()
    assert one.delete(f"/overrides/{another['id']}").status_code == 200
    late = two.post("/can-deploy", json={"service": "api"}, headers={"X-Override-Token": another["token"]})
    assert (late.status_code, late.json()["override"]["result"]) == (423, "revoked")
