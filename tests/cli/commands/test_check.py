import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli import run
from app.cli.decision_source import Query, ServerDecisionSource, parse_answer
from app.cli.errors import UndecidedError
from app.cli.server import Response
from app.core.instant import parse_instant
from tests.cli.conftest import ALLOW, DENY, POLICIES, CannedServer

FRIDAY_NOON = "2026-11-27T12:00:00+01:00"
FRIDAY_EVENING = "2026-11-27T18:00:00+01:00"

NOON = parse_instant(str(ALLOW["at"]))

UNUSABLE: list[tuple[int, object]] = [
    (200, b""),
    (200, b"<html>Sign in</html>"),
    (200, b"true"),
    (200, b"[" * 100_000),
    (200, b"\xff\xfe\x00"),
    (200, []),
    (200, {}),
    (200, {**ALLOW, "allowed": "true"}),
    (200, {**ALLOW, "allowed": 1}),
    (200, {**ALLOW, "outcome": "deny"}),
    (200, {**ALLOW, "outcome": "surely"}),
    (200, {**ALLOW, "outcome": ["allow"]}),
    (200, {**ALLOW, "service": "web"}),
    (200, {**ALLOW, "environment": "staging"}),
    (200, {**ALLOW, "change": "hotfix"}),
    (200, {**ALLOW, "message": None}),
    (200, {**ALLOW, "blocking": None}),
    (200, {**ALLOW, "blocking": ["friday"]}),
    (200, {**ALLOW, "warnings": None}),
    (200, {**ALLOW, "at": "now"}),
    (200, {**ALLOW, "at": "2020-01-01T00:00:00Z"}),
    (200, {**ALLOW, "at": "2099-12-31T23:59:59Z"}),
    (200, {**ALLOW, "blocking": DENY["blocking"]}),
    (200, {**ALLOW, "outcome": "warn", "blocking": DENY["blocking"]}),
    (200, {**ALLOW, "override": [[[[[[[[]]]]]]]]}),
    (200, {**ALLOW, "message": "x" * 1_100_000}),
    (200, {**ALLOW, "opens_at": "soon"}),
    (200, {key: value for key, value in ALLOW.items() if key != "outcome"}),
    (200, b'{"outcome": "deny", ' + json.dumps(ALLOW).encode()[1:]),
    (201, ALLOW),
    (206, ALLOW),
    (423, ALLOW),
    (423, b"Locked"),
    (423, {**DENY, "service": "web"}),
    (500, ALLOW),
    (502, b"Bad Gateway"),
    (503, {"detail": "cannot decide safely"}),
]

DENIED: list[tuple[int, object]] = [
    (200, DENY),
    (200, {**ALLOW, "allowed": False}),
    (200, {"allowed": False}),
    (206, DENY),
    (500, DENY),
    (503, {"allowed": False, "detail": "cannot decide safely"}),
    (200, b'{"allowed": false, ' + json.dumps(ALLOW).encode()[1:]),
    (200, json.dumps(ALLOW).encode()[:-1] + b', "allowed": false}'),
]
"""Unusable answers that deny the deploy all the same."""

REFUSED = [301, 302, 307, 308, 400, 401, 403, 404, 409, 413, 422, 429]


def test_a_well_formed_allow_exits_0_and_says_so(
    server: CannedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "api", "--server", server.url]) == 0
    assert capsys.readouterr().out == "api may be deployed to production.\n"


@pytest.mark.parametrize("outcome", ["allow", "warn", "override"])
def test_every_outcome_that_allows_exits_0(server: CannedServer, outcome: str) -> None:
    server.reply(200, {**ALLOW, "outcome": outcome})
    assert run(["check", "api", "--server", server.url]) == 0


