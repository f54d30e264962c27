"""Pull requests, check runs and the merge queue of the GitHub on this machine.

Its GraphQL answers by the name of the operation, in the forms of the published schema; a query costs what the
documentation's formula says. The queue evicts a group whose required check fails, or doesn't report in time.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.integrations.github.fake import (
    APP_ID,
    GRANTED,
    INSTALLATION,
    Answer,
    Asked,
    FakeGitHub,
    instant,
)

GRANTED["merge_queues"] = "read"

CHECK: Final = "Merge freeze"
TIMEOUT: Final = 60 * 60
"""Seconds in which a required check must report on a group, the usual `check_response_timeout_minutes`."""

BUDGET: Final = 5_000


@dataclass
class Pull:
    number: int
    repository: str
    head: str
    base: str = "main"
    labels: list[str] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=lambda: [("src/app.py", "MODIFIED")])
    state: str = "OPEN"
    fork: bool = False


class Run(NamedTuple):
    """A check run; there is only the App's own suite."""

    id: int
    name: str
    conclusion: str
    external_id: str
    output: Mapping[str, str]
    at: float


@dataclass
class Entry:
    """An entry of the merge queue, and the group that is built for it."""

    pull: Pull
    sha: str = ""
    requested_at: float = 0


@dataclass
class MergeQueue:
    """What is behind the API. `Pulls` in one repository only, unless a test adds more."""

    github: FakeGitHub
    repositories: list[str] = field(default_factory=lambda: ["acme/shop"])
    removes_failed: bool = True
    """Whether a group is evicted as soon as the required check has failed; else it waits for other checks."""
    merges: bool = False
    """Whether all other checks have passed, so that the first group merges once ours does."""
    pulls: dict[tuple[str, int], Pull] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    """The check runs by commit, oldest first."""
    asked_again: set[str] = field(default_factory=set)
    """The commits whose suite was reset to queued."""
    queue: list[Entry] = field(default_factory=list)
    evicted: list[tuple[int, str]] = field(default_factory=list)
    """The numbers of evicted pull requests, and why."""
    merged: list[int] = field(default_factory=list)
    points: int = 0
    written: int = 0
    gone: set[str] = field(default_factory=set)
    """Commits that no check can be written for."""
    errors: Callable[[str], list[dict[str, Any]]] = lambda _operation: []
    """The GraphQL errors beside the answer to an operation."""
    during: Callable[[str], None] = lambda _operation: None
    """Called when an operation has been done, before its answer."""
    page: int = 50
    unsettled: bool = False
    """Whether suites stay queued, although their check runs are completed."""

    def __post_init__(self) -> None:
        route = self.github.route
        route("GET", "/app", None, lambda _: Answer(200, {"id": APP_ID, "slug": "freezegate"}))
        route("GET", "/app/installations", None, self._installations)
        route("GET", "/installation/repositories", ("checks", "read"), self._repositories)
        route("POST", "/graphql", ("checks", "write"), self._graphql)
        self._renewed_at = self.github.now() + 3_600

    # What people do.

    def open(self, number: int, repository: str = "acme/shop", **given: Any) -> Pull:
        pull = Pull(number, repository, given.pop("head", _sha(repository, number, 0)), **given)
        self.pulls[repository, number] = pull
        self.tell(pull, "opened")
        return pull

    def push(self, pull: Pull) -> None:
        pull.head = _sha(pull.head)
        self.tell(pull, "synchronize")

    def label(self, pull: Pull, name: str) -> None:
        pull.labels.append(name)
        self.tell(pull, "labeled", label={"name": name})

    def unlabel(self, pull: Pull, name: str) -> None:
        pull.labels.remove(name)
        self.tell(pull, "unlabeled", label={"name": name})

    def retarget(self, pull: Pull, base: str) -> None:
        changes = {"base": {"ref": {"from": pull.base}, "sha": {"from": "0" * 40}}}
        pull.base = base
        self.tell(pull, "edited", changes=changes)

    def close(self, pull: Pull) -> None:
        pull.state = "CLOSED"
        self.tell(pull, "closed")

    def enqueue(self, *pulls: Pull) -> None:
        """Merge when ready: a pull request is queued if its own check has passed."""
        first = len(self.queue)
        for pull in pulls:
            if self.conclusion(pull.head) == "SUCCESS":
                self.queue.append(Entry(pull))
        self._rebuild(first)

    def dequeue(self, number: int, why: str = "a person") -> None:
        place = next(at for at, entry in enumerate(self.queue) if entry.pull.number == number)
        self.evicted.append((number, why))
        for entry in self.queue[place:]:
            self._tell_group(
                entry, "destroyed", reason="dequeued" if entry.pull.number == number else "invalidated"
            )
        del self.queue[place]
        self._rebuild(place)

    def ask_again(self, sha: str, *, suite: bool = False) -> None:
        """Press "Re-run"."""
        self.asked_again.add(sha)
        run = self.runs[sha][-1]
        pulls = [each for each in self.pulls.values() if each.head == sha]
        entry = next((each for each in self.queue if each.sha == sha), None)
        branch = f"gh-readonly-queue/main/pr-{entry.pull.number}-{'b' * 40}" if entry else None
        named = [{"number": each.number} for each in pulls if not each.fork]
        of_suite = {"id": 1, "head_sha": sha, "head_branch": branch, "pull_requests": named}
        where = pulls[0].repository if pulls else "acme/shop"
        payload: dict[str, Any] = {"action": "rerequested", **self.github.common(where)}
        if suite:
            self.github.send("check_suite", {**payload, "check_suite": {**of_suite, "status": "queued"}})
            return
        of_run = {"id": run.id, "name": run.name, "head_sha": sha, "external_id": run.external_id}
        self.github.send(
            "check_run", {**payload, "check_run": {**of_run, "pull_requests": named, "check_suite": of_suite}}
        )

    def tell(self, pull: Pull, action: str, **more: Any) -> None:
        body = {
            "number": pull.number,
            "state": pull.state.lower(),
            "head": {"sha": pull.head, "ref": f"topic-{pull.number}"},
            "base": {"ref": pull.base},
            "labels": [{"name": name} for name in pull.labels],
        }
        payload = {"action": action, "number": pull.number, "pull_request": body}
        self.github.send("pull_request", {**payload, **self.github.common(pull.repository), **more})

    # What GitHub does.

    def process(self) -> None:
        """Evict what has failed or was silent for too long, and merge what has passed."""
        if self.merges:
            while self.queue and self.conclusion(self.queue[0].sha) == "SUCCESS":
                entry = self.queue.pop(0)
                entry.pull.state = "MERGED"
                self.merged.append(entry.pull.number)
                self._tell_group(entry, "destroyed", reason="merged")
        for entry in list(self.queue):
            if entry not in self.queue:
                continue
            conclusion = self.conclusion(entry.sha)
            if conclusion is None and self.github.now() - entry.requested_at >= TIMEOUT:
                self.dequeue(entry.pull.number, "silence")
            elif conclusion == "FAILURE" and self.removes_failed:
                self.dequeue(entry.pull.number, "failed checks")

    def conclusion(self, sha: str) -> str | None:
        """The conclusion of the required check; None while there is none."""
        found = [run for run in self.runs.get(sha, ()) if run.name == CHECK]
        return found[-1].conclusion if found and sha not in self.asked_again else None

    def open_pulls(self, repository: str = "acme/shop") -> list[Pull]:
        found = [each for each in self.pulls.values() if each.repository == repository]
        return [each for each in found if each.state == "OPEN"]

    def _rebuild(self, first: int) -> None:
        """Build the groups from a place on: each holds the changes of all before it."""
        for place, entry in enumerate(self.queue[first:], first):
            before = self.queue[place - 1].sha if place else "base"
            entry.sha = _sha(before, entry.pull.head, self.github.new_id())
            entry.requested_at = self.github.now()
            self._tell_group(entry, "checks_requested")

    def _tell_group(self, entry: Entry, action: str, **more: Any) -> None:
        base = f"refs/heads/{entry.pull.base}"
        group = {
            "head_sha": entry.sha,
            "head_ref": f"refs/heads/gh-readonly-queue/{entry.pull.base}/pr-{entry.pull.number}-{'b' * 40}",
            "base_ref": base,
            "base_sha": "b" * 40,
            "head_commit": {
                "id": entry.sha,
                "tree_id": "c" * 40,
                "message": f"Merge pull request #{entry.pull.number}",
                "timestamp": instant(entry.requested_at),
                "author": {"name": "mona", "email": "mona@example.com"},
                "committer": {"name": "GitHub", "email": "noreply@github.com"},
            },
        }
        payload = {"action": action, "merge_group": group, **self.github.common(entry.pull.repository)}
        self.github.send("merge_group", {**payload, **more})

    # The API.

    def _installations(self, _asked: Asked) -> Answer:
        return Answer(
            200,
            [
                {"id": INSTALLATION, "suspended_at": None},
                {"id": 999, "suspended_at": "2026-01-01T00:00:00Z"},
            ],
        )

    def _repositories(self, asked: Asked) -> Answer:
        page = int(asked.query.get("page", "1"))
        size = 2
        names = [*self.repositories, "acme/archived"]
        listed = [{"full_name": name, "archived": name == "acme/archived"} for name in names]
        headers = {}
        if page * size < len(listed):
            link = f"{self.github.url}/installation/repositories?per_page=100&page={page + 1}"
            headers["Link"] = f'<{link}>; rel="next"'
        part = listed[(page - 1) * size : page * size]
        return Answer(200, {"total_count": len(listed), "repositories": part}, headers)

    def _graphql(self, asked: Asked) -> Answer:
        query, variables = asked.body["query"], asked.body["variables"]
        operation = query.split()[1].partition("(")[0]
        errors = self.errors(operation)
        if any(error["type"] in ("RATE_LIMITED", "FORBIDDEN") for error in errors):
            return Answer(200, {"data": None, "errors": errors})
        data: dict[str, Any] = getattr(self, f"_{operation.lower()}")(variables)
        self.during(operation)
        problems = [{"type": "X", "path": [name]} for name, value in data.items() if value is None]
        return Answer(200, {"data": data} | ({"errors": errors + problems} if errors or problems else {}))

    def _asked_for(self, variables: Mapping[str, Any], cost: int, **members: Any) -> dict[str, Any]:
        repository = f"{variables['owner']}/{variables['name']}"
        now = self.github.now()
        if now >= self._renewed_at:
            self.points, self._renewed_at = 0, now + 3_600
        self.points += cost
        limit = {"cost": cost, "remaining": BUDGET - self.points, "resetAt": instant(self._renewed_at)}
        known = repository in self.repositories
        return {"rateLimit": limit, "repository": {"id": repository, **members} if known else None}

    def _pulls(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        repository = f"{variables['owner']}/{variables['name']}"
        pulls = sorted(self.open_pulls(repository), key=lambda pull: -pull.number)
        start = int(variables["after"] or 0)
        size = min(self.page, variables["first"])
        page = pulls[start : start + size]
        more = start + size < len(pulls)
        nodes = [self._facts(each, variables) | self._commits(each, variables) for each in page]
        info = {"hasNextPage": more, "endCursor": str(start + size)}
        requests = 1 + variables["first"] * (5 if variables["files"] else 4)
        connection = {"pageInfo": info, "nodes": nodes}
        return self._asked_for(variables, round(requests / 100), pullRequests=connection)

    def _pull(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        pull = self.pulls.get((f"{variables['owner']}/{variables['name']}", variables["number"]))
        if pull is None:
            return self._asked_for(variables, 1, pullRequest=None)
        commits = self._commits(pull, variables)
        alike = [each for each in self.pulls.values() if each.head == pull.head]
        nodes = [self._facts(each, variables) for each in alike]
        commits["commits"]["nodes"][0]["commit"]["associatedPullRequests"] = {"nodes": nodes}
        return self._asked_for(variables, 1, pullRequest=self._facts(pull, variables) | commits)

    def _queue(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        entries = [entry for entry in self.queue if entry.pull.base == variables["branch"]]
        nodes = [
            {
                "position": place,
                "headCommit": self._commit(entry.sha, variables),
                "pullRequest": self._facts(entry.pull, variables),
            }
            for place, entry in enumerate(entries, 1)
        ]
        queue = {"entries": {"nodes": nodes}} if nodes else None
        return self._asked_for(variables, 4, mergeQueue=queue)

    def _facts(self, pull: Pull, variables: Mapping[str, Any]) -> dict[str, Any]:
        files = {
            "nodes": [{"path": path, "changeType": change} for path, change in pull.files[:100]],
            "pageInfo": {"hasNextPage": len(pull.files) > 100},
        }
        return {
            "number": pull.number,
            "state": pull.state,
            "headRefOid": pull.head,
            "baseRefName": pull.base,
            "isInMergeQueue": any(entry.pull is pull for entry in self.queue),
            "labels": {"nodes": [{"name": name} for name in pull.labels]},
            **({"files": files} if variables["files"] else {}),
        }

    def _commits(self, pull: Pull, variables: Mapping[str, Any]) -> dict[str, Any]:
        return {"commits": {"nodes": [{"commit": self._commit(pull.head, variables)}]}}

    def _commit(self, sha: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        assert variables["app"] == APP_ID
        named = [run for run in self.runs.get(sha, ()) if run.name == variables["check"]][-1:]
        runs = [
            {"status": "COMPLETED", "conclusion": run.conclusion, "externalId": run.external_id}
            for run in named
        ]
        status = "QUEUED" if sha in self.asked_again or self.unsettled or not runs else "COMPLETED"
        return {"oid": sha, "checkSuites": {"nodes": [{"status": status, "checkRuns": {"nodes": runs}}]}}

    def _conclude(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._create(given) for name, given in variables.items()}

    def _create(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        assert given["repositoryId"] in self.repositories
        assert given["status"] == "COMPLETED"
        assert len(given["output"]["summary"]) < 65_535
        sha = given["headSha"]
        if sha in self.gone:
            return None
        run = Run(
            self.github.new_id(),
            given["name"],
            given["conclusion"],
            given["externalId"],
            given["output"],
            self.github.now(),
        )
        self.runs.setdefault(sha, []).append(run)
        self.asked_again.discard(sha)
        self.written += 1
        return {"checkRun": {"id": f"CR_{run.id}"}}


def numbers(pulls: Iterable[Pull]) -> list[int]:
    return [each.number for each in pulls]


def _sha(*parts: object) -> str:
    return hashlib.sha1(":".join(map(str, parts)).encode()).hexdigest()  # noqa: S324 - as git names commits
