"""A gate with an integrations file keeps a project in step, over real HTTP, and shows what it wants there."""

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.main import create_app
from app.server.log import RequestLog
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer, clock, folder, keys, log
from tests.api.fakes import FakeClock
from tests.integrations.argocd.fake import FakeCluster
from tests.integrations.served import served

__all__ = ["clock", "folder", "keys", "log"]

TOKEN = "token-of-the-cluster"  # noqa: S105 - of the fake
FRIDAY = "freezegate: No deploys after Friday 14:00 (friday-afternoon)"


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster(TOKEN)
    made.add("shop")
    return made


@pytest.fixture
def gate(folder: Path, clock: FakeClock, log: io.BytesIO, cluster: FakeCluster) -> Iterator[TestClient]:
    (folder / "policies.yaml").write_text(POLICIES)
    (folder / "token").write_text(TOKEN)
    with served(cluster) as url:
        section = {"url": url, "token_file": "token", "sync_windows": [{"project": "shop"}]}
        (folder / "integrations.yaml").write_text(json.dumps({"argocd": section}))
        settings = Settings(
            policies=folder / "policies.yaml",
            database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"),
            integrations=folder / "integrations.yaml",
        )
        with TestClient(create_app(settings, clock=clock, request_log=RequestLog(log))) as client:
            yield client


def wait_until(true: Callable[[], bool]) -> None:
    """Wait; the deadline only ends a test that has failed."""
    for _ in range(3_000):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come true")


def test_a_gate_writes_the_windows_and_shows_them(
    gate: TestClient, keys: dict[str, str], cluster: FakeCluster
) -> None:
    wait_until(lambda: bool(cluster.windows("shop")))
    assert [each["description"] for each in cluster.windows("shop")] == [FRIDAY]
    viewer = bearer(keys["viewer"])
    wait_until(lambda: gate.get("/projections", headers=viewer).json()["projections"][0]["state"] is not None)
    [listed] = gate.get("/projections", headers=viewer).json()["projections"]
    assert (listed["target"], listed["place"], listed["days"]) == ("argocd", "shop", 90)
    assert listed["scopes"] == [{"environment": "production", "service": None, "names": {}}]
    assert listed["state"] == {
        "in_step_at": "2026-11-27T13:05:00Z",
        "error": None,
        "drifts": 0,
        "reverted": False,
        "refused_policies": 0,
    }
    asked = {"target": "argocd", "place": "shop"}
    shown = gate.get("/projections/windows", params=asked, headers=viewer).json()
    assert shown["windows"] == cluster.windows("shop")
    assert (shown["owner"], shown["until"]) == ("freezegate", None)
    assert {each["policy"] for each in shown["remarks"]} == {"friday-afternoon", "lunch"}
    assert not any(each["refused"] for each in shown["remarks"])
    page = gate.get("/metrics").text
    assert 'freezegate_projection_age_seconds{place="shop",target="argocd"} 0.0' in page


def test_an_unknown_place_is_named(gate: TestClient, keys: dict[str, str]) -> None:
    asked = {"target": "gitlab", "place": "shop"}
    answer = gate.get("/projections/windows", params=asked, headers=bearer(keys["viewer"]))
    assert answer.status_code == 404
    assert answer.json()["detail"] == "the integrations file has no such place"