def test_a_deny_exits_1_and_says_who_blocks_why_and_whom_to_ask(
    server: CannedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(423, DENY)
    assert run(["check", "api", "--server", server.url]) == 1
    said = capsys.readouterr().out
    assert "  friday-afternoon: Nothing good happens after 14:00 on a Friday. Ask #release-managers." in said


def test_an_override_lets_through_what_something_blocks(server: CannedServer) -> None:
    server.reply(200, {**ALLOW, "outcome": "override", "blocking": DENY["blocking"]})
    assert run(["check", "api", "--server", server.url]) == 0


@pytest.mark.parametrize("off", [-15 * 60, 15 * 60])
def test_an_answer_of_a_quarter_of_an_hour_ago_or_ahead_is_of_now(off: int) -> None:
    reply = Response(200, json.dumps(ALLOW).encode())
    assert parse_answer(reply, Query("api"), NOON + off).allowed


@pytest.mark.parametrize("off", [-15 * 60 - 1, 15 * 60 + 1, 86_400 * 365])
def test_an_answer_of_another_time_is_none_and_says_both_times(off: int) -> None:
    with pytest.raises(UndecidedError, match=r"is of 2026-11-27T12:00:00Z, but this machine's clock says"):
        parse_answer(Response(200, json.dumps(ALLOW).encode()), Query("api"), NOON + off)


def test_a_preview_must_be_of_the_instant_that_was_asked_for() -> None:
    reply = Response(200, json.dumps(ALLOW).encode())
    assert parse_answer(reply, Query("api", at="2026-11-27T13:00:00+01:00"), 0).allowed
    with pytest.raises(UndecidedError, match="not the time that was asked for"):
        parse_answer(reply, Query("api", at="2026-11-27T13:00:01+01:00"), 0)


@pytest.mark.parametrize(("status", "body"), UNUSABLE + DENIED)
def test_a_reply_that_is_no_answer_exits_3(server: CannedServer, status: int, body: object) -> None:
    server.reply(status, body)
    assert run(["check", "api", "--server", server.url]) == 3


@pytest.mark.parametrize(("status", "body"), [(status, body) for status, body in UNUSABLE if status != 423])
def test_on_error_allow_lets_garbage_and_faults_through_with_a_warning(
    server: CannedServer, capsys: pytest.CaptureFixture[str], status: int, body: object
) -> None:
    server.reply(status, body)
    assert run(["check", "api", "--server", server.url, "--on-error", "allow"]) == 0
    assert "WARNING" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "body"), DENIED)
def test_on_error_allow_lets_nothing_through_that_says_no(
    server: CannedServer, capsys: pytest.CaptureFixture[str], status: int, body: object
) -> None:
    server.reply(status, body)
    assert run(["check", "api", "--server", server.url, "--on-error", "allow"]) == 3
    assert "WARNING" not in capsys.readouterr().err


@pytest.mark.parametrize("on_error", ["allow", "deny"])
@pytest.mark.parametrize("status", REFUSED)
def test_a_refused_or_redirected_request_is_never_an_allow(
    server: CannedServer, status: int, on_error: str
) -> None:
    server.reply(status, ALLOW, {"Location": f"{server.url}/elsewhere"})
    assert run(["check", "api", "--server", server.url, "--on-error", on_error]) == 3
    assert [received.path.split("?")[0] for received in server.received] == ["/can-deploy"]


@pytest.mark.parametrize("body", [b"", b"Locked", ALLOW])
def test_locked_is_never_an_allow_even_if_the_rest_can_not_be_read(
    server: CannedServer, body: object
) -> None:
    server.reply(423, body)
    assert run(["check", "api", "--server", server.url, "--on-error", "allow"]) == 3


def test_a_deny_stays_a_deny_whatever_on_error_says(server: CannedServer) -> None:
    server.reply(423, DENY)
    assert run(["check", "api", "--server", server.url, "--on-error", "allow"]) == 1


@pytest.fixture
def closed_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_is_down_exits_3(closed_port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "api", "--server", closed_port]) == 3
    assert "can't be reached" in capsys.readouterr().err


