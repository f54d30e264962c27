"""The gate as it is really run."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.gate import ROOT, clean_environment, running

BROKEN = sorted((ROOT / "tests" / "policies" / "broken").glob("*.yaml"))


def test_curl_alone_is_a_safe_gate(tmp_path: Path) -> None:
    with running(ROOT / "policies.yaml", tmp_path / "gate.db") as gate:
        for second, status in (("12:59:00", 0), ("13:00:00", 22)):
            url = f"{gate.url}/can-deploy?service=api&at=2026-11-27T{second}Z"
            asked = subprocess.run(["curl", "-fsS", "-o", "/dev/null", url], check=False, capture_output=True)
            assert asked.returncode == status
        reply = httpx.get(f"{gate.url}/can-deploy?service=api&at=2026-11-27T13:00:00Z")
        assert reply.status_code == 423
        assert reply.headers["retry-after"] == str(66 * 3600)
        assert "No deploys after Friday 14:00" in reply.json()["message"]
        assert "Mon 30 Nov 08:00 CET" in reply.json()["message"]


def test_a_changed_file_is_in_force_within_seconds_and_a_bad_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    shutil.copy(ROOT / "policies.yaml", file)
    with running(file, tmp_path / "gate.db") as gate:
        before = httpx.get(f"{gate.url}/status").json()["policies"]["revision"]
        file.write_text("version: 1\npolicies: []\n")
        told = _until(gate.url, lambda policies: policies["revision"] != before)
        assert "nothing is ever frozen" in " ".join(told["warnings"])
        taken = told["revision"]
        for broken in BROKEN[:: max(1, len(BROKEN) // 6)]:
            if broken.read_bytes().strip():
                shutil.copy(broken, file)
                assert _until(gate.url, lambda policies: policies["stale"])["revision"] == taken
        asked = httpx.get(f"{gate.url}/can-deploy?service=api&at=2026-11-27T13:00:00Z")
        assert asked.status_code == 200


def _until(url: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        policies: dict[str, Any] = httpx.get(f"{url}/status").json()["policies"]
        if wanted(policies):
            return policies
        time.sleep(0.1)
    pytest.fail("the change was not noticed")


def test_a_bad_file_at_start_refuses_to_start_with_its_errors(tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text("version: 1\npolicies:\n  - id: a\n    titel: x\n")
    refused = _serve(file, tmp_path)
    assert refused.returncode == 3
    assert f"{file}:4:5: policies[0].titel" in refused.stderr
    assert 'did you mean "title"?' in refused.stderr


def test_a_misspelt_setting_refuses_to_start(tmp_path: Path) -> None:
    refused = _serve(ROOT / "policies.yaml", tmp_path, FREEZEGATE_PROT="1")
    assert refused.returncode == 3
    assert "did you mean FREEZEGATE_PORT?" in refused.stderr


def test_it_stops_gracefully_when_told_to(tmp_path: Path) -> None:
    with running(ROOT / "policies.yaml", tmp_path / "gate.db") as gate:
        httpx.post(f"{gate.url}/can-deploy", json={"service": "api"})
        os.kill(gate.process.pid, signal.SIGTERM)
        assert gate.process.wait(15) in (0, -signal.SIGTERM)


def _serve(policies: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--policies", str(policies)]
    return subprocess.run(
        [*command, "--database-url", f"sqlite:///{folder / 'x.db'}"],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
