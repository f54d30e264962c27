"""The callback: signed, to listed hosts only, the same at every attempt."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.decision import Question
from app.core.errors import MalformedValueError
from app.core.hold import AnswerKind, Hold, HoldAnswer, HoldState
from app.integrations.callback.message import CallbackResponder, check_target, request
from app.integrations.callback.section import Callback
from app.integrations.section import resolve_secrets
from app.integrations.signatures import standard_webhook_matches
from app.integrations.vendors import vendors
from tests.api.fakes import FakeClock
from tests.integrations.receiver import LocalReceiver

pytestmark = pytest.mark.anyio

NOW = 1_795_784_700
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def section(*hosts: str, **other: Any) -> Callback:
    made = Callback(hosts=list(hosts), **{"secret_env": "SECRETS", **other})
    resolve_secrets(made, Path(), {"SECRETS": f"{NEW}\n{OLD}"})
    return made


def hold(url: str = "https://ci.example/resume/7") -> Hold:
    return Hold(
        id="hld_1",
        responder="callback",
        key="run 7",
        question=Question("api"),
        ref="abc",
        actor=None,
        run_url="https://ci.example/run/7",
        requested_by="pipeline",
        target={"url": url},
        sealed=None,
        created_at=NOW - 60,
        expires_at=NOW + 600,
        state=HoldState.RELEASED,
        changed_at=NOW,
        opens_at=None,
        decision_id="dec_1",
        reports=1,
    )


APPROVED = HoldAnswer(hold(), AnswerKind.APPROVED, "api may be deployed to production.", None)


async def test_an_answer_is_signed_by_the_newest_secret(local: LocalReceiver) -> None:
    url = f"http://127.0.0.1:{local.port}/resume/7"
    responder = CallbackResponder(section(f"127.0.0.1:{local.port}"), FakeClock(NOW))
    async with httpx.AsyncClient() as client:
        assert (await responder.send(client, APPROVED._replace(hold=hold(url)), None)).outcome == "taken"
    (got,) = local.got
    headers = {name.lower(): value for name, value in got.headers.items()}
    newest, oldest = section("x").secrets("secret")
    assert standard_webhook_matches([newest], headers, got.body, NOW)
    assert not standard_webhook_matches([oldest], headers, got.body, NOW)
    assert got.path == "/resume/7"
    assert got.json == {
        "type": "hold-approved",
        "timestamp": "2026-11-27T13:05:00Z",
        "data": {
            "hold": "hld_1",
            "key": "run 7",
            "answer": "approved",
            "message": "api may be deployed to production.",
            "opens_at": None,
            "decision": {"allowed": True, "id": "dec_1"},
            "service": "api",
            "services": ["api"],
            "environment": "production",
            "change": "normal",
            "ref": "abc",
            "run_url": "https://ci.example/run/7",
        },
    }


def test_another_attempt_has_the_same_id_and_another_answer_a_new_one() -> None:
    (newest, _) = section("x").secrets("secret")
    answers = [
        APPROVED,
        APPROVED._replace(hold=hold()._replace(decision_id="dec_2")),
        APPROVED._replace(kind=AnswerKind.REJECTED),
        APPROVED._replace(kind=AnswerKind.PROGRESS, opens_at=NOW),
    ]
    ids = [request(each, newest, NOW * 1_000_000).headers["Webhook-Id"] for each in answers]
    later = request(APPROVED, newest, (NOW + 60) * 1_000_000).headers["Webhook-Id"]
    assert (later, len(set(ids))) == (ids[0], 4)


def test_what_is_not_approved_is_not_allowed() -> None:
    (newest, _) = section("x").secrets("secret")
    for kind in (AnswerKind.PROGRESS, AnswerKind.REJECTED):
        body = request(APPROVED._replace(kind=kind), newest, NOW * 1_000_000).body
        assert b'"allowed": false' in body


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (204, {}, ("taken", "", 0)),
        (302, {"Location": "http://127.0.0.1:1/"}, ("later", "answered 302", 0)),
        (404, {}, ("later", "answered 404", 0)),
        (410, {}, ("refused", "answered 410", 0)),
        (503, {"Retry-After": "30"}, ("later", "answered 503", 30)),
        (503, {"Retry-After": "soon"}, ("later", "answered 503", 0)),
    ],
)
async def test_what_a_reply_means(
    local: LocalReceiver, status: int, headers: dict[str, str], outcome: tuple[str, str, int]
) -> None:
    local.answers.append((status, headers))
    responder = CallbackResponder(section(f"127.0.0.1:{local.port}"), FakeClock(NOW))
    answer = APPROVED._replace(hold=hold(f"http://127.0.0.1:{local.port}/"))
    async with httpx.AsyncClient() as client:
        assert await responder.send(client, answer, None) == outcome
    assert len(local.got) == 1


async def test_a_host_that_is_listed_no_more_is_not_called(local: LocalReceiver) -> None:
    responder = CallbackResponder(section("other.example"), FakeClock(NOW))
    answer = APPROVED._replace(hold=hold(f"http://127.0.0.1:{local.port}/"))
    async with httpx.AsyncClient() as client:
        assert (await responder.send(client, answer, None)).outcome == "refused"
    assert local.got == []


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"url": 1},
        {"url": "https://ci.example/", "method": "GET"},
        {"url": "http://ci.example/"},
        {"url": "https://ci.example.evil.example/"},
        {"url": "https://ci.example@evil.example/"},
        {"url": "https://ci.example:8443/"},
        {"url": "https://169.254.169.254/"},
        {"url": "file:///etc/passwd"},
    ],
)
def test_other_targets_are_refused(target: dict[str, Any]) -> None:
    with pytest.raises(MalformedValueError):
        check_target(section("ci.example"), target)
    check_target(section("ci.example"), {"url": "https://ci.example/resume"})


def test_progress_is_sent_only_to_those_who_ask_for_it() -> None:
    assert CallbackResponder(section("x"), FakeClock(NOW)).reporting.most == 1
    assert CallbackResponder(section("x", progress=True), FakeClock(NOW)).reporting.most == 100
    assert vendors()["callback"].check_target is check_target
