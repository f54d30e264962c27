"""A GitHub on this machine, over real HTTP, written from its public documentation.

It authenticates an App, delivers events, keeps the list of deliveries, and takes reports of deployment
protection rules; pull requests, check runs and the merge queue are in `fake_merges`. It behaves as badly as a
test wants; see `Fault`.
"""

import hashlib
import hmac
import json
import re
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

APP_ID = 12345
INSTALLATION = 678
SECRET = "whsec-of-the-fake-github"  # noqa: S105 - of the fake
GRANTED = {
    "actions": "read",
    "checks": "write",
    "contents": "read",
    "deployments": "write",
    "metadata": "read",
    "pull_requests": "read",
}
RETENTION = 3 * 24 * 3_600
"""Seconds for which deliveries are kept; 7 days on GitHub Enterprise Server."""

MOST_REPORTS = 10
LONGEST_COMMENT = 1_024


@cache
def private_key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def private_pem() -> str:
    return (
        private_key().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    )


class Fault(NamedTuple):
    """What happens to a request instead of, or after, its work."""

    status: int = 0
    """The answer; 0: as usual."""
    headers: Mapping[str, str] = {}
    message: str = "Server Error"
    lost: bool = False
    """The connection breaks before the answer; the work is done."""
    slow: float = 0
    """Seconds before the work."""


LOST_ANSWER = Fault(lost=True)
BAD_GATEWAY = Fault(502)


def primary_limit(reset: int) -> Fault:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    return Fault(403, headers, "API rate limit exceeded for installation.")


def secondary_limit(seconds: int | None = None) -> Fault:
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return Fault(403, headers, "You have exceeded a secondary rate limit.")


class Report(NamedTuple):
    """A report of a deployment protection rule, as it arrived."""

    at: float
    state: str | None
    comment: str


@dataclass
class Run:
    """A job that waits for the rule, in a run of a workflow."""

    id: int
    repository: str
    environment: str
    deployment: int | None
    state: str = "waiting"
    reports: list[Report] = field(default_factory=list)
    requested_at: float = 0
    decided_at: float | None = None


class Answer(NamedTuple):
    status: int
    content: Any = None
    headers: Mapping[str, str] = {}


