"""A gate and the comment APIs of GitHub and GitLab in one server, and the two clients that use them."""

import http.server
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.clients.test_shells import matches_as_in_gitlab
from tests.live.gate import ROOT

SCRIPT = ROOT / "clients/github-diff/policy-diff.sh"
TEMPLATE = ROOT / "clients/gitlab/templates/policy-diff.yml"
KEY = "fzk_0123456789abcdef"
TOKEN = "ghs_fedcba9876543210"
DIFFERENCE = {"differs": True, "opens": True, "closes": False, "complete": True}


class Reply(NamedTuple):
    """A reply in place of the usual one; status 0 drops the connection after doing what was asked."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


class FakeForge:
    """The state of a gate and of the comments on one pull request."""

    def __init__(self) -> None:
        self.difference: Any = DIFFERENCE
        self.markdown = "### Opens 8 hours, closes none, in `production`\n"
        self.comments: list[dict[str, Any]] = []
        self.bot = "github-actions[bot]"
        self.requests: list[tuple[str, str]] = []
        self.candidates: list[dict[str, Any]] = []
        self.secrets: set[str | None] = set()
        self.instead: dict[str, list[Reply]] = {}
        """Replies by the kind of request, such as ``POST comments``: each is used once."""
        self.next_id = 1

    def add(self, body: str, author: str | None = None) -> int:
        own_id, self.next_id = self.next_id, self.next_id + 1
        user = {"login": author or self.bot, "username": author or self.bot}
        self.comments.append({"id": own_id, "body": body, "user": user, "author": user})
        return own_id

    def bodies(self) -> list[str]:
        return [each["body"] for each in self.comments if each["user"]["login"] == self.bot]

    def answer(self, method: str, path: str, body: Any) -> Reply:
        address = urlsplit(path)
        kind = f"{method} {address.path.strip('/').rpartition('/')[2]}"
        kind = re.sub(r"\d+$", "comment", kind).replace("notes", "comments")
        self.requests.append((kind, path))
        instead = self.instead.get(kind, [])
        if instead and instead[0].status:
            return instead.pop(0)
        done = self._do(kind, address.path, {k: v[0] for k, v in parse_qs(address.query).items()}, body)
        return instead.pop(0) if instead else done

    def _do(self, kind: str, path: str, query: dict[str, str], body: Any) -> Reply:
        if kind == "GET user":
            return Reply(200, {"username": self.bot})
        if kind == "GET comments":
            first = (int(query["page"]) - 1) * int(query["per_page"])
            return Reply(200, self.comments[first : first + int(query["per_page"])])
        if kind == "POST comments":
            return Reply(201, {"id": self.add(body["body"])})
        own_id = int(path.rpartition("/")[2])
        found = [each for each in self.comments if each["id"] == own_id]
        if not found:
            return Reply(404, {"message": "Not Found"})
        if kind == "DELETE comment":
            self.comments.remove(found[0])
            return Reply(204)
        found[0]["body"] = body["body"]
        return Reply(200, found[0])


@contextmanager
def serving(forge: FakeForge) -> Iterator[str]:
    """Serve a forge; yield its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")
            forge.secrets.add(self.headers["Authorization"] or self.headers["PRIVATE-TOKEN"])
            if self.path.startswith("/policies/diff"):
                reply = self._compare(body)
            else:
                reply = forge.answer(self.command, self.path, body)
            if not reply.status:
                self.close_connection = True
                return
            content = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) if reply.status != 204 else 0))
            self.end_headers()
            self.wfile.write(content if reply.status != 204 else b"")

        def _compare(self, body: Any) -> Reply:
            forge.candidates.append(body)
            instead = forge.instead.get("diff", [])
            if instead:
                return instead.pop(0)
            is_json = self.headers["Accept"] == "application/json"
            return Reply(200, forge.difference if is_json else forge.markdown)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - the names of the base class

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Ran(NamedTuple):
    """The result of a job."""

    status: int
    printed: str
    outputs: str
    summary: str


def github(url: str, folder: Path, **inputs: str) -> Ran:
    """Run the step of the action as the runner would."""
    action = yaml.safe_load((ROOT / "clients/github-diff/action.yml").read_text())
    (step,) = action["runs"]["steps"]
    given = {name: str(spec.get("default", "")) for name, spec in action["inputs"].items()}
    given |= {"url": url, "api-key": KEY, "comment-token": TOKEN}
    given |= {name.replace("_", "-"): value for name, value in inputs.items()}
    context = {
        "github.api_url": f"{given.pop('api-url', url)}/api",
        "github.repository": "acme/policies",
        "github.event.pull_request.number": given.pop("number", "7"),
        "github.event.pull_request.head.sha || github.sha": "0123456789abcdef0123",
        **{f"inputs.{name}": value for name, value in given.items()},
    }
    environment = {
        name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: context[found[1]], value)
        for name, value in step["env"].items()
    }
    assert "${{" not in step["run"]
    environment["GITHUB_ACTION_PATH"] = str(SCRIPT.parent)
    return _run(["sh", "-e", "-c", step["run"]], folder, environment)


def gitlab(url: str, folder: Path, **inputs: str) -> Ran:
    """Run the script of the job as the runner would."""
    spec, template = yaml.safe_load_all(TEMPLATE.read_text())
    given = {name: str(each.get("default", "")) for name, each in spec["spec"]["inputs"].items()}
    given |= {"url": url, **{name: value for name, value in inputs.items() if name in given}}
    for name, each in spec["spec"]["inputs"].items():
        assert "regex" not in each or matches_as_in_gitlab(each["regex"], given[name])
    job = template["policy-diff"]
    lines = [re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda found: given[found[1]], line) for line in job["script"]]
    environment = {
        **job["variables"],
        "GATE_API_KEY": inputs.get("api_key", KEY),
        "GATE_COMMENT_TOKEN": inputs.get("comment_token", TOKEN),
        "CI_API_V4_URL": f"{url}/api",
        "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_IID": inputs.get("number", "7"),
        "CI_COMMIT_SHA": "0123456789abcdef0123",
    }
    return _run(["bash", "-eo", "pipefail", "-c", "\n".join(lines)], folder, environment)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> Ran:
    ran = subprocess.run(
        command,
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "GATE_POLL_SECONDS": "0",
            "GITHUB_OUTPUT": ".outputs",
            "GITHUB_STEP_SUMMARY": ".summary",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    read = [folder / name for name in (".outputs", ".summary", "policy-diff.md")]
    outputs, summary, artifact = (each.read_text() if each.exists() else "" for each in read)
    return Ran(ran.returncode, ran.stdout + ran.stderr, outputs, summary or artifact)
