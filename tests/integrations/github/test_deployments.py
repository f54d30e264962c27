"""Deployment protection rules: requests become holds, and holds are answered by reports."""

import json
import re
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from app.core.decision import Question
from app.core.hold import AnswerKind, HoldAnswer
from app.gate.outbox import DeliveryResult
from app.integrations.github.client import App
from app.integrations.github.deployments import WAITS, Reviews
from app.integrations.github.section import GitHub
from app.integrations.github.work import send_notices
from tests.api.fakes import FakeClock
from tests.integrations.github.conftest import HOOK, holds, with_client
from tests.integrations.github.fake import (
    BAD_GATEWAY,
    GRANTED,
    INSTALLATION,
    LOST_ANSWER,
    FakeGitHub,
    Fault,
    secondary_limit,
    signature,
)


def posted(gate: TestClient, payload: Any, delivery: str = "d-1") -> int:
    body = json.dumps(payload).encode()
    headers = {
        "X-GitHub-Event": "deployment_protection_rule",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": signature(body),
    }
    return gate.post(HOOK, content=body, headers=headers).status_code


def send(
    gate: TestClient,
    section: GitHub,
    kind: AnswerKind,
    sentence: str = "It is Friday.",
    opens: int | None = None,
) -> DeliveryResult:
    """Send an answer to the newest hold, as the engine does."""
    context = gate.app.state.context  # type: ignore[attr-defined]
    answer = HoldAnswer(holds(gate)[-1], kind, sentence, opens)
    reviews = Reviews(section, App(section, context.clock))
    return with_client(gate, lambda client: reviews.send(client, answer, None))


# Requests.


def test_a_request_becomes_a_hold(gate: TestClient, github: FakeGitHub, clock: FakeClock) -> None:
    run = github.request_deploy("Acme/Checkout", "production")
    (hold,) = holds(gate)
    assert hold.question == Question("checkout", "production", "normal", 0)
    assert (hold.responder, hold.requested_by, hold.actor) == ("github", "github", "mona")
    assert hold.ref == github.requested(run)["sha"]
    assert hold.run_url == f"https://github.com/Acme/Checkout/actions/runs/{run.id}"
    assert hold.expires_at == clock.at + WAITS
    assert hold.target == {
        "installation": INSTALLATION,
        "repository": "Acme/Checkout",
        "run_id": run.id,
        "environment": "production",
    }


def test_a_delivery_that_comes_twice_is_one_hold(
    gate: TestClient, github: FakeGitHub, clock: FakeClock
) -> None:
    github.twice = lambda _event: True
    github.request_deploy()
    github.request_deploy(with_deployment=False)
    assert len(holds(gate)) == 2
    assert [each.status_code for each in github.deliveries] == [200] * 4


def test_a_job_that_is_run_again_is_another_hold(gate: TestClient, github: FakeGitHub) -> None:
    for with_deployment in (True, True, False, False):
        github.request_deploy(run_id=7, with_deployment=with_deployment)
    github.request_deploy(run_id=7, environment="Stage")
    assert len({hold.key for hold in holds(gate)}) == 5
    (staged,) = [hold for hold in holds(gate) if hold.target["environment"] == "Stage"]
    assert staged.question.environment == "staging"


@pytest.mark.parametrize(
    ("repository", "environment", "why"),
    [
        ("other/checkout", "production", "no entry of deployments under github"),
        ("acme/checkout", "preview", "no entry of deployments under github"),
        ("acme/_", "production", "makes no service of this deploy"),
        ("acme/chekout", "production", "chekout"),
        ("acme/checkout", "qa", "qa"),
    ],
)
def test_what_the_gate_does_not_know_is_told_and_not_approved(
    gate: TestClient, github: FakeGitHub, section: GitHub, repository: str, environment: str, why: str
) -> None:
    run = github.request_deploy(repository, environment)
    assert (holds(gate), github.deliveries[0].status_code) == ([], 200)
    app = App(section, gate.app.state.context.clock)  # type: ignore[attr-defined]
    github.faults += [secondary_limit(1)]
    with_client(gate, lambda client: send_notices(section, app, client))
    assert len(section.notices) == 1
    gate.app.state.context.clock.at += 1  # type: ignore[attr-defined]
    with_client(gate, lambda client: send_notices(section, app, client))
    (report,) = run.reports
    assert (report.state, run.state) == (None, "waiting")
    assert report.comment.startswith("**Not approved")
    assert why in re.sub("[\\\\`\u200b]", "", report.comment)


