"""The events of the merge freeze against the schemas that GitHub publishes."""

import copy
import importlib
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tests.integrations.github.fake import FakeGitHub
from tests.integrations.github.merge_queue import CHECK, MergeQueue, Run

# Not by name: type checkers would read 40 MB of models.
MODELS = importlib.import_module("githubkit_schemas.v2022_11_28.models")

COMMON = ("installation.id", "repository.full_name")
READ = {
    ("pull_request", "opened"): ("PullRequestOpened", "pull_request.number"),
    ("pull_request", "edited"): ("PullRequestEdited", "pull_request.number", "changes"),
    ("merge_group", "checks_requested"): (
        *("MergeGroupChecksRequested", "merge_group.base_ref"),
        "merge_group.head_sha",
    ),
    ("merge_group", "destroyed"): ("MergeGroupDestroyed", "merge_group.head_sha"),
    ("check_run", "rerequested"): (
        *("CheckRunRerequested", "check_run.head_sha", "check_run.external_id"),
        "check_run.check_suite",
    ),
    ("check_suite", "rerequested"): (
        *("CheckSuiteRerequested", "check_suite.head_sha"),
        *("check_suite.head_branch", "check_suite.pull_requests"),
    ),
}
"""The model of each event, and the members that the gate reads."""


def problems(name: str, payload: dict[str, Any]) -> dict[str, str]:
    """The kinds of what a schema finds, by the place."""
    model: type[BaseModel] = getattr(MODELS, f"Webhook{name}")
    try:
        model.model_validate(payload)
    except ValidationError as error:
        return {".".join(map(str, each["loc"])): each["type"] for each in error.errors()}
    return {}


def without(payload: dict[str, Any], path: str) -> dict[str, Any]:
    left = copy.deepcopy(payload)
    place = left
    *folders, name = path.split(".")
    for folder in folders:
        place = place[folder]
    del place[name]
    return left


@pytest.fixture
def payloads(github: FakeGitHub) -> dict[tuple[str, str], dict[str, Any]]:
    queue = MergeQueue(github)
    pull = queue.open(1)
    queue.retarget(pull, "main")
    queue.runs[pull.head] = [Run(1, CHECK, "SUCCESS", "abc:1", {"title": "", "summary": ""}, 0)]
    queue.enqueue(pull)
    queue.dequeue(1)
    for suite in (False, True):
        queue.runs[pull.head] = [Run(1, CHECK, "SUCCESS", "abc:1", {"title": "", "summary": ""}, 0)]
        queue.ask_again(pull.head, suite=suite)
    return {(each.event, str(each.payload["action"])): each.payload for each in github.deliveries}


@pytest.mark.parametrize("event", READ)
def test_what_the_fake_sends_and_the_gate_reads_is_in_the_published_schema(
    event: tuple[str, str], payloads: dict[tuple[str, str], dict[str, Any]]
) -> None:
    payload = payloads[event]
    name, *read = READ[event]
    known = problems(name, payload)
    # It leaves members out that the gate doesn't read; those that it has are of the published form.
    assert set(known.values()) <= {"missing", "literal_error"}
    if event[0] == "merge_group":
        assert known == {}
    for path in (*COMMON, *read):
        found = set(problems(name, without(payload, path))) - set(known)
        # Optional parts are named by their model below their own name.
        assert any(place.startswith(path.partition(".")[0]) for place in found), path
