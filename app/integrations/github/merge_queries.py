"""The GraphQL documents of the merge freeze, and what their answers say.

One document reads a page of pull requests with their labels, files and newest checks, and one writes many
checks: a thousand pull requests are 20 requests to read and 50 to write, instead of 3,000.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.core.errors import MalformedValueError
from app.core.instant import parse_instant
from app.core.merge_check import MergeCheck, ReportedCheck
from app.core.merge_freeze import Head, PullRequest

PAGE: Final = 50
"""Pull requests read at once, at most; 100 with their files come near GitHub's limit of 10 seconds."""

SMALLEST_PAGE: Final = 10

BATCH: Final = 20
"""Checks written at once."""

MOST_FILES: Final = 100
"""Files read of a pull request; one that changes more is never exempt by its paths."""

_GROUPS: Final = 100
"""Entries read of a merge queue; GitHub builds at most 100 groups at a time."""

_COMMON: Final = """
fragment Facts on PullRequest {
  number state headRefOid baseRefName isInMergeQueue
  labels(first: 100) { nodes { name } }
  files(first: 100) @include(if: $files) { nodes { path changeType } pageInfo { hasNextPage } }
}
fragment Checks on Commit {
  checkSuites(first: 1, filterBy: {appId: $app}) { nodes {
    status
    checkRuns(first: 1, filterBy: {appId: $app, checkName: $check, checkType: LATEST}) {
      nodes { status conclusion externalId }
    }
  } }
}
"""
_PULL: Final = "...Facts commits(last: 1) { nodes { commit { oid ...Checks } } }"
_VARIABLES: Final = "$owner: String!, $name: String!, $app: Int!, $check: String!, $files: Boolean!"

PULLS: Final = f"""query Pulls({_VARIABLES}, $first: Int!, $after: String) {{
  rateLimit {{ cost remaining resetAt }}
  repository(owner: $owner, name: $name) {{
    id
    pullRequests(
      states: OPEN, first: $first, after: $after, orderBy: {{field: CREATED_AT, direction: DESC}}
    ) {{
      pageInfo {{ hasNextPage endCursor }}
      nodes {{ {_PULL} }}
    }}
  }}
}}{_COMMON}"""

PULL: Final = f"""query Pull({_VARIABLES}, $number: Int!) {{
  rateLimit {{ cost remaining resetAt }}
  repository(owner: $owner, name: $name) {{
    id
    pullRequest(number: $number) {{
      ...Facts
      commits(last: 1) {{ nodes {{ commit {{
        oid ...Checks
        associatedPullRequests(first: 20) {{ nodes {{ ...Facts }} }}
      }} }} }}
    }}
  }}
}}{_COMMON}"""

QUEUE: Final = f"""query Queue({_VARIABLES}, $branch: String!) {{
  rateLimit {{ cost remaining resetAt }}
  repository(owner: $owner, name: $name) {{
    id
    mergeQueue(branch: $branch) {{
      entries(first: {_GROUPS}) {{ nodes {{
        position
        headCommit {{ oid ...Checks }}
        pullRequest {{ ...Facts }}
      }} }}
    }}
  }}
}}{_COMMON}"""


def page_after(failures: int) -> int:
    """Return the pull requests to read at once after some failures, which may have been time-outs."""
    return max(SMALLEST_PAGE, PAGE >> failures)


class Budget(NamedTuple):
    """The budget of an installation, as GitHub says."""

    cost: int
    remaining: int
    resets_at: int


class Found(NamedTuple):
    """The heads that an answer holds, and their newest checks."""

    repository_id: str
    pulls: tuple[PullRequest, ...] = ()
    groups: tuple[Head, ...] = ()
    reported: Mapping[str, ReportedCheck] = {}
    """By the commit."""
    queues: frozenset[str] = frozenset()
    """The branches with a merge queue that any of the pull requests is in."""
    after: str | None = None
    """Where the next page begins; None: this is the last one."""


def budget_of(data: Mapping[str, Any]) -> Budget:
    """Return the budget after a query; where there is no limit, as on many own servers, a full one."""
    limit = data.get("rateLimit")
    if not limit:
        return Budget(0, 1_000_000, 0)
    return Budget(int(limit["cost"]), int(limit["remaining"]), parse_instant(str(limit["resetAt"])))


def found_in(data: Mapping[str, Any]) -> Found:
    """Return what the answer to a query holds.

    Raises:
        MalformedValueError: it isn't of the documented form.
    """
    try:
        repository = data["repository"]
        if repository is None:
            raise MalformedValueError("there is no such repository, or the App may not read it")
        found = Found(str(repository["id"]))
        if "pullRequests" in repository:
            return _page(found, repository["pullRequests"])
        if "mergeQueue" in repository:
            return _queue(found, repository["mergeQueue"])
        return _single(found, repository["pullRequest"])
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedValueError(f"an answer of another form: {type(error).__name__} {error}") from None


def _page(found: Found, page: Mapping[str, Any]) -> Found:
    nodes = [node for node in page["nodes"] if node is not None]
    after = str(page["pageInfo"]["endCursor"]) if page["pageInfo"]["hasNextPage"] else None
    return _with_pulls(found, nodes)._replace(after=after)


