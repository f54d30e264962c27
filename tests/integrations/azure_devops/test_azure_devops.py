"""Stages that wait in a check, at an Azure DevOps that repeats, loses, and forgets its tokens."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from app.core.hold import AnswerKind, Hold, HoldAnswer
from app.core.instant import HOUR, parse_instant
from app.integrations.azure_devops import message
from app.integrations.azure_devops.message import Checks
from app.integrations.azure_devops.section import AzureDevOps
from app.integrations.azure_devops.vendor import VENDOR
from tests.api.fakes import FakeClock
from tests.integrations.azure_devops.fake import SECRET, TOKEN_LIFE, Check, FakeAzure, uuid
from tests.integrations.gates import gate_with, holds_of, recorded
from tests.integrations.platform import Answer

FROZEN = parse_instant("2026-11-27T13:05:00Z")
PATH = "/integrations/azure-devops"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(FROZEN)


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def azure() -> Iterator[FakeAzure]:
    with FakeAzure() as fake:
        fake.now = FROZEN
        yield fake


@pytest.fixture
def gate(tmp_path: Path, clock: FakeClock, log: io.BytesIO, azure: FakeAzure) -> Iterator[TestClient]:
    (tmp_path / "secret").write_text(f"a-newer-secret-of-checks\n{SECRET}\n")
    section = {"secret_file": "secret", "hosts": [azure.host]}
    with gate_with(tmp_path, clock, {"azure-devops": section}, log) as client:
        yield client


def post(gate: TestClient, check: Check, **headers: str) -> Any:
    return gate.post(PATH, json=check.body, headers=check.headers() | headers)


def test_a_stage_is_held_once_and_told_for_how_long(
    gate: TestClient, azure: FakeAzure, log: io.BytesIO
) -> None:
    check = azure.check(body={"run_url": "https://dev.azure.com/acme/shop/_build/results?buildId=7"})
    for _ in range(100):
        reply = post(gate, check)
        assert reply.status_code == 200
    assert reply.text == (
        "checkout may not be deployed to production: No deploys after Friday 14:00. "
        "Opens Mon 30 Nov 08:00 CET, in 2 d 17 h 55 min. "
        "This check waits until 2026-11-29T12:05:00Z at most, and then fails.\n"
    )
    (hold,) = holds_of(gate)
    assert (hold.responder, hold.question.service, hold.question.environment) == (
        "azure-devops",
        "checkout",
        "production",
    )
    assert (hold.ref, hold.actor) == ("4f9c2d", "ada")
    assert hold.run_url == "https://dev.azure.com/acme/shop/_build/results?buildId=7"
    assert hold.expires_at == FROZEN + 47 * HOUR < FROZEN + TOKEN_LIFE
    assert hold.sealed is not None
    seen = hold.sealed + str(hold.target) + log.getvalue().decode() + reply.text
    assert check.token not in seen
    assert SECRET not in seen
    assert recorded(gate) == []
    assert azure.calls == []


def test_an_open_gate_says_so_at_once(gate: TestClient, azure: FakeAzure) -> None:
    reply = post(gate, azure.check("docs-site"))
    assert reply.text.startswith("docs-site may be deployed to production")
    assert "at most" not in reply.text
    assert len(holds_of(gate)) == 1


def test_each_check_is_a_hold(gate: TestClient, azure: FakeAzure) -> None:
    for _ in range(3):
        post(gate, azure.check(body={"environment": "staging", "change": "rollback", "duration": "20m"}))
    questions = {hold.question for hold in holds_of(gate)}
    assert len(holds_of(gate)) == 3
    assert {(each.environment, each.change, each.duration) for each in questions} == {
        ("staging", "rollback", 1200)
    }


def test_a_wrong_secret_is_refused_before_anything_is_read(
    gate: TestClient, azure: FakeAzure, clock: FakeClock
) -> None:
    check = azure.check()
    for wrong in (
        "",
        "Bearer",
        "Bearer wrong",
        f"Basic {SECRET}",
        SECRET,
        f"Bearer {SECRET}x",
        f"Bearer {check.token}",
    ):
        clock.at += 61
        assert post(gate, check, Authorization=wrong).status_code == 401
    clock.at += 61
    signature = {
        "X-TFC-Task-Signature": "0" * 128,
        "X-Hub-Signature-256": "sha256=0",
        "X-Gitlab-Token": SECRET,
    }
    assert gate.post(PATH, content=b"{", headers=signature).status_code == 401
    assert holds_of(gate) == []


def test_any_of_the_secrets_is_accepted(gate: TestClient, azure: FakeAzure) -> None:
    assert post(gate, azure.check(), Authorization="bearer a-newer-secret-of-checks").status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "https://evil.example/acme/",
        "https://dev.azure.com.evil.example/acme/",
        "https://dev.azure.com@evil.example/",
        "http://127.0.0.1:1/acme/",
        "https://dev.azure.com/acme/",
        "x",
    ],
)
def test_a_foreign_host_is_refused(gate: TestClient, azure: FakeAzure, url: str) -> None:
    reply = post(gate, azure.check(), PlanUrl=url)
    assert reply.status_code == 422
    assert "evil" not in reply.text
    assert holds_of(gate) == []


def test_headers_that_would_lead_elsewhere_are_refused(gate: TestClient, azure: FakeAzure) -> None:
    wrong = {
        "ProjectId": ["..", "a/b", uuid(1) + "/..", ""],
        "HubName": ["../x", "Gates?x=", "", "a" * 33],
        "PlanId": ["1", "%2e%2e"],
        "JobId": ["x"],
        "TaskInstanceId": [uuid(3)[:-1]],
        "TimelineId": ["../../events"],
        "AuthToken": ["", "two words"],
    }
    for name, values in wrong.items():
        for value in values:
            reply = post(gate, azure.check(), **{name: value})
            assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, name.lower())
            assert not value or value not in reply.text
    assert holds_of(gate) == []


def test_missing_and_repeated_headers_are_refused(gate: TestClient, azure: FakeAzure) -> None:
    check = azure.check()
    given = check.headers()
    del given["JobId"]
    assert gate.post(PATH, json=check.body, headers=given).status_code == 422
    twice = [*check.headers().items(), ("JobId", uuid(9))]
    reply = gate.post(PATH, json=check.body, headers=twice)
    assert reply.json()["errors"] == [{"field": "jobid", "message": "is given more than once"}]


@pytest.mark.parametrize(
    "body",
    [{}, {"service": "Checkout"}, {"service": "checkout", "more": 1}, {"service": "checkout", "duration": 5}],
)
def test_a_malformed_body_is_refused(gate: TestClient, azure: FakeAzure, body: dict[str, Any]) -> None:
    check = azure.check()
    check.body = body
    assert post(gate, check).status_code == 422


def test_an_unknown_environment_is_refused(gate: TestClient, azure: FakeAzure) -> None:
    assert post(gate, azure.check(body={"environment": "nowhere"})).status_code == 422


def test_the_longest_wait_is_less_than_the_life_of_a_token() -> None:
    assert AzureDevOps.model_validate({"longest_wait": "23h"}).longest_wait == 23 * HOUR
    with pytest.raises(ValidationError, match="void after 48 hours"):
        AzureDevOps.model_validate({"longest_wait": "48h"})


def held(gate: TestClient, azure: FakeAzure, **options: Any) -> tuple[Check, Hold]:
    check = azure.check(**options)
    post(gate, check)
    return check, holds_of(gate)[0]


def answer_to(hold: Hold, kind: AnswerKind, sentence: str) -> HoldAnswer:
    return HoldAnswer(hold, kind, sentence, None)


def responder(azure: FakeAzure) -> Checks:
    return Checks(AzureDevOps.model_validate({"hosts": [azure.host]}))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "result"), [(AnswerKind.APPROVED, "succeeded"), (AnswerKind.REJECTED, "failed")]
)
async def test_the_log_says_why_and_the_event_decides(
    gate: TestClient, azure: FakeAzure, kind: AnswerKind, result: str
) -> None:
    check, hold = held(gate, azure)
    async with httpx.AsyncClient() as client:
        for each, sentence in ((AnswerKind.PROGRESS, "It waits."), (kind, "It is over.")):
            reply = await responder(azure).send(client, answer_to(hold, each, sentence), check.token)
            assert reply.outcome == "taken"
    assert check.log == ["It waits.", "It is over."]
    assert check.results == [result]


@pytest.mark.anyio
async def test_a_check_without_a_timeline_is_decided_without_a_log(
    gate: TestClient, azure: FakeAzure
) -> None:
    check, hold = held(gate, azure, has_timeline=False)
    async with httpx.AsyncClient() as client:
        for kind in (AnswerKind.PROGRESS, AnswerKind.APPROVED):
            reply = await responder(azure).send(client, answer_to(hold, kind, "x"), check.token)
            assert reply.outcome == "taken"
    assert (check.results, len(azure.calls)) == (["succeeded"], 1)


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [Answer(500), Answer(200, lost=True), Answer(404), Answer(500, lost=True)])
async def test_a_log_that_fails_holds_up_no_decision(
    gate: TestClient, azure: FakeAzure, fault: Answer
) -> None:
    check, hold = held(gate, azure)
    azure.faults.append(fault)
    async with httpx.AsyncClient() as client:
        reply = await responder(azure).send(client, answer_to(hold, AnswerKind.APPROVED, "x"), check.token)
    assert reply.outcome == "taken"
    assert check.results == ["succeeded"]


@pytest.mark.anyio
async def test_a_log_that_does_not_answer_holds_up_no_decision(
    gate: TestClient, azure: FakeAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, hold = held(gate, azure)
    monkeypatch.setattr(message, "LOG_DEADLINE", 0.01)

    async def answer(request: httpx.Request) -> httpx.Response:
        if "/feed" in request.url.path:
            await asyncio.Event().wait()
        return httpx.Response(204)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        reply = await responder(azure).send(client, answer_to(hold, AnswerKind.APPROVED, "x"), check.token)
    assert reply.outcome == "taken"


@pytest.mark.anyio
async def test_a_decision_that_may_have_arrived_is_sent_again_and_then_settled(
    gate: TestClient, azure: FakeAzure
) -> None:
    check, hold = held(gate, azure, has_timeline=False)
    azure.faults += [Answer(503, headers={"Retry-After": "20"}), Answer(200, lost=True)]
    answer = answer_to(hold, AnswerKind.APPROVED, "x")
    async with httpx.AsyncClient() as client:
        first = await responder(azure).send(client, answer, check.token)
        with pytest.raises(httpx.HTTPError):
            await responder(azure).send(client, answer, check.token)
        last = await responder(azure).send(client, answer, check.token)
    assert (first.outcome, first.retry_after) == ("later", 20)
    assert last.outcome == "refused"  # Azure has it
    assert check.results == ["succeeded"]


@pytest.mark.anyio
async def test_a_token_that_is_void_or_a_host_that_was_removed_ends_it(
    gate: TestClient, azure: FakeAzure
) -> None:
    check, hold = held(gate, azure)
    answer = answer_to(hold, AnswerKind.APPROVED, "x")
    async with httpx.AsyncClient() as client:
        elsewhere = Checks(AzureDevOps.model_validate({}))
        assert (await elsewhere.send(client, answer, check.token)).outcome == "refused"
        assert azure.calls == []
        azure.now += TOKEN_LIFE + 1
        assert (await responder(azure).send(client, answer, check.token)).outcome == "refused"
    assert check.results == []


def test_the_table_entry_answers_checks() -> None:
    assert VENDOR.responder is not None
    made = VENDOR.responder(AzureDevOps.model_validate({}), None)  # type: ignore[arg-type]
    assert made.reporting.every is None
