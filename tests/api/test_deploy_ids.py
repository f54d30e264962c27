"""Claims that are repeated for one deploy, over HTTP."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.instant import parse_instant
from tests.api.conftest import bearer
from tests.api.fakes import FakeClock

OPENS = parse_instant("2026-11-30T07:00:00Z")


def poll(gate: TestClient, headers: dict[str, str], **fields: object) -> Any:
    body = {"service": "checkout", "deploy_id": "run-4711", **fields}
    return gate.post("/can-deploy", json=body, headers=headers)


def metrics(gate: TestClient) -> dict[str, float]:
    lines = gate.get("/metrics").text.splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def test_a_poller_is_one_deploy_on_every_surface(
    gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    ci = bearer(keys["ci"])
    for _ in range(99):
        clock.at += 60
        assert poll(gate, ci).status_code == 423
    clock.at = OPENS
    assert poll(gate, ci).status_code == poll(gate, ci).status_code == 200
    counts = metrics(gate)
    assert counts['freezegate_decisions_total{asked_by="claim",outcome="deny"}'] == 1
    assert counts['freezegate_decisions_total{asked_by="repeat",outcome="deny"}'] == 98
    assert counts['freezegate_decisions_total{asked_by="claim",outcome="allow"}'] == 1
    assert counts['freezegate_decisions_total{asked_by="repeat",outcome="allow"}'] == 1
    totals = gate.get("/insights?from=2026-11-27T00:00:00Z&to=2026-12-01T00:00:00Z").json()["totals"]
    assert (totals["decisions"], totals["deploys"], totals["denials"]) == (2, 1, 1)
    record = gate.get("/decisions?limit=500").json()["decisions"]
    assert len(record) == 101
    assert [each["repeats"] for each in record].count(None) == 2
    page = gate.get("/").text
    shown = {each["decision_id"] for each in record if each["decision_id"] in page}
    assert shown == {each["decision_id"] for each in record if each["repeats"] is None}


def test_a_question_is_never_counted_and_takes_no_deploy_id(gate: TestClient) -> None:
    for _ in range(100):
        assert gate.get("/can-deploy?service=checkout").status_code == 423
    assert gate.get("/can-deploy?service=checkout&deploy_id=run-4711").status_code == 422
    assert gate.get("/decisions").json()["decisions"] == []
    totals = gate.get("/insights?from=2026-11-27T00:00:00Z&to=2026-12-01T00:00:00Z").json()["totals"]
    assert totals["decisions"] == 0


@pytest.mark.parametrize("wrong", ["", "two words", "x" * 129, 4711, "zeile\n", None])
def test_an_id_that_is_no_key_is_refused(gate: TestClient, wrong: object) -> None:
    reply = poll(gate, {}, deploy_id=wrong)
    assert reply.status_code == (423 if wrong is None else 422)


def test_an_export_has_the_id_and_what_is_repeated(gate: TestClient) -> None:
    first = poll(gate, {}).json()["decision_id"]
    poll(gate, {})
    lines = gate.get("/decisions", headers={"Accept": "text/csv"}).text.splitlines()
    assert lines[0].endswith(",services,deploy_id,repeats")
    assert lines[1].endswith(f",checkout,run-4711,{first}")
    assert lines[2].endswith(",checkout,run-4711,")
