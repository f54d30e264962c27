"""``freezegate check`` with several services."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import run
from app.cli.options import MOST_SERVICES
from tests.cli.conftest import ALLOW, DENY, POLICIES, CannedServer

WEB = {**ALLOW, "service": "web", "message": "web may be deployed to production."}
FROZEN_WEB = {**DENY, "service": "web"}
PROBLEM = {"allowed": False, "type": "about:blank", "status": 422, "detail": "service: unknown service"}


def replies(server: CannedServer, *answers: object, status: int | None = None, **rest: Any) -> None:
    allowed = all(isinstance(each, dict) and each["allowed"] is True for each in answers)
    body = {"allowed": allowed, "answers": list(answers), **rest}
    server.reply(status or (200 if allowed else 423), body)


def check(server: CannedServer, *arguments: str) -> int:
    return run(["check", "api", "web", "--server", server.url, *arguments])


def test_the_server_is_asked_all_at_once(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
    replies(server, ALLOW, WEB)
    assert check(server, "--environment", "production", "--duration", "20m") == 0
    [received] = server.received
    assert (received.method, received.path) == ("POST", "/can-deploy/batch")
    rest = {"environment": "production", "change": "normal", "duration": "20m"}
    assert received.body == {"questions": [{"service": "api", **rest}, {"service": "web", **rest}]}
    assert capsys.readouterr().out == f"{ALLOW['message']}\n{WEB['message']}\n"


def test_the_instant_is_that_of_all(server: CannedServer) -> None:
    at = ALLOW["at"]
    replies(server, ALLOW, {**WEB, "at": "2026-11-27T12:00:01Z"})
    server.content = server.content.replace(b'"at": ', b'"at":')  # so that it stays as it is
    assert check(server, "--at", str(at)) == 3
    assert server.received[0].body["at"] == at
    assert "at" not in server.received[0].body["questions"][0]
    replies(server, ALLOW, WEB)
    server.content = server.content.replace(b'"at": ', b'"at":')
    assert check(server, "--at", str(at)) == 0


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ((ALLOW, FROZEN_WEB), 1),
        ((DENY, WEB), 1),
        ((ALLOW, PROBLEM), 3),
        ((PROBLEM, FROZEN_WEB), 1),
        ((PROBLEM, PROBLEM), 3),
    ],
)
def test_nothing_but_an_allow_of_all_exits_0(
    server: CannedServer, capsys: pytest.CaptureFixture[str], answers: tuple[Any, ...], status: int
) -> None:
    replies(server, *answers)
    assert check(server, "--on-error", "allow") == status
    problems = answers.count(PROBLEM)
    assert capsys.readouterr().err.count("service: unknown service") == problems


@pytest.mark.parametrize(
    "body",
    [
        {"allowed": True, "answers": [ALLOW]},
        {"allowed": True, "answers": [ALLOW, WEB, WEB]},
        {"allowed": True, "answers": [WEB, ALLOW]},
        {"allowed": True, "answers": [ALLOW, None]},
        {"allowed": True, "answers": [ALLOW, {}]},
        {"allowed": True, "answers": [ALLOW, {"allowed": True}]},
        {"allowed": True, "answers": [ALLOW, FROZEN_WEB]},
        {"allowed": True, "answers": [ALLOW, PROBLEM]},
        {"allowed": False, "answers": [ALLOW, WEB]},
        {"allowed": True, "answers": "all"},
        {"answers": [ALLOW, WEB]},
        [ALLOW, WEB],
        ALLOW,
    ],
)
def test_what_does_not_answer_all_of_it_is_undecided(server: CannedServer, body: object) -> None:
    server.reply(200, body)
    assert check(server) == 3


def test_a_denial_under_the_status_of_an_allow_never_passes(server: CannedServer) -> None:
    replies(server, ALLOW, FROZEN_WEB, status=200)
    assert check(server, "--on-error", "allow") == 3
    replies(server, ALLOW, WEB, status=423)
    assert check(server) == 3


def test_a_server_that_knows_no_batches_is_undecided(server: CannedServer) -> None:
    server.reply(404, {"detail": "there is nothing here"})
    assert check(server, "--on-error", "allow") == 3


def test_json_has_all_answers(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
    replies(server, ALLOW, PROBLEM)
    check(server, "--json")
    body = json.loads(capsys.readouterr().out)
    assert body["allowed"] is False
    assert body["answers"][0]["service"] == "api"
    problem = {"allowed": False, "service": "web", "detail": "service: unknown service"}
    assert body["answers"][1] == problem


def test_files_answer_many_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    ask = ["check", "api", "web", "--policies", str(path)]
    assert run([*ask, "--at", "2026-11-27T12:00:00+01:00"]) == 0
    assert run([*ask, "--at", "2026-11-27T18:00:00+01:00"]) == 1
    capsys.readouterr()
    assert run([*ask, "--at", "2026-11-27T12:00:00+01:00", "--environment", "staging"]) == 3
    error = capsys.readouterr().err
    assert "api: unknown environment" in error
    assert "web: unknown environment" in error


@pytest.mark.parametrize(
    ("services", "sentence"),
    [
        (["api", "web", "api"], '"api" is given more than once'),
        (["api", "Web"], 'did you mean "web"?'),
        ([f"s{number}" for number in range(MOST_SERVICES + 1)], "at most 1,000 at once"),
        ([], "SERVICE"),
    ],
)
def test_names_are_checked_before_anything_is_sent(
    server: CannedServer, capsys: pytest.CaptureFixture[str], services: list[str], sentence: str
) -> None:
    assert run(["check", *services, "--server", server.url]) == 2
    assert sentence in capsys.readouterr().err
    assert server.received == []
