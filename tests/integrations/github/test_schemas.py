"""What is sent to GitHub, and what the fake sends, against the schemas that GitHub publishes."""

import importlib
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from starlette.testclient import TestClient

from app.core.hold import AnswerKind, HoldAnswer
from app.integrations.github.client import App, Call
from app.integrations.github.deployments import READ, Run
from app.integrations.github.message import report, review
from app.integrations.github.section import GitHub
from tests.integrations.github.conftest import with_client
from tests.integrations.github.fake import INSTALLATION, FakeGitHub
from tests.integrations.github.test_message import HOLD

# Not by name: type checkers would read 40 MB of models.
MODELS = importlib.import_module("githubkit_schemas.v2022_11_28.models")


def model(name: str) -> type[BaseModel]:
    found: type[BaseModel] = getattr(MODELS, name)
    return found


def test_the_fake_asks_as_github_does(github: FakeGitHub) -> None:
    for with_deployment in (True, False):
        payload = github.requested(github.request_deploy(with_deployment=with_deployment))
        model("WebhookDeploymentProtectionRuleRequested").model_validate(payload)
        named = model("WebhookDeploymentProtectionRuleRequested").model_fields
        assert set(payload) <= set(named)


def test_the_schema_would_find_a_mistake_of_the_fake(github: FakeGitHub) -> None:
    payload = github.requested(github.request_deploy())
    del payload["repository"]["full_name"]
    with pytest.raises(ValidationError, match="full_name"):
        model("WebhookDeploymentProtectionRuleRequested").model_validate(payload)


@pytest.mark.parametrize("kind", AnswerKind)
def test_reports_and_reviews_have_the_published_form(kind: AnswerKind) -> None:
    progress = kind is AnswerKind.PROGRESS
    form = model("ReviewCustomGatesCommentRequired" if progress else "ReviewCustomGatesStateRequired")
    body = review(HoldAnswer(HOLD, kind, "Because.", 1_796_022_000), "production", None)
    form.model_validate(body)
    assert set(body) == set(form.model_fields)


def test_a_notice_has_the_published_form() -> None:
    body = report("production", "Because.", None)
    model("ReviewCustomGatesCommentRequired").model_validate(body)


def test_the_fake_answers_as_github_does(gate: TestClient, github: FakeGitHub, section: GitHub) -> None:
    run = github.request_deploy()
    where = Run(INSTALLATION, run.repository, run.id, run.environment)
    app = App(section, gate.app.state.context.clock)  # type: ignore[attr-defined]

    def call(call: Call) -> Any:
        return with_client(gate, lambda client: app.call(client, call)).content

    (entry,) = call(Call("GET", "/app/hook/deliveries"))
    model("HookDeliveryItem").model_validate(entry)
    model("HookDelivery").model_validate(call(Call("GET", f"/app/hook/deliveries/{entry['id']}")))
    wanted = {"permissions": {"deployments": "write"}}
    granted = call(Call("POST", f"/app/installations/{INSTALLATION}/access_tokens", body=wanted))
    model("InstallationToken").model_validate(granted)
    model("AppInstallationsInstallationIdAccessTokensPostBody").model_validate(wanted)
    call(where.review(review(HoldAnswer(HOLD, AnswerKind.APPROVED, "Open.", None), run.environment, None)))
    (approval,) = call(Call("GET", f"{where.path}/approvals", INSTALLATION, READ))
    assert set(approval) == set(model("EnvironmentApprovals").model_fields)
    for field in ("status", "conclusion", "run_attempt"):
        assert field in model("WorkflowRun").model_fields
