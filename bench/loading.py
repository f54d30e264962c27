"""A question beside a policy file that is being loaded: how long it takes.

``python -m bench.loading FILE…`` starts a gate with an open file, puts each FILE in its place in turn, and
asks from another process until the gate has loaded or refused it. ``python -m bench.loading`` makes two
files: one of 100,000 errors, and one of 10,000 policies.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from bench.population import policy_set

PORT = 18_431
EMPTY = "version: 1\nenvironments: [production, staging]\npolicies: []\n"
AT_LEAST = 4.0
"""Seconds for which questions are asked."""

AT_MOST = 120.0


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = [Path(name) for name in sys.argv[1:]] or [_errors(folder), _large(folder)]
        policies = folder / "policies.yaml"
        policies.write_text(EMPTY)
        command = [sys.executable, "-m", "app.cli", "serve", "--port", str(PORT), "--policies", str(policies)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FREEZEGATE_")}
        gate = subprocess.Popen(
            [*command, "--database-url", f"sqlite:///{folder / 'gate.db'}"],
            env=kept,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for_start()
            _report("nothing being loaded", *_ask_while(None))
            for file in files:
                before = _standing()
                (folder / "next").write_bytes(file.read_bytes())
                (folder / "next").rename(policies)
                _report(f"beside {file.name}", *_ask_while(before))
        finally:
            gate.terminate()
            gate.wait(20)


def _ask_while(before: object | None) -> tuple[list[float], float]:
    """Ask for some seconds, and until the gate has loaded or refused another set than `before`, if given."""
    started, took, looked = time.perf_counter(), [], 0.0
    while (elapsed := time.perf_counter() - started) < AT_MOST:
        asked = time.perf_counter()
        _get("/can-deploy?service=api")
        took.append(time.perf_counter() - asked)
        if elapsed > AT_LEAST and elapsed - looked > 1:
            looked = elapsed
            if before is None or _standing() != before:
                break
        time.sleep(0.002)
    return took, time.perf_counter() - started


def _standing() -> object:
    """The revision in force, and the one that was refused."""
    policies = json.loads(_get("/status"))["policies"]
    return policies["revision"], (policies["last_error"] or {}).get("revision")


def _get(path: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=60) as reply:
            return bytes(reply.read())
    except urllib.error.HTTPError as error:
        return bytes(error.read())


def _wait_for_start() -> None:
    for _ in range(200):
        try:
            _get("/healthz")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the gate did not start")


def _report(label: str, took: list[float], seconds: float) -> None:
    median, p99 = statistics.median(took) * 1e3, statistics.quantiles(took, n=100)[98] * 1e3
    figures = f"median {median:.1f}, p99 {p99:.1f}, worst {max(took) * 1e3:.0f} ms"
    print(f"{label:22} {len(took):6} questions in {seconds:5.1f} s: {figures}", flush=True)


def _errors(folder: Path) -> Path:
    """100,000 errors: five of each of 20,000 policies."""
    file = folder / "errors.yaml"
    line = "  - {{id: P{}, titel: x, when: [{{daily: {{from: 9, to: 25:00}}}}]}}\n"
    file.write_text("version: 1\npolicies:\n" + "".join(line.format(number) for number in range(20_000)))
    return file


def _large(folder: Path) -> Path:
    file = folder / "large.yaml"
    file.write_text(yaml.safe_dump(policy_set(10_000), sort_keys=False))
    return file


if __name__ == "__main__":
    main()