def test_a_server_that_is_down_is_let_through_only_on_request(
    closed_port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "api", "--server", closed_port, "--on-error", "allow"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "WARNING" in captured.err


@pytest.fixture
def endless_server() -> Iterator[str]:
    """Serve header lines forever, so often that no single read times out."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not stop.wait(0.02):
                    connection.sendall(b"X-More: 1\r\n")

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        thread.join()


def test_a_reply_that_never_ends_is_given_up_at_the_deadline(endless_server: str) -> None:
    with pytest.raises(UndecidedError, match=r"did not answer within 0\.3 s"):
        ServerDecisionSource(endless_server).ask(Query("api"), 0, timeout=0.3)


def test_a_reply_that_is_too_large_is_no_answer(
    server: CannedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(200, {**ALLOW, "message": "x" * 1_100_000})
    assert run(["check", "api", "--server", server.url]) == 3
    assert "larger than any answer" in capsys.readouterr().err


def test_the_question_is_asked_as_given(server: CannedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEZEGATE_URL", server.url + "/")
    monkeypatch.setenv("FREEZEGATE_API_KEY", "fzk_key\n")
    monkeypatch.setenv("FREEZEGATE_OVERRIDE_TOKEN", "fzo_token")
    run(["check", "api", "--environment", "staging", "--change", "hotfix", "--duration", "20m"])
    [received] = server.received
    assert received.method == "GET"
    assert received.path == "/can-deploy?service=api&environment=staging&change=hotfix&duration=20m"
    assert received.headers["authorization"] == "Bearer fzk_key"
    assert "x-override-token" not in received.headers


def test_a_claim_carries_the_token_the_key_and_what_is_told(
    server: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEZEGATE_OVERRIDE_TOKEN", "fzo_token")
    told = ["--ref", "v1.2", "--actor", "ann", "--run-url", "https://ci/1", "--idempotency-key", "run-1"]
    assert run(["check", "api", "--server", server.url, "--claim", *told]) == 0
    [received] = server.received
    assert received.method == "POST"
    assert received.path == "/can-deploy"
    assert received.headers["x-override-token"] == "fzo_token"
    assert received.headers["idempotency-key"] == "run-1"
    assert received.body == {
        "service": "api",
        "environment": "production",
        "change": "normal",
        "ref": "v1.2",
        "actor": "ann",
        "run_url": "https://ci/1",
    }


def test_json_is_the_answer_as_it_came(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.reply(423, DENY)
    assert run(["check", "api", "--server", server.url, "--json"]) == 1
    assert {**json.loads(capsys.readouterr().out), "at": DENY["at"]} == DENY


def test_a_message_can_command_neither_terminal_nor_ci(
    server: CannedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(200, {**ALLOW, "message": "fine\n::set-env name=X::\x1b[2J"})
    run(["check", "api", "--server", server.url])
    assert capsys.readouterr().out == "fine ::set-env name=X:: [2J\n"


@pytest.mark.parametrize("secret", ["two\nlines", "ključ", "a b"])
def test_a_secret_that_fits_no_header_is_refused_and_not_shown(
    server: CannedServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    secret: str,
) -> None:
    monkeypatch.setenv("FREEZEGATE_API_KEY", secret)
    assert run(["check", "api", "--server", server.url]) == 2
    captured = capsys.readouterr()
    assert secret not in captured.out + captured.err
    assert server.received == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["API", "--server", "http://localhost"],
        ["", "--server", "http://localhost"],
        ["api", "--environment", "", "--server", "http://localhost"],
        ["api", "--change", "Hot fix", "--server", "http://localhost"],
        ["api", "--duration", "soon", "--server", "http://localhost"],
        ["api", "--duration", "32d", "--server", "http://localhost"],
        ["api", "--at", "2026-13-27", "--server", "http://localhost"],
        ["api", "--server", "localhost:1400"],
        ["api", "--server", "ftp://localhost"],
        ["api", "--server", "http://localhost:70000"],
        ["api", "--server", "http://[::1"],
        ["api", "--server", "http://localhost/?x"],
        ["api", "--server", "http://gäte.invalid"],
        ["api", "--server", "http://localhost", "--ref", "v1"],
        ["api", "--server", "http://localhost", "--claim", "--at", FRIDAY_NOON],
        ["api", "--server", "http://localhost", "--claim", "--idempotency-key", "a b"],
        ["api", "--server", "http://localhost", "--on-error", "maybe"],
        ["api", "--policies", "no-such-file.yaml"],
    ],
)
def test_wrong_usage_exits_2_before_anybody_is_asked(arguments: list[str]) -> None:
    assert run(["check", *arguments]) == 2


def test_a_policy_file_answers_as_a_server_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    ask = ["check", "api", "--policies", str(path), "--json", "--at"]
    assert run([*ask, FRIDAY_NOON]) == 0
    assert json.loads(capsys.readouterr().out)["closes_at"] == "2026-11-27T13:00:00Z"
    assert run([*ask, FRIDAY_EVENING]) == 1
    assert json.loads(capsys.readouterr().out)["opens_at"] == "2026-11-30T07:00:00Z"
    assert run([*ask, FRIDAY_NOON, "--duration", "2h1m"]) == 1


def test_policies_that_go_wrong_exit_3_with_the_place_and_are_never_let_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES.replace("expect: allow", "expect: deny"))
    assert run(["check", "api", "--policies", str(path), "--on-error", "allow"]) == 3
    assert f"freezegate: {path}:16:5: tests[0]" in capsys.readouterr().err


def test_a_name_that_the_policies_do_not_list_exits_3_and_is_never_let_through(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    ask = ["check", "api", "--policies", str(path), "--environment", "moon"]
    assert run(ask) == 3
    assert run([*ask, "--on-error", "allow"]) == 3


def test_either_a_server_or_a_file_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    assert run(["check", "api", "--policies", str(path), "--server", "http://localhost"]) == 2


def test_a_fault_of_our_own_exits_3(monkeypatch: pytest.MonkeyPatch, server: CannedServer) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(ServerDecisionSource, "ask", broken)
    assert run(["check", "api", "--server", server.url, "--on-error", "allow"]) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    status=st.sampled_from([200, 201, 302, 423, 500]),
    changed=st.dictionaries(st.sampled_from(sorted(ALLOW)), JSON, min_size=1, max_size=4),
)
def test_no_reply_but_a_well_formed_one_is_an_answer(status: int, changed: dict[str, Any]) -> None:
    body = {**ALLOW, **changed}
    try:
        answer = parse_answer(Response(status, json.dumps(body).encode()), Query("api"), NOON)
    except UndecidedError:
        return
    assert status in (200, 423)
    assert answer.allowed == (status == 200)
    assert answer.body["allowed"] is (status == 200)
    assert all(answer.body[field] == ALLOW[field] for field in ("service", "environment", "change"))
