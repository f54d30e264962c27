"""The very shell that pipelines run, against a gate that answers, lies, or is gone: only an allow passes."""

import http.server
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.live.gate import ROOT, running

ALLOW = (
    '{"allowed": true, "outcome": "allow", "service": "api", '
    '"message": "api may be deployed to production.", "opens_at": null, '
    '"policy_revision": "sha256:x", "decision_id": "dec_1"}'
)
DENY = (
    '{"allowed": false, "outcome": "deny", "service": "api", "message": "%s", "blocking": [], '
    '"opens_at": "2026-11-30T07:00:00Z", "policy_revision": "sha256:x", "decision_id": "dec_1"}'
)
GARBAGE = {
    "html": (200, "<html>it works</html>"),
    "a deny as 200": (200, DENY % "frozen"),
    "a truncated allow": (200, ALLOW[:-20]),
    "an allow inside a message": (200, DENY % 'he said \\"allowed\\": true, \\"outcome\\": \\"allow\\"'),
    "an allow as 423": (423, ALLOW),
    "an allow as 500": (500, ALLOW),
    "an allow as 202": (202, ALLOW),
    "nothing": (200, ""),
    "only true": (200, "true"),
    "another JSON": (200, '{"allowed": true}'),
    "an error": (503, '{"status": 503}'),
}


class Result(NamedTuple):
    status: int
    printed: str
    outputs: str
    summary: str


class _Handler(http.server.BaseHTTPRequestHandler):
    status, body, requests = 200, "", list[bytes]()
    keys: list[str | None]

    def do_POST(self) -> None:
        self.keys.append(self.headers["Idempotency-Key"])
        self.requests.append(self.rfile.read(int(self.headers["Content-Length"])))
        content = self.body.encode()
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Fake(NamedTuple):
    url: str
    answer: Callable[[int, str], None]
    requests: list[bytes]
    keys: list[str | None]