def _single(found: Found, node: Mapping[str, Any] | None) -> Found:
    """Read one pull request, and the open ones that have the same head."""
    if node is None or node["state"] != "OPEN":
        return found
    (last,) = node["commits"]["nodes"]
    alike = [
        other
        for other in last["commit"]["associatedPullRequests"]["nodes"]
        if other["state"] == "OPEN"
        and other["headRefOid"] == node["headRefOid"]
        and other["number"] != node["number"]
    ]
    one = _with_pulls(found, [node])
    return one._replace(pulls=(*one.pulls, *map(_pull, alike)))


def _with_pulls(found: Found, nodes: Sequence[Mapping[str, Any]]) -> Found:
    reported = {}
    for node in nodes:
        for each in node["commits"]["nodes"]:
            if (check := _reported(each["commit"])) is not None:
                reported[str(each["commit"]["oid"])] = check
    return found._replace(
        pulls=tuple(map(_pull, nodes)),
        reported=reported,
        queues=frozenset(str(node["baseRefName"]) for node in nodes if node["isInMergeQueue"]),
    )


def _queue(found: Found, queue: Mapping[str, Any] | None) -> Found:
    """Read the groups of a merge queue: each holds the pull requests before it, too."""
    entries = sorted((queue or {"entries": {"nodes": []}})["entries"]["nodes"], key=_position)
    groups: list[Head] = []
    reported: dict[str, ReportedCheck] = {}
    members: list[PullRequest] = []
    complete = True
    for entry in entries:
        if entry["pullRequest"] is None:
            complete = False
        else:
            members.append(_pull(entry["pullRequest"]))
        commit = entry["headCommit"]
        if commit is None or not members:
            continue  # no group is built for it yet
        sha = str(commit["oid"])
        groups.append(Head(sha, members[-1].base, tuple(members), group=True, complete=complete))
        if (check := _reported(commit)) is not None:
            reported[sha] = check
    return found._replace(groups=tuple(groups), reported=reported)


def _position(entry: Mapping[str, Any]) -> int:
    return int(entry["position"])


def _pull(node: Mapping[str, Any]) -> PullRequest:
    return PullRequest(
        int(node["number"]),
        str(node["headRefOid"]),
        str(node["baseRefName"]),
        tuple(str(label["name"]) for label in (node["labels"] or {"nodes": []})["nodes"]),
        _paths(node.get("files")),
    )


def _paths(files: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """Return the changed files; None if not all of them are known.

    The former name of a renamed file is not told, so it isn't known either.
    """
    if files is None or files["pageInfo"]["hasNextPage"]:
        return None
    if any(node["changeType"] == "RENAMED" for node in files["nodes"]):
        return None
    return tuple(str(node["path"]) for node in files["nodes"])


def _reported(commit: Mapping[str, Any]) -> ReportedCheck | None:
    """Return the newest check of a commit; None if there is none."""
    suites = (commit["checkSuites"] or {"nodes": []})["nodes"]
    for suite in suites:
        for run in suite["checkRuns"]["nodes"]:
            # Asked for again, a suite is queued, and its checks stay as they were.
            settled = suite["status"] == "COMPLETED" and run["status"] == "COMPLETED"
            passes = run["conclusion"] == "SUCCESS" if settled else None
            return ReportedCheck(passes, str(run["externalId"] or "").partition(":")[0])
    return None


def external_id(head: Head, check: MergeCheck) -> str:
    """Return the id that a check is found by: its fingerprint, and the pull request that it is about."""
    return f"{check.fingerprint}:{'' if head.group else head.pulls[0].number}"


def number_in(external: str) -> int | None:
    """Return the number of the pull request in an external id; None for a merge group."""
    number = external.partition(":")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None  # noqa: PLR2004


def conclude(
    repository_id: str, name: str, batch: Sequence[tuple[Head, MergeCheck]], details_url: str | None = None
) -> dict[str, Any]:
    """Return the request that concludes some checks.

    A new check each time: the newest one of a name counts, and GitHub keeps the older ones as its history.

    Args:
        repository_id: of the repository.
        name: of the checks.
        batch: the heads, with their checks.
        details_url: what "Details" links to; None: the page of the App.
    """
    names = [f"c{number}" for number in range(len(batch))]
    variables = ", ".join(f"${each}: CreateCheckRunInput!" for each in names)
    lines = "\n".join(f"  {each}: createCheckRun(input: ${each}) {{ checkRun {{ id }} }}" for each in names)
    inputs = {
        each: _input(repository_id, name, head, check) | ({"detailsUrl": details_url} if details_url else {})
        for each, (head, check) in zip(names, batch, strict=True)
    }
    return {"query": f"mutation Conclude({variables}) {{\n{lines}\n}}", "variables": inputs}


def _input(repository_id: str, name: str, head: Head, check: MergeCheck) -> dict[str, Any]:
    output = {"title": check.title, "summary": check.summary}
    return {
        "repositoryId": repository_id,
        "name": name,
        "headSha": head.sha,
        "status": "COMPLETED",
        "conclusion": "SUCCESS" if check.passes else "FAILURE",
        "externalId": external_id(head, check),
        "output": output | ({"text": check.text} if check.text else {}),
    }
