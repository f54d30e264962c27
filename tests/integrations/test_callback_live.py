"""A deploy waits in a real gate, and its callback is verified as the page says."""

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx

from app.identity.credentials import new_key
from tests.integrations.receiver import LocalReceiver
from tests.live.gate import ROOT, running

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105 - of nothing
ADMIN = new_key()


def example(page: str, language: str) -> str:
    text = (ROOT / "docs/how-to" / page).read_text()
    return text.partition(f"```{language}\n")[2].partition("```")[0]


def test_a_deploy_that_waits_is_called_back_and_a_kill_loses_nothing(
    tmp_path: Path, local: LocalReceiver
) -> None:
    policies, file = tmp_path / "policies.yaml", tmp_path / "integrations.yaml"
    policies.write_text("version: 1\npolicies: []\n")
    (tmp_path / "callback-secret").write_text(SECRET)
    section = example("platforms/callback.md", "yaml").replace("/run/secrets", str(tmp_path))
    file.write_text(section.replace("ci.example.com", f'"127.0.0.1:{local.port}"'))
    file.chmod(0o600)
    asked = json.loads(example("platforms/callback.md", "sh").partition("-d '")[2].partition("'")[0])
    asked["answer"]["callback"]["url"] = f"http://127.0.0.1:{local.port}/resume/4711"
    settings = {"FREEZEGATE_INTEGRATIONS": str(file), "FREEZEGATE_ADMIN_KEY": ADMIN}
    headers = {"Authorization": f"Bearer {ADMIN}"}
    with running(policies, tmp_path / "gate.db", **settings) as gate:
        incident = {"title": "Incident", "reason": "It burns.", "open_ended": True}
        freeze = httpx.post(f"{gate.url}/freezes", json=incident, headers=headers).json()["id"]
        elsewhere = {**asked, "key": "x", "answer": {"callback": {"url": "https://evil.example/"}}}
        assert httpx.post(f"{gate.url}/holds", json=elsewhere, headers=headers).status_code == 422
        hold = httpx.post(f"{gate.url}/holds", json=asked, headers=headers)
        assert (hold.status_code, hold.json()["state"]) == (201, "waiting"), hold.text
        os.kill(gate.process.pid, signal.SIGKILL)
    assert local.got == []
    with running(policies, tmp_path / "gate.db", **settings) as gate:
        assert httpx.delete(f"{gate.url}/freezes/{freeze}", headers=headers).status_code == 200
        # The lease of the killed one ends after 15 seconds.
        local.wait_for(1, 60)
    (got,) = local.got
    shown = json.loads(example("platforms/callback.md", "json").replace("…", ""))
    assert set(got.json) == set(shown)
    assert set(got.json["data"]) == set(shown["data"])
    assert got.json["data"]["decision"]["allowed"] is True
    names: dict[str, Any] = {}
    exec(example("notifications/webhook.md", "python"), names)  # noqa: S102 - our own page
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    assert names["verified"](key, got.headers, got.body)
    assert not names["verified"](key, got.headers, got.body + b" ")
