"""Policies that are not in force, linted and tested by a gate as the commands do it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from app.cli import cli
from app.core.instant import parse_instant
from app.gate.errors import BusyError
from app.gate.in_force import InForce
from app.gate.lint import MOST_TESTS, lint_candidate
from app.policies.load import load
from app.policies.source import Snapshot
from tests.api.conftest import POLICIES

NOW = parse_instant("2026-11-27T13:05:00Z")
SNAPSHOT = Snapshot.of(POLICIES)
IN_FORCE = InForce(load(SNAPSHOT).engine, SNAPSHOT, NOW, ())
FAILING = POLICIES + "  - {at: 2026-11-27 13:00, service: api, expect: deny}\n"


def linted(gate: TestClient, text: str) -> dict[str, object]:
    reply = gate.post("/policies/lint", json={"policies": {"policies.yaml": text}})
    assert reply.status_code == 200, reply.text
    assert reply.headers["cache-control"] == "no-store"
    found: dict[str, object] = reply.json()
    return found


@pytest.mark.parametrize("text", [POLICIES, FAILING, POLICIES.replace("weekly", "wekly")])
def test_the_gate_finds_what_the_commands_find(
    module_gate: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "policies.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    found = linted(module_gate, text)
    said = CliRunner().invoke(cli, ["lint", "--json", "policies.yaml"]).stdout
    assert found["problems"] == json.loads(said)
    if "wekly" in text:
        assert found["tests"] == []
    else:
        said = CliRunner().invoke(cli, ["test", "--json", "policies.yaml"]).stdout
        assert sorted(map(str, found["tests"])) == sorted(map(str, json.loads(said)))  # type: ignore[call-overload]
    assert found["usable"] is (text == POLICIES)


def test_failures_come_first_and_all_results_are_counted() -> None:
    tests = "  - {at: 2026-11-27 14:00, service: api, expect: deny}\n" * (MOST_TESTS + 1)
    candidate = Snapshot.of(POLICIES + tests + "  - {at: 2026-11-27 14:00, service: api, expect: allow}\n")
    found = lint_candidate(candidate, IN_FORCE, NOW)
    assert (found["passed"], found["failed"], found["usable"]) == (MOST_TESTS + 2, 1, False)
    assert [each["passed"] for each in found["tests"]] == [False] + [True] * (MOST_TESTS - 1)


def test_a_check_that_nobody_waits_for_stops() -> None:
    with pytest.raises(BusyError, match="stopped"):
        lint_candidate(Snapshot.of(POLICIES), IN_FORCE, NOW, lambda: True)
