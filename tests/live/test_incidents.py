"""Incidents on real gates: on two replicas at once, and from a real Alertmanager."""

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.clock import SystemClock
from app.core.instant import format_instant
from app.identity.credentials import new_key
from tests.integrations.reporters import SOURCES, Event, sent
from tests.integrations.sections import integrations_file
from tests.live.gate import running

ADMIN = new_key()
KEY = {"Authorization": f"Bearer {ADMIN}"}
OPEN = "version: 1\npolicies: []\n"
TOKEN = "a-token-of-alertmanager"  # noqa: S105 - of this test
ALERTMANAGER = "prometheus-alertmanager"
CLAIM = {"service": "checkout"}


@pytest.fixture
def replicas(postgresql_url: str, tmp_path: Path) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    policies = tmp_path / "policies.yaml"
    policies.write_text(OPEN)
    file = str(integrations_file(tmp_path, SOURCES))
    given = {"FREEZEGATE_ADMIN_KEY": ADMIN, "FREEZEGATE_INTEGRATIONS": file}
    with (
        running(policies, postgresql_url, **given) as one,
        running(policies, postgresql_url, **given) as two,
        httpx.Client(base_url=one.url, headers=KEY) as first,
        httpx.Client(base_url=two.url, headers=KEY) as second,
    ):
        yield first, second


def report(gate: httpx.Client, source: str, key: str, *, firing: bool = True) -> str:
    webhook = sent(Event(source, key, firing, SystemClock().now()))
    reply = gate.post(f"/integrations/{source}", content=webhook.body, headers=dict(webhook.headers))
    assert reply.status_code == 200, reply.text
    return str(reply.json()["result"])


def freezes(gate: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gate.get("/freezes?state=all").json()["freezes"]
    return found


def test_an_incident_freezes_all_replicas_once_its_webhook_is_answered(
    replicas: tuple[httpx.Client, httpx.Client],
) -> None:
    one, two = replicas
    for source in SOURCES:
        assert two.post("/can-deploy", json=CLAIM).status_code == 200
        assert report(one, source, "OPS-1") == "started"
        assert two.post("/can-deploy", json=CLAIM).status_code == 423
        while two.get("/can-deploy", params=CLAIM).status_code != 423:
            time.sleep(0.02)  # or this test never ends
        for freeze in two.get("/freezes").json()["freezes"]:
            two.delete(f"/freezes/{freeze['id']}")
    assert two.get("/audit/verify").json()["whole"] is True


def test_reports_of_one_incident_on_both_replicas_at_once_are_one_freeze(
    replicas: tuple[httpx.Client, httpx.Client],
) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(
            pool.map(lambda number: report(replicas[number % 2], "alertmanager", "OPS-1"), range(64))
        )
    assert found.count("started") == 1
    assert set(found) == {"started", "unchanged"}
    assert len(freezes(replicas[0])) == 1


@contextlib.contextmanager
def alertmanager(folder: Path, gate: str, token: str) -> Iterator[str]:
    """A real Alertmanager that reports to a gate; its URL."""
    program = shutil.which(ALERTMANAGER)
    if program is None:
        pytest.skip(f"no {ALERTMANAGER} on PATH: NO real Alertmanager drives the gate (.ci/run installs it)")
    receiver = {"url": f"{gate}/integrations/alertmanager", "send_resolved": True}
    authorised = {**receiver, "http_config": {"authorization": {"credentials": token}}}
    config = {
        "route": {
            "receiver": "freezegate",
            "group_by": ["alertname"],
            "group_wait": "10ms",
            "group_interval": "200ms",
            "repeat_interval": "200ms",
        },
        "receivers": [{"name": "freezegate", "webhook_configs": [authorised]}],
    }
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    options = ["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]
    command = [program, f"--config.file={file}", f"--storage.path={folder / 'data'}", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = ""
        while (found := re.search(r'msg="?Listening on"? address=(\S+)', said)) is None:
            line = process.stderr.readline()
            assert line, said
            said += line
        yield f"http://{found[1]}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def alert(url: str, ends_at: int) -> None:
    alerts = [
        {
            "labels": {"alertname": "CheckoutDown", "severity": "critical", "instance": str(number)},
            "annotations": {"summary": "Checkout is down", "runbook_url": "https://runbooks.example/42"},
            "startsAt": format_instant(ends_at - 3_600),
            "endsAt": format_instant(ends_at),
        }
        for number in range(3)
    ]
    httpx.post(f"{url}/api/v2/alerts", json=alerts).raise_for_status()


def count(gate: httpx.Client, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(gate.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def reports(gate: httpx.Client, *results: str) -> float:
    return sum(count(gate, "freezegate_incidents_total", result=result) for result in results)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[httpx.Client]:
    (tmp_path / "policies.yaml").write_text(OPEN)
    rule = {"name": "pages", "match": {"severity": "critical"}, "title": "{title}", "thaw_after": "1s"}
    file = tmp_path / "integrations.yaml"
    file.write_text(json.dumps({"alertmanager": {"token": TOKEN, "freezes": [rule]}}))
    given = {"FREEZEGATE_ADMIN_KEY": ADMIN, "FREEZEGATE_INTEGRATIONS": str(file)}
    with (
        running(tmp_path / "policies.yaml", tmp_path / "gate.db", **given) as started,
        httpx.Client(base_url=started.url, headers=KEY) as client,
    ):
        yield client


def test_a_real_alertmanager_freezes_repeats_restarts_and_resolves(
    gate: httpx.Client, tmp_path: Path
) -> None:
    url = str(gate.base_url).rstrip("/")
    now = SystemClock().now()
    with alertmanager(tmp_path, url, TOKEN) as manager:
        alert(manager, now + 3_600)
        while reports(gate, "unchanged") < 3:
            time.sleep(0.02)  # or this test never ends; so do the other loops
        assert gate.post("/can-deploy", json=CLAIM).status_code == 423
    with alertmanager(tmp_path, url, TOKEN) as manager:
        before = reports(gate, "unchanged", "extended")
        alert(manager, now + 3_600)
        while reports(gate, "unchanged", "extended") < before + 2:
            time.sleep(0.02)
        (freeze,) = freezes(gate)
        assert (freeze["started_by"], freeze["title"], freeze["link"]) == (
            "alertmanager",
            "Checkout is down",
            "https://runbooks.example/42",
        )
        alert(manager, now)
        while reports(gate, "thawing") < 1:
            time.sleep(0.02)
        while gate.post("/can-deploy", json=CLAIM).status_code != 200:
            time.sleep(0.02)
    assert len(freezes(gate)) == 1
    assert reports(gate, "started") == 1
    assert gate.get("/audit/verify").json()["whole"] is True


def test_an_alertmanager_with_another_token_freezes_nothing(gate: httpx.Client, tmp_path: Path) -> None:
    with alertmanager(tmp_path, str(gate.base_url).rstrip("/"), "another") as manager:
        alert(manager, SystemClock().now() + 3_600)
        while count(gate, "freezegate_webhooks_refused_total", source="alertmanager") < 2:
            time.sleep(0.02)
    assert freezes(gate) == []
