"""What was acknowledged survives ``kill -9``."""

import concurrent.futures
import sqlite3
import threading
from pathlib import Path

import httpx
import pytest

from tests.live.gate import ROOT, start

AT_ONCE = 8


def claims(url: str, under_way: threading.Event) -> list[str]:
    """Claim until the gate is gone; the ids of what it acknowledged."""
    acknowledged: list[str] = []
    with httpx.Client(base_url=url, timeout=30) as client:
        while True:
            try:
                reply = client.post("/can-deploy", json={"service": "api"})
            except httpx.HTTPError:
                return acknowledged
            acknowledged.append(reply.json()["decision_id"])
            under_way.set()


@pytest.mark.parametrize("bursts", [10, pytest.param(30, marks=pytest.mark.long)])
def test_no_acknowledged_claim_is_missing_after_kill_9(tmp_path: Path, bursts: int) -> None:
    database = tmp_path / "gate.db"
    acknowledged: set[str] = set()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for burst in range(bursts):
            gate = start(ROOT / "policies.yaml", database)
            under_way = threading.Event()
            waiting = [pool.submit(claims, gate.url, under_way) for _ in range(AT_ONCE)]
            assert under_way.wait(60)
            concurrent.futures.wait(waiting, timeout=0.3 * burst / bursts)
            gate.process.kill()
            gate.process.wait(10)
            assert gate.process.stderr is not None
            gate.process.stderr.close()
            for each in waiting:
                acknowledged.update(each.result(60))
            connection = sqlite3.connect(database)
            recorded = {row[0] for row in connection.execute("SELECT id FROM decisions")}
            whole = connection.execute("PRAGMA integrity_check").fetchone()
            connection.close()
            assert whole == ("ok",)
            assert acknowledged <= recorded, f"burst {burst}: {acknowledged - recorded}"
    assert len(acknowledged) > bursts
