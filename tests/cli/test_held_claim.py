"""`freezegate wait --claim`: the deploy waits on the server, until a claim releases it."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.cli import run
from app.cli.commands.wait import ProgressPrinter, WaitOptions, _TerminatedError, hold
from app.cli.decision_source import Answer, Query, parse_answer
from app.cli.errors import UndecidedError
from app.cli.held_claim import HeldClaim
from app.cli.server import Request, Response
from app.core.instant import parse_instant
from app.gate.keys import KeyRequest
from app.identity.caller import Role
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer, key_for
from tests.api.fakes import FakeClock
from tests.cli.conftest import CannedServer

START = parse_instant("2026-11-30T06:00:00Z")
OPENS = parse_instant("2026-11-30T07:00:00Z")
URL = "http://gate"
PATIENCE = 1_500
"""Looks at a hold, of a fiftieth of a second."""
QUERY = Query("checkout")
FREEZE = {"title": "Incident", "reason": "It burns.", "ttl": "1h"}


class Gate:
    """A gate in this process, and the client's way to it; the client's clock is the gate's."""

    def __init__(self, client: TestClient, clock: FakeClock) -> None:
        self.client = client
        self.clock = clock
        self.sent: list[str] = []
        self.without_holds = False
        self.on_sleep: Callable[[], None] = lambda: None

    def exchange(self, request: Request, _timeout: float) -> Response:
        path = request.url.removeprefix(URL)
        self.sent.append(f"{request.method} {path.partition('/hld_')[0].partition('/dec_')[0]}")
        if self.without_holds and path.startswith("/holds"):
            return Response(404, b'{"detail": "there is nothing here"}')
        reply = self.client.request(
            request.method, path, headers=dict(request.headers), params=request.params, json=request.body
        )
        return Response(reply.status_code, reply.content)

    def now(self) -> int:
        return self.clock.at

    def sleep(self, seconds: float) -> None:
        self.clock.at += max(1, int(seconds))
        self.on_sleep()

    def ask(self, query: Query, now: int, timeout: float = 1) -> Answer:
        request = Request("GET", f"{URL}/can-deploy", {}, params=query.fields())
        return parse_answer(self.exchange(request, timeout), query, now)

    def holds(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/holds?state=all").json()["holds"]
        return found

    def released(self) -> None:
        """Wait until the gate has released the one that waits: it looks once a second."""
        for _ in range(PATIENCE):
            if self.holds()[0]["state"] == "approved":
                return
            time.sleep(0.02)
        raise AssertionError("nothing was released")


class Claims:
    """Claims at once, as against a server without holds."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def ask(self, query: Query, now: int, timeout: float = 1) -> Answer:
        request = Request("POST", f"{URL}/can-deploy", {}, body=query.fields())
        return parse_answer(self._gate.exchange(request, timeout), query, now)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    clock = FakeClock(START)
    with TestClient(create_app(Settings(policies=tmp_path / "policies.yaml"), clock=clock)) as client:
        yield Gate(client, clock)


def held(gate: Gate, timeout: str | None = None, **claim: str) -> HeldClaim:
    return HeldClaim(URL, claim, gate, Claims(gate), timeout, gate.exchange)


def waited(
    gate: Gate, source: HeldClaim, timeout: int | None = None, query: Query = QUERY
) -> tuple[int, list[str]]:
    lines: list[str] = []
    progress = ProgressPrinter(terminal=False, print_line=lines.append, show_status=lines.append)
    return hold(source, query, WaitOptions(timeout), gate, progress, as_json=True), lines


def test_it_is_released_by_the_gate_and_prints_the_decision_of_the_claim(gate: Gate) -> None:
    gate.on_sleep = lambda: gate.released() if gate.clock.at >= OPENS else None
    status, lines = waited(gate, held(gate, ref="abc", actor="ada", deploy_id="run-1"))
    assert status == 0
    first, last = json.loads(lines[0]), json.loads(lines[-1])
    assert first["outcome"] == "deny"
    [hold] = gate.holds()
    assert last["decision_id"] == hold["decision_id"]
    assert (last["allowed"], last["ref"], last["actor"]) == (True, "abc", "ada")
    assert hold["key"].startswith("run-1:")
    record = gate.client.get("/decisions").json()["decisions"]
    assert [each["decision_id"] for each in record] == [hold["decision_id"]]
    assert (gate.sent.count("POST /holds"), gate.sent.count("POST /can-deploy")) == (1, 0)


def test_several_services_wait_together(gate: Gate) -> None:
    names = ("checkout", "api")
    gate.on_sleep = lambda: gate.released() if gate.clock.at >= OPENS else None
    query = Query("checkout, api", services=names)
    source = HeldClaim(URL, {}, _Either(gate, "checkout"), Claims(gate), None, gate.exchange)
    status, lines = waited(gate, source, query=query)
    assert (status, json.loads(lines[-1])["services"]) == (0, [*names])


class _Either:
    """Answers about one of several services."""

    def __init__(self, gate: Gate, service: str) -> None:
        self._gate, self._service = gate, service

    def ask(self, query: Query, now: int, timeout: float = 1) -> Answer:
        assert not query.services
        return self._gate.ask(query._replace(service=self._service), now, timeout)


def test_at_its_timeout_it_takes_the_hold_back(gate: Gate) -> None:
    status, _ = waited(gate, held(gate, "10m"), timeout=600)
    assert status == 1
    [hold] = gate.holds()
    assert hold["state"] in ("cancelled", "rejected")


def test_one_that_is_released_at_the_last_moment_may_deploy(gate: Gate) -> None:
    source = held(gate)
    assert not source.ask(QUERY, gate.now()).allowed
    gate.clock.at = OPENS
    gate.released()
    last = source.give_up(QUERY, gate.now())
    assert last is not None
    assert last.allowed


def test_a_freeze_since_the_release_lets_it_wait_again(gate: Gate) -> None:
    gate.clock.at = OPENS
    source = held(gate, deploy_id="run-1")
    source.ask(QUERY, gate.now())
    gate.released()
    ops = bearer(key_for(gate.client, KeyRequest("ops", Role.OPS)))
    freeze = gate.client.post("/freezes", json=FREEZE, headers=ops).json()["id"]
    gate.clock.at += 1
    assert not source.ask(QUERY, gate.now()).allowed
    assert not source.ask(QUERY, gate.now()).allowed
    again, first = gate.holds()
    assert (again["state"], first["state"], again["key"]) == ("waiting", "approved", first["key"])
    assert gate.client.delete(f"/freezes/{freeze}", headers=ops).status_code == 200
    gate.released()
    answer = source.ask(QUERY, gate.now())
    assert (answer.allowed, answer.body["decision_id"]) == (True, gate.holds()[0]["decision_id"])


def test_one_that_is_released_before_a_freeze_is_given_up_without_deploying(gate: Gate) -> None:
    gate.clock.at = OPENS
    source = held(gate)
    source.ask(QUERY, gate.now())
    gate.released()
    ops = bearer(key_for(gate.client, KeyRequest("ops", Role.OPS)))
    assert gate.client.post("/freezes", json=FREEZE, headers=ops).status_code == 201
    assert source.give_up(QUERY, gate.now()) is None


def test_what_waits_for_its_turn_in_an_open_environment_is_not_let_through(gate: Gate) -> None:
    source = held(gate)
    source.ask(QUERY, gate.now())
    opened = gate.ask(QUERY, gate.now()).body | {"allowed": True, "outcome": "allow", "blocking": []}
    source._question = _Fixed(Answer(opened))
    answer = source.ask(QUERY, gate.now())
    assert not answer.allowed
    assert answer.body["message"] == "checkout waits for its turn: production is open."


class _Fixed:
    """Gives one answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def ask(self, query: Query, now: int, timeout: float = 1) -> Answer:
        return self._answer


def test_a_hold_that_somebody_cancelled_ends_the_wait(gate: Gate) -> None:
    gate.on_sleep = lambda: _cancel(gate)
    status, lines = waited(gate, held(gate))
    assert status == 3
    assert lines[-1] == "no answer: the deploy waits no longer: it was cancelled"


def _cancel(gate: Gate) -> None:
    gate.client.delete(f"/holds/{gate.holds()[0]['id']}")


def test_an_interrupted_wait_takes_the_hold_back(gate: Gate) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    gate.on_sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        waited(gate, held(gate))
    assert [each["state"] for each in gate.holds()] == ["cancelled"]


def test_a_terminated_wait_takes_the_hold_back_and_dies_by_the_signal(gate: Gate) -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: got.append(number))
    try:
        gate.on_sleep = lambda: os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(_TerminatedError):
            waited(gate, held(gate))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert got == [signal.SIGTERM]
    assert [each["state"] for each in gate.holds()] == ["cancelled"]