class Asked(NamedTuple):
    """A request to the API."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    groups: tuple[str, ...]


Handler = Callable[[Asked], Answer]


@dataclass
class Attempt:
    """An entry of the list of deliveries."""

    id: int
    guid: str
    event: str
    payload: dict[str, Any]
    at: float
    redelivery: bool
    status_code: int
    status: str


class FakeGitHub:
    """The API, and what is behind it. All members may be read by tests; lock for what threads change."""

    def __init__(self, now: Callable[[], float] = time.time, prefix: str = "", port: int = 0) -> None:
        self.now = now
        self.lock = threading.RLock()
        self.hook: str | None = None
        """Where events are delivered; None: nowhere, and each delivery fails."""
        self.deliver: Callable[[Mapping[str, str], bytes], int] = self._post
        self.lose: Callable[[str], bool] = lambda _event: False
        """Whether a delivery is lost on the way."""
        self.twice: Callable[[str], bool] = lambda _event: False
        self.faults: deque[Fault] = deque()
        """Used up one by one, by the next requests."""
        self.fault: Callable[[str, str], Fault | None] = lambda _method, _path: None
        """Asked for each request with its method and path."""
        self.requests: list[tuple[str, str, int]] = []
        """Method, path and status of each answered request."""
        self.tokens: dict[str, tuple[dict[str, str], float]] = {}
        self.deliveries: list[Attempt] = []
        self.runs: dict[tuple[int, str], Run] = {}
        self.refused_reports: list[str] = []
        self.routes: list[tuple[str, re.Pattern[str], tuple[str, str] | None, Handler]] = []
        """Method, path, the permission that the token needs (None: the App itself), handler."""
        self._ids = iter(range(1_000, 10**9))
        repo = r"/repos/([\w.-]+/[\w.-]+)"
        run = rf"{repo}/actions/runs/(\d+)"
        self.route("POST", r"/app/installations/(\d+)/access_tokens", None, self._grant)
        self.route("GET", r"/app/hook/deliveries", None, self._list)
        self.route("GET", r"/app/hook/deliveries/(\d+)", None, self._show)
        self.route("POST", r"/app/hook/deliveries/(\d+)/attempts", None, self._redeliver)
        self.route("POST", rf"{run}/deployment_protection_rule", ("deployments", "write"), self._review)
        self.route("GET", run, ("actions", "read"), self._run)
        self.route("GET", rf"{repo}/actions/runs", ("actions", "read"), self._runs)
        self.route("GET", rf"{run}/approvals", ("actions", "read"), self._approvals)
        self._server = _serve(self, prefix, port)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}{prefix}"

    def route(self, method: str, path: str, permission: tuple[str, str] | None, handler: Handler) -> None:
        """Add a route to the API."""
        self.routes.append((method, re.compile(path), permission, handler))

    def new_id(self) -> int:
        with self.lock:
            return next(self._ids)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # What people and workflows do.

    def request_deploy(
        self,
        repository: str = "acme/checkout",
        environment: str = "production",
        run_id: int | None = None,
        *,
        with_deployment: bool = True,
    ) -> Run:
        """Let a run come to a job of a protected environment."""
        run = Run(
            run_id or self.new_id(), repository, environment, self.new_id() if with_deployment else None
        )
        run.requested_at = self.now()
        with self.lock:
            self.runs[run.id, environment] = run
        self.send("deployment_protection_rule", self.requested(run))
        return run

    def cancel(self, run: Run) -> None:
        """Let a person cancel a run."""
        with self.lock:
            run.state = "cancelled"

    def requested(self, run: Run) -> dict[str, Any]:
        """The payload by which a run asks."""
        url = f"{self.url}/repos/{run.repository}"
        deployment = None if run.deployment is None else self._deployment(run, url)
        return {
            "action": "requested",
            "environment": run.environment,
            "event": "push",
            "sha": _sha(run.id),
            "ref": "main",
            "deployment_callback_url": f"{url}/actions/runs/{run.id}/deployment_protection_rule",
            "deployment": deployment,
            "pull_requests": [],
            **self.common(run.repository),
        }

    def common(self, repository: str) -> dict[str, Any]:
        """The members of every payload."""
        return {
            "repository": repository_object(self.url, repository),
            "installation": {"id": INSTALLATION, "node_id": "MDIzOkludGVncmF0aW9u"},
            "sender": user_object("mona"),
        }

    # Deliveries.

    def send(self, event: str, payload: dict[str, Any]) -> str:
        """Deliver an event, as badly as it is set; return its id."""
        guid = str(uuid.uuid4())
        self._attempt(event, payload, guid, lost=self.lose(event))
        if self.twice(event):
            self._attempt(event, payload, guid, redelivery=True)
        return guid

    def _attempt(
        self, event: str, payload: dict[str, Any], guid: str, *, lost: bool = False, redelivery: bool = False
    ) -> None:
        body = json.dumps(payload).encode()
        status = 0 if lost else self._delivered(event, guid, body)
        words = {0: "failed to connect to host"}.get(status, "OK" if 200 <= status < 300 else f"{status}")
        attempt = Attempt(self.new_id(), guid, event, payload, self.now(), redelivery, status, words)
        with self.lock:
            self.deliveries.append(attempt)

    def _delivered(self, event: str, guid: str, body: bytes) -> int:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": guid,
            "X-GitHub-Event": event,
            "X-GitHub-Hook-Installation-Target-ID": str(APP_ID),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-Hub-Signature-256": signature(body),
        }
        try:
            return self.deliver(headers, body)
        except (OSError, httpx.HTTPError):
            return 0

    def _post(self, headers: Mapping[str, str], body: bytes) -> int:
        if self.hook is None:
            return 0
        return httpx.post(self.hook, headers=dict(headers), content=body, timeout=10).status_code

    # The API.

    def answer(self, method: str, target: str, headers: Mapping[str, str], content: bytes) -> Answer | None:
        """Answer a request; None: the answer is lost."""
        parts = urlsplit(target)
        with self.lock:
            fault = self.faults.popleft() if self.faults else self.fault(method, parts.path)
        if fault is not None and fault.slow:
            time.sleep(fault.slow)
        if fault is not None and fault.status:
            answer = Answer(fault.status, {"message": fault.message}, fault.headers)
        else:
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            answer = self._routed(method, parts.path, query, headers, content)
        self.requests.append((method, parts.path, answer.status))
        return None if fault is not None and fault.lost else answer

    def _routed(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], content: bytes
    ) -> Answer:
        if not headers.get("User-Agent"):
            return Answer(403, {"message": "Request forbidden by administrative rules."})
        for known, pattern, permission, handler in self.routes:
            found = pattern.fullmatch(path) if known == method else None
            if found is not None:
                refusal = self._refusal(headers.get("Authorization", ""), permission)
                asked = Asked(method, path, query, json.loads(content or b"null"), found.groups())
                with self.lock:
                    return refusal or handler(asked)
        return not_found()

    def _refusal(self, authorization: str, permission: tuple[str, str] | None) -> Answer | None:
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer":
            return Answer(401, {"message": "Requires authentication"})
        if permission is None:
            return self._judge_proof(token)
        permissions, until = self.tokens.get(token, ({}, 0.0))
        if until <= self.now():
            return Answer(401, {"message": "Bad credentials"})
        if permissions.get(permission[0]) not in (permission[1], "write"):
            return Answer(403, {"message": "Resource not accessible by integration"})
        return None

    def _judge_proof(self, token: str) -> Answer | None:
        options: Any = {"verify_exp": False, "verify_iat": False, "require": ["iat", "exp", "iss"]}
        try:
            claims = jwt.decode(token, private_key().public_key(), ["RS256"], options=options)
        except jwt.PyJWTError:
            return Answer(401, {"message": "A JSON web token could not be decoded"})
        now = self.now()
        if str(claims["iss"]) != str(APP_ID):
            return Answer(404, {"message": "Integration not found"})
        if claims["iat"] > now or claims["exp"] <= now:
            return Answer(401, {"message": "'Expiration time' claim ('exp') must be a numeric value"})
        if claims["exp"] > now + 600:
            return Answer(401, {"message": "'Expiration time' claim ('exp') is too far in the future"})
        return None

    def _grant(self, asked: Asked) -> Answer:
        if int(asked.groups[0]) != INSTALLATION:
            return not_found()
        wanted = (asked.body or {}).get("permissions") or GRANTED
        if any(GRANTED.get(name) not in (level, "write") for name, level in wanted.items()):
            message = "The permissions requested are not granted to this installation."
            return Answer(422, {"message": message})
        token, until = f"ghs_{uuid.uuid4().hex}", self.now() + 3_600
        self.tokens[token] = (dict(wanted), until)
        granted = {"token": token, "expires_at": instant(until), "permissions": wanted}
        return Answer(201, {**granted, "repository_selection": "all"})

    def _kept(self) -> list[Attempt]:
        """The deliveries that are listed, newest first."""
        since = self.now() - RETENTION
        return [each for each in reversed(self.deliveries) if each.at >= since]

    def _list(self, asked: Asked) -> Answer:
        size = min(int(asked.query.get("per_page", "30")), 100)
        kept = self._kept()
        cursor = asked.query.get("cursor")
        if cursor is not None:
            kept = [each for each in kept if each.id <= int(cursor.removeprefix("v1_"))]
        page, rest = kept[:size], kept[size:]
        headers = {}
        if rest:
            link = f"{self.url}/app/hook/deliveries?per_page={size}&cursor=v1_{rest[0].id}"
            headers["Link"] = f'<{link}>; rel="next"'
        return Answer(200, [delivery_object(each) for each in page], headers)

    def _show(self, asked: Asked) -> Answer:
        found = self._found(asked)
        if found is None:
            return not_found()
        headers = {"X-GitHub-Delivery": found.guid, "X-GitHub-Event": found.event}
        more = {
            "url": self.hook or "",
            "request": {"headers": headers, "payload": found.payload},
            "response": {"headers": {}, "payload": None},
        }
        return Answer(200, delivery_object(found) | more)

    def _redeliver(self, asked: Asked) -> Answer:
        found = self._found(asked)
        if found is None:
            return not_found()
        arguments = (found.event, found.payload, found.guid)
        threading.Thread(target=self._attempt, args=arguments, kwargs={"redelivery": True}).start()
        return Answer(202, {})

    def _found(self, asked: Asked) -> Attempt | None:
        return next((each for each in self._kept() if each.id == int(asked.groups[0])), None)

    def _review(self, asked: Asked) -> Answer:
        body = asked.body if isinstance(asked.body, dict) else {}
        run = self.runs.get((int(asked.groups[1]), str(body.get("environment_name"))))
        if run is None or run.repository.lower() != asked.groups[0].lower():
            return not_found()
        problem = _problem_of(run, body)
        if problem is not None:
            self.refused_reports.append(problem)
            return Answer(422, {"message": problem})
        state = body.get("state")
        run.reports.append(Report(self.now(), state, str(body.get("comment", ""))))
        if state is not None:
            run.state, run.decided_at = state, self.now()
        return Answer(204)

    def _run(self, asked: Asked) -> Answer:
        found = [each for each in self.runs.values() if each.id == int(asked.groups[1])]
        if not found:
            return not_found()
        over = all(each.state in ("cancelled", "rejected") for each in found)
        content = {"id": found[0].id, "run_attempt": 1, "status": "completed" if over else "waiting"}
        return Answer(200, content | {"conclusion": "cancelled" if over else None})

    def _runs(self, asked: Asked) -> Answer:
        return Answer(200, {"total_count": 0, "workflow_runs": []})

    def _approvals(self, asked: Asked) -> Answer:
        reviews = [
            {
                "state": report.state,
                "comment": report.comment,
                "environments": [{"id": 1, "name": run.environment}],
                "user": user_object("freezegate[bot]"),
            }
            for run in self.runs.values()
            if run.id == int(asked.groups[1])
            for report in run.reports
            if report.state is not None
        ]
        return Answer(200, reviews)

    def _deployment(self, run: Run, url: str) -> dict[str, Any]:
        return {
            "url": f"{url}/deployments/{run.deployment}",
            "id": run.deployment,
            "node_id": "DE_kwDO",
            "sha": _sha(run.id),
            "ref": "main",
            "task": "deploy",
            "payload": {},
            "original_environment": run.environment,
            "environment": run.environment,
            "description": None,
            "creator": user_object("mona"),
            "created_at": instant(run.requested_at),
            "updated_at": instant(run.requested_at),
            "statuses_url": f"{url}/deployments/{run.deployment}/statuses",
            "repository_url": url,
        }


def _problem_of(run: Run, body: Mapping[str, Any]) -> str | None:
    """What is wrong with a report; None if nothing is."""
    comment = body.get("comment", "")
    if len(comment) > LONGEST_COMMENT:
        return "comment is too long"
    if "state" not in body and not comment:
        return "comment is required"
    if body.get("state", "approved") not in ("approved", "rejected"):
        return "state is invalid"
    if run.state != "waiting":
        return "there is no pending deployment"
    if "state" not in body and len(run.reports) >= MOST_REPORTS:
        return "too many reports"
    return None


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def not_found() -> Answer:
    return Answer(404, {"message": "Not Found"})


def instant(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def delivery_object(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.id,
        "guid": attempt.guid,
        "delivered_at": instant(attempt.at),
        "redelivery": attempt.redelivery,
        "duration": 0.1,
        "status": attempt.status,
        "status_code": attempt.status_code,
        "event": attempt.event,
        "action": attempt.payload.get("action"),
        "installation_id": INSTALLATION,
        "repository_id": attempt.payload.get("repository", {}).get("id"),
        "throttled_at": None,
    }


def user_object(login: str) -> dict[str, Any]:
    url = f"https://api.github.com/users/{login}"
    links = {
        name: f"{url}/{name.removesuffix('_url')}"
        for name in (
            *("followers_url", "following_url", "gists_url", "starred_url", "subscriptions_url"),
            *("organizations_url", "repos_url", "events_url", "received_events_url"),
        )
    }
    return {
        "login": login,
        "id": 1,
        "node_id": "MDQ6VXNlcjE=",
        "avatar_url": "https://github.com/images/error/octocat_happy.gif",
        "gravatar_id": "",
        "url": url,
        "html_url": f"https://github.com/{login}",
        **links,
        "type": "User",
        "site_admin": False,
    }


_REPOSITORY_URLS = (
    *(
        "archive",
        "assignees",
        "blobs",
        "branches",
        "clone",
        "collaborators",
        "comments",
        "commits",
        "compare",
    ),
    *("contents", "contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs"),
    *("git_tags", "git", "hooks", "issue_comment", "issue_events", "issues", "keys", "labels", "languages"),
    *(
        "merges",
        "milestones",
        "mirror",
        "notifications",
        "pulls",
        "releases",
        "ssh",
        "stargazers",
        "statuses",
    ),
    *("subscribers", "subscription", "svn", "tags", "teams", "trees"),
)
_REPOSITORY_COUNTS = (
    *("forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count"),
    *("watchers", "watchers_count"),
)


def repository_object(url: str, full_name: str) -> dict[str, Any]:
    owner, name = full_name.split("/")
    here = f"{url}/repos/{full_name}"
    return {
        "id": int(hashlib.sha256(full_name.lower().encode()).hexdigest()[:8], 16),
        "node_id": "R_kgDO",
        "name": name,
        "full_name": full_name,
        "private": False,
        "owner": user_object(owner),
        "html_url": f"https://github.com/{full_name}",
        "description": None,
        "fork": False,
        "url": here,
        "default_branch": "main",
        **{f"{each}_url": f"{here}/{each}" for each in _REPOSITORY_URLS},
        **dict.fromkeys(_REPOSITORY_COUNTS, 0),
        **dict.fromkeys(("archived", "disabled", "has_pages"), False),
        **dict.fromkeys(("has_downloads", "has_issues", "has_projects", "has_wiki"), True),
        **dict.fromkeys(("homepage", "language", "license"), None),
        **dict.fromkeys(("created_at", "pushed_at", "updated_at"), "2026-01-01T00:00:00Z"),
        "topics": [],
        "visibility": "public",
    }


def _sha(number: int) -> str:
    return hashlib.sha1(str(number).encode()).hexdigest()  # noqa: S324 - as git names commits


def _serve(fake: FakeGitHub, prefix: str, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms, for head and body are sent apart

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PATCH(self) -> None:
            self._answer()

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not self.path.startswith(f"{prefix}/"):
                answer: Answer | None = not_found()
            else:
                target = self.path[len(prefix) :]
                answer = fake.answer(self.command, target, dict(self.headers), content)
            if answer is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            body = b"" if answer.content is None else json.dumps(answer.content).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            if answer.status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.request_queue_size = 128
    # A client that was killed is nothing to tell of.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
