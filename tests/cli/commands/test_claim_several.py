"""``check --claim`` and ``wait`` with several services."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import run
from app.cli.decision_source import Answer, Query
from app.cli.errors import UndecidedError
from app.cli.options import MOST_CLAIMED
from app.cli.together import Together
from tests.cli.conftest import ALLOW, DENY, POLICIES, CannedServer

BOTH = {"service": "api and web", "services": ["api", "web"]}


def part(service: str, *, allowed: bool) -> dict[str, Any]:
    return {"service": service, "allowed": allowed}


ALLOWED = {**ALLOW, **BOTH, "parts": [part("api", allowed=True), part("web", allowed=True)]}
DENIED = {**DENY, **BOTH, "parts": [part("api", allowed=True), part("web", allowed=False)]}


def claim(server: CannedServer, *arguments: str) -> int:
    return run(["check", "api", "web", "--claim", "--server", server.url, *arguments])


def test_several_services_are_one_claim(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.reply(200, ALLOWED)
    assert claim(server, "--ref", "abc", "--idempotency-key", "k", "--json") == 0
    [received] = server.received
    assert (received.method, received.path) == ("POST", "/can-deploy")
    rest = {"environment": "production", "change": "normal", "ref": "abc"}
    assert received.body == {"services": ["api", "web"], **rest}
    assert received.headers["idempotency-key"] == "k"
    assert json.loads(capsys.readouterr().out)["services"] == ["api", "web"]
    server.reply(423, DENIED)
    assert claim(server) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"services": ["api"]},
        {"services": ["web", "api"]},
        {"services": None},
        {"parts": None},
        {"parts": [part("api", allowed=True)]},
        {"parts": [part("web", allowed=True), part("api", allowed=True)]},
        {"parts": [part("api", allowed=True), part("web", allowed=False)]},
        {"parts": [part("api", allowed=True), {"service": "web"}]},
        {"environment": "staging"},
    ],
)
def test_an_allow_that_is_not_of_all_services_is_none(server: CannedServer, wrong: dict[str, Any]) -> None:
    server.reply(200, {**ALLOWED, **wrong})
    assert claim(server) == 3


def test_an_answer_for_one_service_is_none_for_several(server: CannedServer) -> None:
    server.reply(200, ALLOW)
    assert claim(server) == 3


def test_a_claim_takes_so_many_services(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"s{number}" for number in range(MOST_CLAIMED + 1)]
    assert run(["check", *names, "--claim", "--server", server.url]) == 2
    assert "at most 100 services" in capsys.readouterr().err
    assert server.received == []


def test_waiting_ends_when_all_are_allowed(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
    web = {**ALLOW, "service": "web", "message": "web may be deployed."}
    server.reply(200, {"allowed": True, "answers": [ALLOW, web]})
    assert run(["wait", "api", "web", "--server", server.url]) == 0
    assert capsys.readouterr().out == f"{ALLOW['message']} web may be deployed.\n"
    assert server.received[0].path == "/can-deploy/batch"
    server.reply(423, {"allowed": False, "answers": [ALLOW, {**DENY, "service": "web"}]})
    assert run(["wait", "api", "web", "--server", server.url, "--timeout", "0s"]) == 1
    problem = {"allowed": False, "detail": "unknown service"}
    server.reply(423, {"allowed": False, "answers": [ALLOW, problem]})
    assert run(["wait", "api", "web", "--server", server.url]) == 3


class Scripted:
    """A source with given answers."""

    def __init__(self, *answers: Answer | str) -> None:
        self._answers = answers

    def ask(self, query: Query, now: int, timeout: float = 1) -> Answer:
        raise NotImplementedError

    def ask_all(self, *_: object) -> list[Answer | str]:
        return [*self._answers]


def denied(opens_at: str | None) -> Answer:
    return Answer({**DENY, "opens_at": opens_at})


@pytest.mark.parametrize(
    ("answers", "opens_at"),
    [
        (["2026-11-30T07:00:00Z", "2026-12-01T07:00:00Z"], "2026-12-01T07:00:00Z"),
        (["2026-11-30T07:00:00Z", None], None),
    ],
)
def test_all_are_open_at_the_latest_opening_at_the_earliest(
    answers: list[str | None], opens_at: str | None
) -> None:
    source = Scripted(Answer(ALLOW), *map(denied, answers))
    body = Together(source, ["a", "b", "c"]).ask(Query(""), 0).body
    assert (body["allowed"], body["outcome"], body["opens_at"]) == (False, "deny", opens_at)
    assert [each["id"] for each in body["blocking"]] == ["friday-afternoon"]
    assert len(body["answers"]) == 3


def about(service: str, message: str, *blocking: str) -> Answer:
    entries = [{"id": own_id} for own_id in blocking]
    return Answer(
        {**(DENY if blocking else ALLOW), "service": service, "message": message, "blocking": entries}
    )


def test_what_holds_for_many_services_is_said_once() -> None:
    names = [f"s{number}" for number in range(40)]
    frozen = [about(name, f"{name} is frozen: Friday.", "friday", "night") for name in names]
    one = about("t0", "t0 is frozen: Night.", "night", "t0")
    body = (
        Together(Scripted(*frozen, one, about("u", "u may be deployed.")), [*names, "t0", "u"])
        .ask(Query(""), 0)
        .body
    )
    assert [each["id"] for each in body["blocking"]] == ["friday", "night", "t0"]
    first, rest = body["message"].split(" more ", 1)
    assert first.startswith("s0, s1, s2, ")
    assert rest == "is frozen: Friday. t0 is frozen: Night."
    assert len(body["message"]) < 200
    odd = [
        about("a", "No."),
        about("b", "No."),
        *(about(name, f"{name} {name}.") for name in ("c", "d", "e")),
    ]
    assert Together(Scripted(*odd), ["a", "b", "c", "d", "e"]).ask(Query(""), 0).body["message"] == (
        "No. c c. d d. And 1 more."
    )


def test_no_answer_for_one_is_no_answer_for_all() -> None:
    with pytest.raises(UndecidedError, match="b: unknown service") as raised:
        Together(Scripted(Answer(ALLOW), "unknown service"), ["a", "b"]).ask(Query(""), 0)
    assert raised.value.final


def test_files_are_waited_for_too(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES.partition("policies:")[0] + "policies: []\n")
    assert run(["wait", "api", "web", "--policies", str(path)]) == 0