def test_a_notice_that_is_refused_is_dropped(gate: TestClient, github: FakeGitHub, section: GitHub) -> None:
    github.request_deploy("other/one")
    github.runs.clear()
    app = App(section, gate.app.state.context.clock)  # type: ignore[attr-defined]
    with_client(gate, lambda client: send_notices(section, app, client))
    assert not section.notices


@pytest.mark.parametrize(
    "url",
    [
        "https://attacker.example/repos/acme/checkout/actions/runs/7/deployment_protection_rule",
        "{api}.attacker.example/repos/acme/checkout/actions/runs/7/deployment_protection_rule",
        "{api}/repos/acme/other/actions/runs/7/deployment_protection_rule",
        "{api}/repos/acme/checkout/actions/runs/7/deployment_protection_rule?x=1",
        "{api}/repos/../../actions/runs/7/deployment_protection_rule",
        "{api}/repos/acme/checkout/actions/runs/x/deployment_protection_rule",
        "",
    ],
)
def test_a_callback_outside_of_the_api_is_refused(gate: TestClient, github: FakeGitHub, url: str) -> None:
    payload = github.requested(github.request_deploy("other/none"))
    payload["repository"]["full_name"] = "acme/checkout"
    payload["deployment_callback_url"] = url.replace("{api}", github.url)
    assert posted(gate, payload) == 422
    assert holds(gate) == []


@pytest.mark.parametrize(
    "change",
    [
        {"repository": None},
        {"repository": {"id": 1}},
        {"installation": None},
        {"environment": ""},
        {"environment": 7},
        {"environment": "x" * 256},
        {"deployment": {}},
        {"sender": {"login": "x" * 101}},
        {"sender": {"login": "a\x00b"}},
        {"action": None},
    ],
)
def test_an_event_of_another_form_is_refused(
    gate: TestClient, github: FakeGitHub, change: dict[str, Any]
) -> None:
    payload = github.requested(github.request_deploy("other/none"))
    payload["repository"]["full_name"] = "acme/checkout"
    payload["deployment_callback_url"] = payload["deployment_callback_url"].replace(
        "other/none", "acme/checkout"
    )
    assert posted(gate, {**payload, **change}) == 422
    assert holds(gate) == []
    assert posted(gate, {**payload, "action": "withdrawn"}) == 200
    assert holds(gate) == []
    assert (
        posted(gate, {**payload, "sender": None, "repository": payload["repository"] | {"html_url": "x:"}})
        == 200
    )
    assert (holds(gate)[0].actor, holds(gate)[0].run_url) == (None, None)


# Answers.


def test_a_report_says_why_and_until_when(gate: TestClient, github: FakeGitHub, section: GitHub) -> None:
    run = github.request_deploy()
    opens = 1_796_022_000
    sentence = "checkout may not be deployed to production: No deploys. Ask #release-managers."
    assert send(gate, section, AnswerKind.PROGRESS, sentence, opens) == DeliveryResult("taken")
    (report,) = run.reports
    assert (report.state, run.state) == (None, "waiting")
    assert report.comment == (
        "**Waiting for deploys to open.**\n\n"
        "checkout may not be deployed to production\\: No deploys. Ask \\#release-managers.\n\n"
        "Opens at 2026-11-30T07:00:00Z. [Open the gate](https://gate.example.com)"
    )
    tokens = [permissions for permissions, _ in github.tokens.values()]
    assert tokens == [{"deployments": "write"}]


@pytest.mark.parametrize("kind", [AnswerKind.APPROVED, AnswerKind.REJECTED])
def test_a_review_approves_or_rejects(
    gate: TestClient, github: FakeGitHub, section: GitHub, kind: AnswerKind
) -> None:
    run = github.request_deploy("acme/checkout", "Stage")
    assert send(gate, section, kind).outcome == "taken"
    assert run.state == kind.value
    assert kind.value in run.reports[0].comment.lower()


def test_a_review_whose_answer_was_lost_is_recognised(
    gate: TestClient, github: FakeGitHub, section: GitHub
) -> None:
    run = github.request_deploy()
    github.fault = lambda _method, path: LOST_ANSWER if path.endswith("_rule") else None
    with pytest.raises(httpx.HTTPError):
        send(gate, section, AnswerKind.APPROVED)
    github.fault = lambda _method, _path: None
    assert run.state == "approved"
    assert send(gate, section, AnswerKind.APPROVED) == DeliveryResult("taken")
    assert send(gate, section, AnswerKind.REJECTED) == DeliveryResult("refused", "answered 422")


