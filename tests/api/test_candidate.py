"""Bodies with a candidate: what may come, how much of it, and what is said of the rest."""

import json

import pytest
from fastapi import Request
from fastapi.responses import Response
from starlette.testclient import TestClient

from app.core.calendar_url import masked
from app.gate.candidate import load_candidate
from app.gate.job_queue import IsUnwanted
from app.identity.caller import Role
from app.policies.source import Snapshot
from app.server import context as contexts
from app.server.candidate import MAX_CANDIDATE, YAML, CandidateBody, with_candidate
from app.server.context import context
from app.server.responses import json_response
from app.server.routes import Routes

POLICIES = "version: 1\npolicies: []\n"
router = Routes()


@router.operation("POST", "/shown", role=Role.CI, body=CandidateBody, responses={})
async def show(request: Request) -> Response:
    """Return the names of a candidate's files, and its policies' ids."""
    in_force = context(request).policies.in_force

    def names(candidate: Snapshot, _: IsUnwanted) -> dict[str, list[str]]:
        ids = [each.id for each in load_candidate(candidate, in_force).policy_set.policies]
        return {"files": [*candidate.policies, *candidate.calendars], "ids": ids}

    return json_response(await with_candidate(request, names))


@pytest.fixture(scope="module")
def shown(module_gate: TestClient) -> TestClient:
    module_gate.app.include_router(router)  # type: ignore[attr-defined]
    return module_gate


def test_files_come_as_json(shown: TestClient) -> None:
    url = masked("https://calendar.example.com/x.ics")
    body = {"policies": {"a.yaml": POLICIES}, "calendars": {"days/x.ics": "", url: ""}}
    reply = shown.post("/shown", json=body)
    assert reply.json() == {"files": ["a.yaml", "days/x.ics", url], "ids": []}


def test_a_snapshot_of_the_record_is_a_body(shown: TestClient) -> None:
    body = Snapshot.of(POLICIES).to_json()
    reply = shown.post("/shown", content=body, headers={"Content-Type": "application/json"})
    assert reply.json()["files"] == ["policies.yaml"]


def test_one_file_comes_as_yaml(shown: TestClient) -> None:
    reply = shown.post("/shown", content=POLICIES, headers={"Content-Type": f"{YAML}; charset=utf-8"})
    assert reply.json()["files"] == ["policies.yaml"]


def test_errors_are_listed_as_lint_lists_them(shown: TestClient) -> None:
    reply = shown.post("/shown", json={"policies": {"p.yaml": "version: 1\npolices: []\n"}})
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["problems"][0] == {
        "file": "p.yaml",
        "line": 2,
        "column": 1,
        "path": "polices",
        "message": reply.json()["problems"][0]["message"],
        "severity": "error",
    }
    assert 'did you mean "policies"' in reply.json()["problems"][0]["message"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "sentence"),
    [
        (b"{}", "text/plain", 415, "send JSON"),
        (b"", "", 415, "application/yaml"),
        (b"{", "application/json", 422, "not valid JSON"),
        (b"[]", "application/json", 422, "not a JSON object"),
        (b"{}", "application/json", 422, "policies: is required"),
        (b'{"policies": {}}', "application/json", 422, "policies: is not an empty object"),
        (b'{"policies": {"a.yaml": 1}}', "application/json", 422, "policies: is text"),
        (b'{"policies": {"a.yaml": "\\ud800"}}', "application/json", 422, "have 1 error"),
        (b'{"policies": {"a.yaml": "", "a.yaml": ""}}', "application/json", 422, "more than once"),
        (b'{"policies": {"../a.yaml": ""}}', "application/json", 422, "without folders"),
        (b'{"policies": {".yaml": ""}}', "application/json", 422, "without folders"),
        (b'{"policies": {"a\\u0000": ""}}', "application/json", 422, "without folders"),
        (b'{"policies": {"": ""}}', "application/json", 422, "without folders"),
        (b'{"policies": {"a": ""}, "calendars": {"a\\\\b": ""}}', "application/json", 422, "name of a file"),
        (b'{"policies": {"a": ""}, "zone": "x"}', "application/json", 422, "there is no such field"),
        (b"version: 1 # \xff", YAML, 422, "UTF-8"),
        (b"{" * 100_000, "application/json", 422, "not an object of texts"),
        (b'{"policies": [' + b"[]," * 1_000_000, "application/json", 422, "not an object of texts"),
        (b'{"policies": [' + b'"",' * 1_000_000, "application/json", 422, "not an object of texts"),
        (b'{"policies": "' + b'\\"' * 1_000_000, "application/json", 422, "not an object of texts"),
        (b"x" * (MAX_CANDIDATE + 1), YAML, 413, "4,096 KiB"),
    ],
    ids=range(21),
)
def test_what_is_no_candidate_is_refused(
    shown: TestClient, content: bytes, kind: str, status: int, sentence: str
) -> None:
    reply = shown.post("/shown", content=content, headers={"Content-Type": kind})
    assert (reply.status_code, sentence in reply.json()["detail"]) == (status, True), reply.json()["detail"]


def test_a_large_candidate_is_taken_and_other_bodies_stay_small(shown: TestClient) -> None:
    text = POLICIES + "#" * (MAX_CANDIDATE - 1_000)
    assert shown.post("/shown", json={"policies": {"a.yaml": text}}).status_code == 200
    reply = shown.post("/can-deploy", json={"service": "api", "ref": "x" * 65_536})
    assert (reply.status_code, reply.json()["detail"]) == (413, "a body may have at most 64 KiB here")


def test_too_many_candidates_at_once_are_refused(shown: TestClient) -> None:
    limit, scope = shown.app.state.context.candidates, {"client": ("testclient", 1)}  # type: ignore[attr-defined]
    held = [limit.held(scope) for _ in range(contexts.MOST_CANDIDATES_OF_ADDRESS)]
    for each in held:
        each.__enter__()
    reply = shown.post("/shown", json={"policies": {"a.yaml": POLICIES}})
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "5")
    for each in held:
        each.__exit__(None, None, None)
    assert shown.post("/shown", json={"policies": {"a.yaml": POLICIES}}).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\npolicies:\n"
        + "".join(
            f"  - {{id: p{n}, title: t, reason: r, when: [{{cron: {{start: '* * * * *', duration: 1m}}}}]}}\n"
            for n in range(1_000)
        ),
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 10)}]\n" for n in range(9)),
        "[" * 100_000,
        "version: 1\npolicies: [" + "[]," * 100_000 + "]",
        json.dumps({"version": 1, "policies": [{"id": "x" * 1_000_000}]}),
    ],
    ids=["many openings", "aliases", "deep", "wide", "long"],
)
def test_a_hostile_candidate_is_refused_with_its_places(shown: TestClient, text: str) -> None:
    reply = shown.post("/shown", content=text, headers={"Content-Type": YAML})
    assert reply.status_code == 422
    assert 1 <= len(reply.json()["problems"]) <= 201
    assert len(reply.content) < 100_000
