"""Manual jobs that are played when deploys open, at a GitLab that repeats, loses and reorders."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from app.core.hold import AnswerKind, Hold, HoldAnswer, HoldState
from app.core.instant import DAY, parse_instant
from app.gate.errors import StateConflictError
from app.integrations.gitlab.message import ManualJobs
from app.integrations.gitlab.section import GitLab
from app.integrations.gitlab.vendor import VENDOR
from app.integrations.section import resolve_secrets
from tests.api.fakes import FakeClock
from tests.integrations.gates import gate_with, holds_of, recorded
from tests.integrations.gitlab.fake import SECRET, SIGNING_TOKEN, TOKENS, FakeGitLab, Job, signed, with_token
from tests.integrations.platform import Answer

FROZEN = parse_instant("2026-11-27T13:05:00Z")
PATH = "/integrations/gitlab"


def section(url: str) -> dict[str, Any]:
    rules = [
        {
            "project": project,
            "job": "deploy*",
            "ref": "main",
            "service": "{name}",
            "environment": "production",
        }
        | {"token": token}
        for project, token in TOKENS.items()
    ]
    strange = {
        "project": "acme/*",
        "job": "strange",
        "service": "{job}",
        "environment": "nowhere",
        "token": "t",
    }
    unfit = {
        "project": "acme/*",
        "job": "no name",
        "service": "{job}",
        "environment": "staging",
        "token": "t",
    }
    return {"url": url, "secret_file": "secrets", "deployments": [*rules, strange, unfit]}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(FROZEN)


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def gitlab() -> Iterator[FakeGitLab]:
    with FakeGitLab() as fake:
        yield fake


@pytest.fixture
def gate(tmp_path: Path, clock: FakeClock, log: io.BytesIO, gitlab: FakeGitLab) -> Iterator[TestClient]:
    (tmp_path / "secrets").write_text(f"{SIGNING_TOKEN}\n{SECRET}\n")
    with gate_with(tmp_path, clock, {"gitlab": section(gitlab.url)}, log) as client:
        yield client


def post(gate: TestClient, sent: tuple[bytes, dict[str, str]]) -> Any:
    body, headers = sent
    return gate.post(PATH, content=body, headers=headers)


def test_a_job_that_waits_is_held_once_however_often_and_by_whatever_event_it_is_told(
    gate: TestClient, gitlab: FakeGitLab, clock: FakeClock, log: io.BytesIO
) -> None:
    job = gitlab.job()
    for _ in range(30):
        assert post(gate, with_token(job.job_event())).status_code == 200
        assert post(gate, signed(job.pipeline_event(), clock.now())).text == ""
    (hold,) = holds_of(gate)
    assert (hold.responder, hold.key, hold.question.service) == ("gitlab", "380/1977", "checkout")
    assert (hold.actor, hold.ref) == ("ada", "95790bf891e76fee5e1747ab589903a6a1f80f22")
    assert hold.run_url == f"{gitlab.url}/acme/checkout/-/jobs/1977"
    assert hold.expires_at == FROZEN + 14 * DAY
    seen = str(hold) + log.getvalue().decode()
    assert not any(secret in seen for secret in (SECRET, SIGNING_TOKEN, *TOKENS.values()))
    assert recorded(gate) == []
    assert gitlab.calls == []


def test_an_older_gitlab_names_the_project_only_by_its_address(gate: TestClient, gitlab: FakeGitLab) -> None:
    event = gitlab.job().job_event()
    del event["project"]
    post(gate, with_token(event))
    (hold,) = holds_of(gate)
    assert hold.question.service == "checkout"


def test_jobs_that_no_entry_names_are_left_alone(gate: TestClient, gitlab: FakeGitLab) -> None:
    for options in (
        {"name": "delete-everything"},
        {"project": "other/checkout"},
        {"ref": "feature"},
        {"status": "created"},
        {"status": "running"},
    ):
        job = gitlab.job(**options)
        for event in (job.job_event(), job.pipeline_event()):
            assert post(gate, with_token(event)).status_code == 200
    assert holds_of(gate) == []


def test_other_events_change_nothing(gate: TestClient, gitlab: FakeGitLab) -> None:
    job = gitlab.job()
    for change in (
        {"object_kind": "push"},
        {"object_kind": ["build"]},
        {"build_id": None},
        {"build_id": "1977"},
        {"build_id": True},
        {"build_id": -1},
        {"build_id": 2**70},
        {"project_id": "../../x"},
        {"build_name": 7},
        {"project": [], "repository": "x"},
    ):
        assert post(gate, with_token(job.job_event() | change)).status_code == 200
    broken: list[Any] = [None, "x", [1, None, []], [{"id": {}}]]
    for builds in broken:
        assert post(gate, with_token(job.pipeline_event() | {"builds": builds})).status_code == 200
    assert holds_of(gate) == []


def test_a_job_that_can_not_be_held_is_named_and_holds_up_no_other(
    gate: TestClient, gitlab: FakeGitLab, log: io.BytesIO
) -> None:
    event = gitlab.job().pipeline_event()
    for name in ("strange", "no name"):
        event["builds"].insert(0, {"id": 7, "name": name, "status": "manual"})
    reply = post(gate, with_token(event))
    assert reply.status_code == 200
    assert sorted(line.partition(";")[0] for line in reply.text.splitlines()) == [
        "not held: no name: the rule in the integrations file makes no service of this deploy",
        "not held: strange: unknown environment",
    ]
    assert len(holds_of(gate)) == 1


def test_a_job_that_somebody_else_starts_or_stops_is_not_played(gate: TestClient, gitlab: FakeGitLab) -> None:
    for status in ("pending", "running", "success", "failed", "canceled", "skipped"):
        job = gitlab.job()
        post(gate, with_token(job.job_event()))
        job.status = status
        for _ in range(2):
            assert post(gate, with_token(job.job_event())).status_code == 200
        assert [hold.state for hold in holds_of(gate) if hold.target["job_id"] == job.job_id] == [
            HoldState.CANCELLED
        ]


def test_a_job_that_is_released_meanwhile_is_no_error(
    gate: TestClient, gitlab: FakeGitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = gitlab.job()
    post(gate, with_token(job.job_event()))
    job.status = "running"

    async def released(*_: object) -> Hold:
        raise StateConflictError("this hold is finished")

    monkeypatch.setattr(gate.app.state.context.holds, "cancel", released)  # type: ignore[attr-defined]
    assert post(gate, with_token(job.job_event())).status_code == 200


def test_what_is_not_gitlabs_is_refused(gate: TestClient, gitlab: FakeGitLab, clock: FakeClock) -> None:
    event = gitlab.job().job_event()
    body, good = signed(event, clock.now())
    wrong = [
        {},
        {"X-Gitlab-Token": ""},
        {"X-Gitlab-Token": f"{SECRET}x"},
        {"X-Gitlab-Token": SECRET[:-1]},
        {"Authorization": f"Bearer {SECRET}"},
        {"X-Hub-Signature-256": f"sha256={SECRET}"},
        signed(event, clock.now() - 301)[1],
        signed(event, clock.now() + 301)[1],
        signed(event, clock.now(), "whsec_" + "A" * 43 + "=")[1],
        good | {"webhook-id": "another"},
        good | {"webhook-timestamp": str(clock.now() + 1)},
        good | {"webhook-signature": good["webhook-signature"][:-4]},
        # A signature that is wrong isn't mended by the token.
        good | {"webhook-signature": "v1,x", "X-Gitlab-Token": SECRET},
    ]
    context = gate.app.state.context  # type: ignore[attr-defined]
    for headers in wrong:
        context.failures._counts.clear()
        assert gate.post(PATH, content=body, headers=headers).status_code == 401
    context.failures._counts.clear()
    assert gate.post(PATH, content=body[:-1] + b" }", headers=good).status_code == 401
    assert holds_of(gate) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null"])
def test_a_body_that_is_no_event_is_refused(gate: TestClient, content: bytes) -> None:
    assert gate.post(PATH, content=content, headers={"X-Gitlab-Token": SECRET}).status_code == 422


def held(gate: TestClient, job: Job) -> Hold:
    post(gate, with_token(job.job_event()))
    return next(hold for hold in holds_of(gate) if hold.target["job_id"] == job.job_id)


def responder(gitlab: FakeGitLab, **changes: Any) -> ManualJobs:
    made = GitLab.model_validate(section(gitlab.url) | {"secret_file": None, "secret": "x"} | changes)
    resolve_secrets(made, Path(), {})
    return ManualJobs(made)


def answer_to(hold: Hold, kind: AnswerKind = AnswerKind.APPROVED) -> HoldAnswer:
    return HoldAnswer(hold, kind, "x", None)


@pytest.mark.anyio
async def test_an_approved_job_is_played_with_the_token_of_its_project(
    gate: TestClient, gitlab: FakeGitLab
) -> None:
    holds = [held(gate, gitlab.job(project=project)) for project in TOKENS]
    async with httpx.AsyncClient() as client:
        for hold in holds:
            assert (await responder(gitlab).send(client, answer_to(hold), None)).outcome == "taken"
    assert gitlab.played == [1977, 1978]
    assert [call.path for call in gitlab.calls] == [
        "/api/v4/projects/380/jobs/1977/play",
        "/api/v4/projects/381/jobs/1978/play",
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [AnswerKind.PROGRESS, AnswerKind.REJECTED])
async def test_nothing_is_sent_about_a_job_that_is_not_played(
    gate: TestClient, gitlab: FakeGitLab, kind: AnswerKind
) -> None:
    hold = held(gate, gitlab.job())
    async with httpx.AsyncClient() as client:
        assert (await responder(gitlab).send(client, answer_to(hold, kind), None)).outcome == "taken"
    assert gitlab.calls == []


@pytest.mark.anyio
async def test_a_job_whose_reply_was_lost_is_played_once(gate: TestClient, gitlab: FakeGitLab) -> None:
    hold = held(gate, gitlab.job())
    gitlab.faults.append(Answer(200, lost=True))
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.HTTPError):
            await responder(gitlab).send(client, answer_to(hold), None)
        for _ in range(3):
            assert (await responder(gitlab).send(client, answer_to(hold), None)).outcome == "taken"
    assert gitlab.played == [1977]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("created", "later"),
        ("scheduled", "later"),
        ("success", "taken"),
        ("canceled", "refused"),
        ("skipped", "refused"),
    ],
)
async def test_a_job_that_can_not_be_played_is_looked_at(
    gate: TestClient, gitlab: FakeGitLab, status: str, outcome: str
) -> None:
    job = gitlab.job()
    hold = held(gate, job)
    job.status = status
    async with httpx.AsyncClient() as client:
        assert (await responder(gitlab).send(client, answer_to(hold), None)).outcome == outcome


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "outcome", "asked"),
    [
        (Answer(500), "later", 0),
        (Answer(429, headers={"Retry-After": "60"}), "later", 60),
        (Answer(401), "later", 0),
        (Answer(403), "later", 0),
        (Answer(404), "refused", 0),
        (Answer(302, headers={"Location": "https://evil.example/"}), "later", 0),
    ],
)
async def test_a_job_is_tried_again_as_long_as_that_is_of_use(
    gate: TestClient, gitlab: FakeGitLab, fault: Answer, outcome: str, asked: int
) -> None:
    hold = held(gate, gitlab.job())
    gitlab.faults.append(fault)
    async with httpx.AsyncClient() as client:
        result = await responder(gitlab).send(client, answer_to(hold), None)
    assert (result.outcome, result.retry_after) == (outcome, asked)
    assert TOKENS["acme/checkout"] not in result.why


@pytest.mark.anyio
async def test_a_job_that_is_looked_at_in_vain_is_tried_again(gate: TestClient, gitlab: FakeGitLab) -> None:
    hold = held(gate, gitlab.job())
    gitlab.faults += [Answer(400), Answer(500)]
    async with httpx.AsyncClient() as client:
        assert (await responder(gitlab).send(client, answer_to(hold), None)).outcome == "later"


@pytest.mark.anyio
async def test_an_entry_that_was_removed_ends_it(gate: TestClient, gitlab: FakeGitLab) -> None:
    hold = held(gate, gitlab.job())
    async with httpx.AsyncClient() as client:
        result = await responder(gitlab, deployments=[]).send(client, answer_to(hold), None)
    assert result.outcome == "refused"
    assert gitlab.calls == []


def test_the_table_entry_needs_no_report() -> None:
    assert VENDOR.responder is not None
    assert VENDOR.responder(GitLab.model_validate({}), None).reporting.most == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"url": "http://gitlab.example.com"}, {"url": "gitlab"}, {"longest_wait": "36d"}]
)
def test_mistakes_are_errors_of_the_file(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        GitLab.model_validate(wrong)


def test_a_job_may_wait_for_another_time() -> None:
    assert GitLab.model_validate({"longest_wait": "7d"}).longest_wait == 7 * DAY