def test_an_older_server_is_asked_until_it_opens_and_then_claimed(gate: Gate) -> None:
    gate.without_holds = True
    status, lines = waited(gate, held(gate))
    assert status == 0
    assert json.loads(lines[-1])["decision_id"].startswith("dec_")
    assert gate.sent.count("POST /can-deploy") == 1
    assert gate.sent.count("POST /holds") == 1


def test_a_refusal_ends_the_wait(gate: Gate) -> None:
    status, lines = waited(gate, held(gate), query=Query("checkout", "nowhere"))
    assert status == 3
    assert "422" in lines[-1]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"id": "dec_1"}', b"<html>"])
def test_what_is_no_hold_is_no_answer(gate: Gate, content: bytes) -> None:
    source = held(gate)
    source._exchange = lambda *_: Response(201, content)
    with pytest.raises(UndecidedError):
        source.ask(QUERY, gate.now())


def test_an_approval_of_another_deploy_is_no_answer(gate: Gate) -> None:
    source = held(gate)
    source.ask(QUERY, gate.now())
    gate.clock.at = OPENS
    gate.released()
    with pytest.raises(UndecidedError):
        source.ask(Query("api"), gate.now())


def test_an_approval_that_is_no_longer_fresh_is_no_answer(gate: Gate) -> None:
    source = held(gate)
    source.ask(QUERY, gate.now())
    gate.clock.at = OPENS
    gate.released()
    with pytest.raises(UndecidedError, match="more than 15 minutes apart"):
        source.ask(QUERY, OPENS + 3_600)


