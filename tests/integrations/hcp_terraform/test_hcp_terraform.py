"""Runs that wait before they apply, at an HCP Terraform that repeats and loses."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from app.core.hold import AnswerKind, Hold, HoldAnswer
from app.core.instant import MINUTE, parse_instant
from app.integrations.hcp_terraform.message import RunTasks
from app.integrations.hcp_terraform.section import HcpTerraform
from app.integrations.hcp_terraform.vendor import VENDOR
from tests.api.fakes import FakeClock
from tests.integrations.gates import gate_with, holds_of, recorded
from tests.integrations.hcp_terraform.fake import KEY, VERIFICATION, FakeTerraform, Task, signed
from tests.integrations.platform import Answer

FROZEN = parse_instant("2026-11-27T13:05:00Z")
PATH = "/integrations/hcp-terraform"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(FROZEN)


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def terraform() -> Iterator[FakeTerraform]:
    with FakeTerraform() as fake:
        fake.now = FROZEN
        yield fake


def section(terraform: FakeTerraform) -> dict[str, Any]:
    rule = {
        "organization": "acme",
        "workspace": "check*",
        "service": "{workspace}",
        "environment": "production",
    }
    strange = {"workspace": "strange", "service": "{workspace}", "environment": "elsewhere"}
    return {"secret_env": "TASK_KEY", "hosts": [terraform.host], "deployments": [rule, strange]}


@pytest.fixture
def gate(
    tmp_path: Path,
    clock: FakeClock,
    log: io.BytesIO,
    terraform: FakeTerraform,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TestClient]:
    monkeypatch.setenv("TASK_KEY", f"a-newer-hmac-key\n{KEY}")
    with gate_with(tmp_path, clock, {"hcp-terraform": section(terraform)}, log) as client:
        yield client


def post(gate: TestClient, payload: dict[str, Any] | bytes, key: str = KEY, **headers: str) -> Any:
    body, sent = signed(payload, key)
    return gate.post(PATH, content=body, headers=sent)


def test_the_request_that_verifies_the_address_is_answered_with_200(gate: TestClient) -> None:
    assert post(gate, VERIFICATION).status_code == 200
    assert holds_of(gate) == []


def test_a_run_is_held_before_it_applies_with_its_token_as_the_secret(
    gate: TestClient, terraform: FakeTerraform, log: io.BytesIO
) -> None:
    task = terraform.task()
    for _ in range(100):
        assert post(gate, task.payload()).status_code == 200
    (hold,) = holds_of(gate)
    assert (hold.responder, hold.key, hold.question.service) == ("hcp-terraform", "taskrs-1", "checkout")
    assert (hold.ref, hold.actor, hold.expires_at) == ("run-1", "ada", FROZEN + 55 * MINUTE)
    assert hold.run_url == "https://app.terraform.io/app/acme/checkout/runs/run-1"
    assert hold.target == {"callback_url": f"{terraform.url}/api/v2/task-results/1/callback"}
    assert hold.sealed is not None
    assert task.token not in hold.sealed + log.getvalue().decode()
    assert task.results == []
    assert recorded(gate) == []


@pytest.mark.parametrize(
    "options",
    [{"stage": "pre_plan"}, {"stage": "post_plan"}, {"stage": "post_apply"}, {"is_speculative": True}],
)
def test_what_changes_nothing_passes_at_once(
    gate: TestClient, terraform: FakeTerraform, options: dict[str, Any]
) -> None:
    task = terraform.task(**options)
    assert post(gate, task.payload()).status_code == 200
    assert task.results == [("passed", "Only pre_apply of a real run is gated.")]
    assert holds_of(gate) == []


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        ({"stage": "post_plan"}, True),
        ({"stage": "post_plan", "is_speculative": True}, False),
        ({"is_speculative": True}, False),
        ({}, False),
    ],
)
def test_a_task_at_a_stage_that_stops_nothing_is_logged(
    gate: TestClient,
    terraform: FakeTerraform,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, Any],
    *,
    warned: bool,
) -> None:
    assert post(gate, terraform.task(**options).payload()).status_code == 200
    told = [each for each in caplog.records if "stops no run" in each.getMessage()]
    assert len(told) == warned
    for each in told:
        assert each.levelname == "WARNING"
        assert vars(each)["fields"] == {
            "organization": "acme",
            "workspace": "checkout",
            "stage": "post_plan",
            "instead": "pre_apply",
        }


@pytest.mark.parametrize("fault", [Answer(500), Answer(429), Answer(200, lost=True), Answer(503, lost=True)])
def test_a_result_that_is_lost_makes_the_request_come_again(
    gate: TestClient, terraform: FakeTerraform, fault: Answer
) -> None:
    task = terraform.task(stage="post_plan")
    terraform.faults.append(fault)
    assert post(gate, task.payload()).status_code == 503
    # The result may have arrived; then the second one is refused, and nothing more is to be done.
    assert post(gate, task.payload()).status_code == 200
    assert task.status == "passed"


@pytest.mark.parametrize(
    ("workspace", "why"),
    [("unknown", "add one"), ("strange", "unknown environment"), ("check out", "add one")],
)
def test_a_run_that_means_nothing_fails_with_the_reason(
    gate: TestClient, terraform: FakeTerraform, workspace: str, why: str
) -> None:
    task = terraform.task(workspace=workspace)
    assert post(gate, task.payload()).status_code == 200
    ((status, message),) = task.results
    assert status == "failed"
    assert why in message or "a name is" in message
    assert holds_of(gate) == []


def test_what_is_not_signed_is_refused(gate: TestClient, terraform: FakeTerraform, clock: FakeClock) -> None:
    body, headers = signed(terraform.task().payload())
    name = "X-TFC-Task-Signature"
    good = headers[name]
    wrong = [
        {},
        {name: ""},
        {name: good[:-1]},
        {name: good[:64]},
        {name: "0" * 128},
        {name: f"sha512={good}"},
        signed(body, "another key")[1],
        {"X-Hub-Signature-256": f"sha256={good}"},
        {"Authorization": f"Bearer {KEY}"},
    ]
    for each in wrong:
        clock.at += 61
        assert gate.post(PATH, content=body, headers=each).status_code == 401
    for changed in (body[:-1], body + b" ", body.replace(b"pre_apply", b"post_plan"), b""):
        clock.at += 61
        assert gate.post(PATH, content=changed, headers=headers).status_code == 401
    assert holds_of(gate) == []
    assert terraform.calls == []


def test_any_of_the_keys_is_accepted(gate: TestClient, terraform: FakeTerraform) -> None:
    assert post(gate, terraform.task().payload(), "a-newer-hmac-key").status_code == 200
    assert len(holds_of(gate)) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://evil.example/api/v2/task-results/1/callback",
        "http://127.0.0.1:1/api/v2/task-results/1/callback",
        "https://app.terraform.io/api/v2/task-results/1/callback",
        "file:///etc/passwd",
        "",
    ],
)
@pytest.mark.parametrize("stage", ["pre_apply", "post_plan"])
def test_a_foreign_callback_host_is_refused(
    gate: TestClient, terraform: FakeTerraform, url: str, stage: str
) -> None:
    payload = terraform.task(stage=stage).payload() | {"task_result_callback_url": url}
    reply = post(gate, payload)
    assert reply.status_code == 422
    assert "evil" not in reply.text
    assert holds_of(gate) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"stage": "pre_apply"}', b'{"a": 1, "a": 2}'])
def test_a_signed_body_that_is_no_run_task_is_refused(gate: TestClient, content: bytes) -> None:
    assert post(gate, content).status_code == 422


def test_a_malformed_field_is_named_and_not_repeated(gate: TestClient, terraform: FakeTerraform) -> None:
    payload = terraform.task().payload() | {"access_token": ["hunter2"]}
    reply = post(gate, payload)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "access_token")
    assert "hunter2" not in reply.text


def test_texts_are_recorded_on_one_line_and_links_lead_to_pages(
    gate: TestClient, terraform: FakeTerraform
) -> None:
    more = {"run_created_by": "a\x00da\n", "run_app_url": "javascript:alert(1)", "run_id": None}
    assert post(gate, terraform.task().payload() | more).status_code == 200
    (hold,) = holds_of(gate)
    assert (hold.actor, hold.run_url, hold.ref) == ("a da", None, None)


def answer_to(hold: Hold, kind: AnswerKind, sentence: str = "It waits.") -> HoldAnswer:
    return HoldAnswer(hold, kind, sentence, None)


@pytest.fixture
def held(gate: TestClient, terraform: FakeTerraform) -> tuple[Task, Hold]:
    task = terraform.task()
    post(gate, task.payload())
    (hold,) = holds_of(gate)
    return task, hold


@pytest.mark.anyio
async def test_the_result_carries_the_sentence(terraform: FakeTerraform, held: tuple[Task, Hold]) -> None:
    task, hold = held
    responder = RunTasks(HcpTerraform.model_validate({"hosts": [terraform.host]}))
    async with httpx.AsyncClient() as client:
        for kind in (AnswerKind.PROGRESS, AnswerKind.APPROVED):
            result = await responder.send(client, answer_to(hold, kind), task.token)
            assert result.outcome == "taken"
    assert task.results == [("running", "It waits."), ("passed", "It waits.")]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Answer(500), "later"),
        (Answer(429, headers={"Retry-After": "30"}), "later"),
        (Answer(302, headers={"Location": "https://evil.example/"}), "later"),
        (Answer(401), "refused"),
        (Answer(404), "refused"),
        (Answer(422), "refused"),
    ],
)
async def test_a_result_is_tried_again_as_long_as_that_is_of_use(
    terraform: FakeTerraform, held: tuple[Task, Hold], fault: Answer, outcome: str
) -> None:
    task, hold = held
    terraform.faults.append(fault)
    responder = RunTasks(HcpTerraform.model_validate({"hosts": [terraform.host]}))
    async with httpx.AsyncClient() as client:
        result = await responder.send(client, answer_to(hold, AnswerKind.REJECTED), task.token)
    assert result.outcome == outcome
    assert result.retry_after == (30 if fault.status == 429 else 0)
    assert task.token not in result.why


@pytest.mark.anyio
async def test_a_host_that_was_removed_gets_no_token(
    held: tuple[Task, Hold], terraform: FakeTerraform
) -> None:
    task, hold = held
    responder = RunTasks(HcpTerraform.model_validate({}))
    async with httpx.AsyncClient() as client:
        result = await responder.send(client, answer_to(hold, AnswerKind.APPROVED), task.token)
    assert result.outcome == "refused"
    assert terraform.calls == []


def test_the_table_entry_reports_before_a_task_counts_as_dead() -> None:
    assert VENDOR.responder is not None
    reporting = VENDOR.responder(HcpTerraform.model_validate({}), None).reporting  # type: ignore[arg-type]
    assert reporting.every is not None
    assert reporting.every < 10 * MINUTE
    assert reporting.most > 55 * MINUTE / reporting.every + 5