@pytest.mark.parametrize("fault", [Fault(422), Fault(404), Fault(410)])
@pytest.mark.parametrize("kind", [AnswerKind.APPROVED, AnswerKind.REJECTED])
def test_a_refused_token_says_nothing_of_the_run(
    gate: TestClient, github: FakeGitHub, section: GitHub, kind: AnswerKind, fault: Fault
) -> None:
    run = github.request_deploy()
    github.fault = lambda _method, path: fault if path.endswith("/access_tokens") else None
    refused = DeliveryResult("later", f"gave no token, and answered {fault.status}")
    assert send(gate, section, kind) == refused
    github.fault = lambda _method, _path: None
    assert send(gate, section, kind) == DeliveryResult("taken")
    assert run.state == kind.value


def test_a_refused_token_for_reading_ends_no_wait(
    gate: TestClient, github: FakeGitHub, section: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.request_deploy()
    assert send(gate, section, AnswerKind.APPROVED).outcome == "taken"
    monkeypatch.delitem(GRANTED, "actions")
    assert send(gate, section, AnswerKind.APPROVED).outcome == "later"


def test_a_repository_that_the_app_has_lost_is_no_run_that_has_ended(
    gate: TestClient, github: FakeGitHub, section: GitHub
) -> None:
    run = github.request_deploy()
    github.fault = lambda _method, path: Fault(404) if path.startswith("/repos/") else None
    assert send(gate, section, AnswerKind.APPROVED) == DeliveryResult("later", "answered 404")
    github.fault = lambda _method, path: Fault(404) if path.endswith("_rule") else None
    assert send(gate, section, AnswerKind.APPROVED) == DeliveryResult("later", "answered 404")
    github.fault = lambda _method, _path: None
    assert send(gate, section, AnswerKind.APPROVED) == DeliveryResult("taken")
    assert run.state == "approved"


def test_a_run_that_was_cancelled_takes_no_answer(
    gate: TestClient, github: FakeGitHub, section: GitHub
) -> None:
    github.cancel(github.request_deploy())
    for kind in AnswerKind:
        assert send(gate, section, kind) == DeliveryResult("refused", "the run has ended")
    github.runs.clear()
    assert send(gate, section, AnswerKind.PROGRESS) == DeliveryResult("refused", "the run has ended")


def test_a_report_too_many_does_not_end_the_wait(
    gate: TestClient, github: FakeGitHub, section: GitHub
) -> None:
    run = github.request_deploy()
    for _ in range(10):
        assert send(gate, section, AnswerKind.PROGRESS) == DeliveryResult("taken")
    assert send(gate, section, AnswerKind.PROGRESS) == DeliveryResult("taken", "answered 422")
    assert send(gate, section, AnswerKind.APPROVED) == DeliveryResult("taken")
    assert (run.state, len(run.reports)) == ("approved", 11)


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (BAD_GATEWAY, DeliveryResult("later", "gave no token, and answered 502")),
        (secondary_limit(30), DeliveryResult("later", "gave no token, and answered 403", 30)),
        (Fault(403), DeliveryResult("later", "gave no token, and answered 403")),
    ],
)
def test_what_passes_is_tried_again(
    gate: TestClient, github: FakeGitHub, section: GitHub, fault: Fault, result: DeliveryResult
) -> None:
    github.request_deploy()
    github.faults.append(fault)
    assert send(gate, section, AnswerKind.APPROVED) == result


def test_what_github_says_of_a_run_is_needed_to_end_its_wait(
    gate: TestClient, github: FakeGitHub, section: GitHub
) -> None:
    github.cancel(github.request_deploy())
    reading = {"GET"}
    github.fault = lambda method, _path: BAD_GATEWAY if method in reading else None
    assert send(gate, section, AnswerKind.PROGRESS) == DeliveryResult("taken", "answered 422")


def test_a_review_is_not_given_up_while_github_can_not_say_what_became_of_it(
    gate: TestClient, github: FakeGitHub, section: GitHub
) -> None:
    run = github.request_deploy()
    assert send(gate, section, AnswerKind.APPROVED).outcome == "taken"
    github.fault = lambda method, _path: BAD_GATEWAY if method == "GET" else None
    assert send(gate, section, AnswerKind.APPROVED) == DeliveryResult("later", "answered 502")
    github.fault = lambda _method, path: BAD_GATEWAY if path.endswith(f"/{run.id}") else None
    assert send(gate, section, AnswerKind.REJECTED) == DeliveryResult("later", "answered 422")
    github.fault = lambda _method, _path: None
    assert send(gate, section, AnswerKind.APPROVED) == DeliveryResult("taken")
