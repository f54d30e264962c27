"""``make demo-github``: a gate and a GitHub on this machine, and two deploys that wait for a freeze to end.

Everything is real but GitHub: the gate runs as a process of its own, and asks and answers over HTTP.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from app.identity.credentials import new_key
from tests.integrations.github.fake import APP_ID, SECRET, FakeGitHub, Run, private_pem
from tests.live.gate import start

DEADLINE = 90
"""Seconds after the end of the freeze in which both deploys must have been approved."""

POLICIES = """\
version: 1
timezone: UTC
environments: {production: {release: {batch: 5, every: 1m}}}
policies: []
"""


class Show:
    """The lines of the demo, each with the time since its beginning."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, who: str, text: str) -> None:
        elapsed = int(time.monotonic() - self._begun)
        lines = [line for line in text.splitlines() if line.strip()]
        with self._lock:
            sys.stdout.write(f"{elapsed // 60:02}:{elapsed % 60:02}  {who:<7} {lines[0]}\n")
            sys.stdout.writelines(f"{'':15} {line}\n" for line in lines[1:])
            sys.stdout.flush()


def write_files(folder: Path, api: str) -> tuple[Path, Path]:
    """Write the policies and the integrations file."""
    policies, integrations, key = folder / "policies.yaml", folder / "integrations.yaml", folder / "app.pem"
    policies.write_text(POLICIES)
    key.write_text(private_pem())
    section = {
        "app_id": APP_ID,
        "private_key_file": key.name,
        "secret": SECRET,
        "api": api,
        "deployments": [{"repository": "acme/*", "environment": "production"}],
    }
    integrations.write_text(json.dumps({"github": section}))
    for file in (integrations, key):
        file.chmod(0o600)
    return policies, integrations


def freeze(url: str, key: str, seconds: int) -> datetime:
    """Freeze production for so many seconds; return the end."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    wanted = {
        "title": "No deploys during the demo",
        "reason": "The demo shows what happens then.",
        "contact": "#release-managers",
        "until": f"{end:%Y-%m-%dT%H:%M:%SZ}",
    }
    httpx.post(f"{url}/freezes", json=wanted, headers={"Authorization": f"Bearer {key}"}).raise_for_status()
    return end


def follow(show: Show, runs: list[Run], until: float) -> bool:
    """Show each report of the runs as it arrives; return whether all were approved in time."""
    shown = 0
    while time.time() < until:
        reports = sorted((report.at, run.id, report) for run in runs for report in run.reports)
        for _, run_id, report in reports[shown:]:
            show("gate", f"run {run_id}: {report.state or 'still waits'}\n{report.comment}")
        shown = len(reports)
        if all(run.state == "approved" for run in runs):
            return True
        time.sleep(0.05)
    return False


def main(seconds: int) -> int:
    """Run the demo with a freeze of so many seconds; return the exit status."""
    show, github, key = Show(), FakeGitHub(), new_key()
    with tempfile.TemporaryDirectory() as folder:
        policies, integrations = write_files(Path(folder), github.url)
        settings = {"FREEZEGATE_INTEGRATIONS": str(integrations), "FREEZEGATE_ADMIN_KEY": key}
        gate = start(policies, Path(folder) / "gate.db", **settings)
        try:
            github.hook = f"{gate.url}/integrations/github"
            end = freeze(gate.url, key, seconds)
            show("gate", f"listens on {gate.url}; deploys are frozen until {end:%H:%M:%S} UTC")
            first = github.request_deploy("acme/checkout")
            show("GitHub", f"run {first.id} of acme/checkout comes to environment production and asks")
            github.lose = lambda _event: True
            second = github.request_deploy("acme/search")
            show("GitHub", f"run {second.id} of acme/search asks too, but the event is lost on the way")
            approved = follow(show, [first, second], end.timestamp() + DEADLINE)
            early = any(run.decided_at and run.decided_at < end.timestamp() for run in (first, second))
            show("demo", _conclusion(approved=approved, early=early))
            return 0 if approved and not early else 1
        finally:
            _stop(gate.process)
            github.close()


def _conclusion(*, approved: bool, early: bool) -> str:
    if early:
        return "a deploy was approved while it was frozen"
    return "both deploys go on; none of them had a runner meanwhile" if approved else "a deploy still waits"


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(20)
    assert process.stderr is not None
    process.stderr.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Show how a deploy on GitHub waits for a freeze to end.")
    parser.add_argument("--seconds", type=int, default=60, help="how long the freeze lasts; 60 if left out")
    sys.exit(main(parser.parse_args().seconds))