def test_a_server_that_is_gone_is_no_reason_to_fail_while_giving_up(gate: Gate) -> None:
    source = held(gate)
    source.ask(QUERY, gate.now())

    def gone(*_: object) -> Response:
        raise UndecidedError("the server did not answer")

    source._exchange = gone
    assert source.give_up(QUERY, gate.now()) is None


def test_options_of_a_claim_need_it(capsys: pytest.CaptureFixture[str], server: CannedServer) -> None:
    assert run(["wait", "api", "--deploy-id", "run-1"]) == 2
    assert "--deploy-id needs --claim" in capsys.readouterr().err
    assert run(["wait", "api", "--claim", "--policies", "."]) == 2
    assert "it excludes --policies" in capsys.readouterr().err
    assert run(["check", "api", "--claim", "--deploy-id", "two words"]) == 2
    del server


def test_the_holds_are_listed_shown_and_cancelled(
    gate: Gate, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.api_client.send", lambda request: gate.exchange(_local(request), 1))
    monkeypatch.setenv("FREEZEGATE_URL", URL)
    assert run(["holds", "list", "--timezone", "UTC"]) == 0
    assert capsys.readouterr().out == "No deploy waits.\n"
    source = held(gate, ref="abc", actor="ada", run_url="https://ci.example.com/1")
    source.ask(QUERY, gate.now())
    [made] = gate.holds()
    assert run(["holds", "list", "--timezone", "UTC"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "STATE", "SERVICE", "ENVIRONMENT", "WHO", "SINCE", "TURN", "EXPIRES"]
    assert row.split()[:5] == [made["id"], "waiting", "checkout", "production", "ada"]
    assert run(["holds", "show", made["id"], "--timezone", "UTC"]) == 0
    shown = capsys.readouterr().out
    assert "checkout to production" in shown
    assert "abc https://ci.example.com/1" in shown
    assert run(["holds", "cancel", made["id"], "--reason", "Superseded", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "cancelled"
    assert run(["holds", "cancel", "hld_0"]) == 3
    assert run(["holds", "list", "--all", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [each["state"] for each in listed] == ["cancelled"]


def _local(request: Request) -> Request:
    return request._replace(url=request.url)