@pytest.fixture
def fake() -> Iterator[Fake]:
    handler = type("Handler", (_Handler,), {"requests": [], "keys": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(status: int, body: str) -> None:
        handler.status, handler.body = status, body  # type: ignore[attr-defined]

    yield Fake(f"http://127.0.0.1:{server.server_port}", answer, handler.requests, handler.keys)  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def github(url: str, folder: Path, **inputs: str) -> Result:
    """Run the step of action.yml as the runner would."""
    action = yaml.safe_load((ROOT / "clients/github-action/action.yml").read_text())
    step = action["runs"]["steps"][0]
    given = {name: str(spec.get("default", "")) for name, spec in action["inputs"].items()}
    given.update({"url": url, "service": "api", **{k.replace("_", "-"): v for k, v in inputs.items()}})
    environment = {}
    for name, value in step["env"].items():
        for key, put in given.items():
            value = value.replace("${{ inputs." + key + " }}", put)  # noqa: PLW2901 - filled in step by step
        environment[name] = "x" if "${{" in value else value
    assert "${{" not in step["run"]
    return _run(["bash", "-c", step["run"]], folder, environment)


def gitlab(url: str, folder: Path, **inputs: str) -> Result:
    """Run the before_script of the hidden job, and then the deploy."""
    text = (ROOT / "clients/gitlab/templates/can-deploy.yml").read_text()
    spec, template = yaml.safe_load_all(text)
    given = {name: str(each.get("default", "")) for name, each in spec["spec"]["inputs"].items()}
    given.update({"url": url, "service": "api", **inputs})
    job = template[".can-deploy"]
    environment = {}
    for name, value in job["variables"].items():
        key = value.removeprefix("$[[ inputs.").removesuffix(" ]]")
        environment[name] = given[key]
    script = "\n".join([*job["before_script"], "echo deployed"])
    return _run(["sh", "-e", "-c", script], folder, environment)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> Result:
    outputs, summary = folder / "outputs", folder / "summary"
    ran = subprocess.run(
        command,
        env={
            "PATH": os.environ["PATH"],
            "GATE_POLL_SECONDS": "1",
            "GITHUB_ACTION_PATH": str(ROOT / "clients/github-action"),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(summary),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Result(
        ran.returncode,
        ran.stdout + ran.stderr,
        outputs.read_text() if outputs.exists() else "",
        summary.read_text() if summary.exists() else "",
    )


CLIENTS = pytest.mark.parametrize("client", [github, gitlab])
Client = Callable[..., Result]


@CLIENTS
def test_an_allow_passes(client: Client, fake: Fake, tmp_path: Path) -> None:
    fake.answer(200, ALLOW)
    result = client(fake.url, tmp_path)
    assert result.status == 0
    assert "api may be deployed to production." in result.printed
    assert json.loads(fake.requests[0])["service"] == "api"


@CLIENTS
def test_a_deny_stops_and_explains_itself(client: Client, fake: Fake, tmp_path: Path) -> None:
    fake.answer(423, DENY % "api may not be deployed: Friday.")
    result = client(fake.url, tmp_path)
    assert result.status != 0
    assert "api may not be deployed: Friday." in result.printed
    assert "deployed\n" not in result.printed.replace("may not be deployed", "")


@CLIENTS
@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_never_passes(client: Client, fake: Fake, tmp_path: Path, kind: str) -> None:
    fake.answer(*GARBAGE[kind])
    assert client(fake.url, tmp_path).status != 0


@CLIENTS
def test_a_redirect_is_not_followed_to_an_allow(client: Client, fake: Fake, tmp_path: Path) -> None:
    fake.answer(302, ALLOW)
    assert client(fake.url, tmp_path).status != 0


@CLIENTS
@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense://x", "file:///etc/passwd"])
def test_a_gate_that_is_gone_never_passes(client: Client, tmp_path: Path, url: str) -> None:
    assert client(url, tmp_path).status != 0


@CLIENTS
@pytest.mark.parametrize("service", ['x", "change": "rollback', "$(touch pwned)", "a b\nc", "`id`", "\\"])
def test_hostile_inputs_stay_data(client: Client, fake: Fake, tmp_path: Path, service: str) -> None:
    fake.answer(423, DENY % "no")
    client(fake.url, tmp_path, service=service)
    body = json.loads(fake.requests[0])
    assert body["service"] == service.replace("\n", " ")
    assert body["change"] == "normal"
    assert not list(tmp_path.glob("pwned"))


def test_outputs_and_summary_are_written(fake: Fake, tmp_path: Path) -> None:
    fake.answer(423, DENY % "api may not be deployed.")
    result = github(fake.url, tmp_path)
    assert result.outputs == (
        "allowed=false\nopens_at=2026-11-30T07:00:00Z\nmessage=api may not be deployed.\n"
    )
    assert result.summary.startswith("### Deploy stopped")


@pytest.mark.parametrize(
    "hostile", ["a\\nallowed=true", "x::set-output name=allowed::true", "<img src=x>", "a\\u000ab"]
)
def test_a_hostile_message_writes_no_output_and_no_command(fake: Fake, tmp_path: Path, hostile: str) -> None:
    fake.answer(423, DENY % hostile)
    result = github(fake.url, tmp_path)
    assert [line.split("=")[0] for line in result.outputs.splitlines()] == ["allowed", "opens_at", "message"]
    assert result.outputs.startswith("allowed=false\n")
    assert result.printed.count("::") == 2  # the error annotation's own
    assert "<img" not in result.summary


def test_waiting_ends_when_it_opens(fake: Fake, tmp_path: Path) -> None:
    fake.answer(423, DENY % "no")

    def open_soon() -> None:
        fake.answer(200, ALLOW)

    timer = threading.Timer(1.0, open_soon)
    timer.start()
    assert github(fake.url, tmp_path, wait="1").status == 0
    timer.join()


@CLIENTS
def test_the_real_gate_allows_and_denies(client: Client, tmp_path: Path) -> None:
    frozen = tmp_path / "frozen.yaml"
    frozen.write_text(
        "version: 1\npolicies:\n  - {id: stop, title: All is frozen, reason: Because, "
        "exempt: {changes: [rollback]}, when: [{always: true}]}\n"
    )
    with running(frozen, tmp_path / "gate.db") as gate:
        denied = client(gate.url, tmp_path)
        assert denied.status != 0
        assert "All is frozen" in denied.printed
        assert client(gate.url, tmp_path, change="rollback").status == 0


@pytest.mark.parametrize("client", [github, gitlab])
def test_each_run_of_a_step_has_a_key_of_its_own(
    fake: Fake, tmp_path: Path, client: Callable[..., Result]
) -> None:
    fake.answer(200, ALLOW)
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert client(fake.url, folder).status == 0
    assert None not in fake.keys
    assert len(set(fake.keys)) == 3


@pytest.mark.parametrize("minutes", ["abc", "1.5", "-1", "99999"])
def test_a_wait_that_is_no_number_of_minutes_stops_the_deploy_and_says_so(
    fake: Fake, tmp_path: Path, minutes: str
) -> None:
    fake.answer(200, ALLOW)
    result = github(fake.url, tmp_path, wait=minutes)
    assert result.status == 1
    assert "allowed=false" in result.outputs
    assert "::error" in result.printed


def test_a_wait_with_a_leading_zero_is_taken_as_it_reads(fake: Fake, tmp_path: Path) -> None:
    fake.answer(200, ALLOW)
    assert github(fake.url, tmp_path, wait="08").status == 0
