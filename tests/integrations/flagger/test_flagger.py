"""Canaries that wait for the gate, with a Flagger that repeats itself."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.instant import HOUR, MINUTE, parse_instant
from tests.api.fakes import FakeClock
from tests.integrations.flagger.fake import Canary
from tests.integrations.gates import gate_with, recorded

FROZEN = parse_instant("2026-11-27T13:05:00Z")
OPEN = parse_instant("2026-11-30T07:00:00Z")
SECTION = {
    "secret_file": "token",
    "deployments": [
        {"namespace": "prod*", "service": "{canary}", "environment": "production"},
        {"namespace": "stage", "canary": "web-*", "service": "stage/{canary}", "environment": "staging"},
    ],
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(FROZEN)


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def gate(tmp_path: Path, clock: FakeClock, log: io.BytesIO) -> Iterator[TestClient]:
    (tmp_path / "token").write_text("a-newer-token-of-flagger\nthe-token-of-flagger\n")
    with gate_with(tmp_path, clock, {"flagger": SECTION}, log) as client:
        yield client


class Link:
    """The way from Flagger to the gate, which loses what a test says."""

    def __init__(self, gate: TestClient) -> None:
        self._gate = gate
        self.lost_answers = 0

    def __call__(self, payload: dict[str, Any]) -> tuple[int, str]:
        reply = self._gate.post("/integrations/flagger", json=payload)
        if self.lost_answers:
            self.lost_answers -= 1
            raise TimeoutError
        return reply.status_code, reply.text


def test_a_canary_waits_until_deploys_open_and_is_one_deploy(gate: TestClient, clock: FakeClock) -> None:
    canary, link = Canary("checkout"), Link(gate)
    for _ in range(100):
        canary.reconcile(link)
    assert canary.phase == "Waiting"
    assert recorded(gate) == []
    clock.at = OPEN
    for _ in range(100):
        canary.reconcile(link)
    assert canary.phase == "Succeeded"
    (decision,) = recorded(gate)
    assert (decision["service"], decision["outcome"], decision["caller"]) == ("checkout", "allow", "flagger")


def test_the_answer_is_one_sentence_and_says_no_time_to_wait(gate: TestClient) -> None:
    reply = gate.post("/integrations/flagger", json=Canary("checkout").payload())
    assert reply.status_code == 423
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.text == (
        "checkout may not be deployed to production: No deploys after Friday 14:00. "
        "Opens Mon 30 Nov 08:00 CET, in 2 d 17 h 55 min.\n"
    )
    # A client that retries would wait for as long as that header says.
    assert "retry-after" not in reply.headers


def test_a_version_that_asks_at_each_step_is_one_deploy_and_stops_in_a_freeze(
    gate: TestClient, clock: FakeClock
) -> None:
    clock.at = FROZEN - 7 * MINUTE
    canary, link = Canary("checkout", asks_at_each_step=True), Link(gate)
    for _ in range(3):
        canary.reconcile(link)
    assert (canary.phase, canary.weight) == ("Progressing", 20)
    clock.at = FROZEN
    canary.reconcile(link)
    assert (canary.phase, canary.weight) == ("Waiting", 20)
    clock.at = OPEN
    for _ in range(20):
        canary.reconcile(link)
    assert canary.phase == "Succeeded"
    assert len(recorded(gate)) == 1


def test_answers_that_are_lost_make_no_second_deploy(gate: TestClient, clock: FakeClock) -> None:
    clock.at = OPEN
    canary, link = Canary("checkout", retries=2), Link(gate)
    link.lost_answers = 8
    for _ in range(20):
        canary.reconcile(link)
    assert canary.phase == "Succeeded"
    assert len(recorded(gate)) == 1


def test_each_revision_of_each_canary_is_a_deploy(gate: TestClient, clock: FakeClock) -> None:
    clock.at = OPEN
    link = Link(gate)
    canary, other = Canary("checkout"), Canary("search", namespace="prod-eu")
    for each in (canary, other):
        each.reconcile(link)
    canary.new_revision("7d5a9a7c0e")
    canary.reconcile(link)
    assert sorted((each["service"], each["ref"]) for each in recorded(gate)) == [
        ("checkout", "6c4f8f6b9d"),
        ("checkout", "7d5a9a7c0e"),
        ("search", "6c4f8f6b9d"),
    ]


def test_the_rules_say_service_and_environment(gate: TestClient) -> None:
    canary, link = Canary("Web-Shop", namespace="stage"), Link(gate)
    canary.reconcile(link)
    assert canary.phase == "Progressing"
    (decision,) = recorded(gate)
    assert (decision["service"], decision["environment"]) == ("stage/web-shop", "staging")


def test_a_canary_that_no_rule_matches_waits(gate: TestClient, clock: FakeClock) -> None:
    clock.at = OPEN
    canary = Canary("checkout", namespace="unknown")
    canary.reconcile(Link(gate))
    assert canary.phase == "Waiting"
    assert "add one" in canary.answers[0][1]
    assert recorded(gate) == []


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "wrong",
        "the-token-of-flagge",
        "the-token-of-flagger ",
        "a-newer-token-of-flagger\nthe-token-of-flagger",
    ],
)
def test_a_wrong_token_is_refused_whatever_else_is_asked(
    gate: TestClient, clock: FakeClock, token: str | None
) -> None:
    clock.at = OPEN
    canary = Canary("checkout", token=token)
    canary.reconcile(Link(gate))
    assert [status for status, _ in canary.answers] == [401]
    assert recorded(gate) == []


@pytest.mark.parametrize("token", ["the-token-of-flagger", "a-newer-token-of-flagger"])
def test_any_of_the_tokens_is_accepted_and_none_is_shown(
    gate: TestClient, clock: FakeClock, log: io.BytesIO, token: str
) -> None:
    clock.at = OPEN
    canary = Canary("checkout", token=token)
    canary.reconcile(Link(gate))
    assert canary.phase == "Progressing"
    shown = log.getvalue().decode() + "".join(body for _, body in canary.answers)
    shown += gate.get("/decisions").text
    assert token not in shown


BROKEN = (
    *(b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe"),
    *(b'{"metadata": 1}', b'{"metadata": {"token": 1}}', b'{"metadata": {"token": "\\ud800"}}'),
)


def test_a_broken_body_is_refused_like_one_without_a_token(gate: TestClient) -> None:
    for content in BROKEN:
        assert gate.post("/integrations/flagger", content=content).status_code == 401


def test_a_malformed_field_is_named(gate: TestClient) -> None:
    for field in ("name", "namespace", "checksum"):
        for value in (None, 1, "", "x" * 254, ["a"]):
            payload = Canary("checkout").payload() | {field: value}
            reply = gate.post("/integrations/flagger", json=payload)
            assert reply.status_code == 422
            assert [each["field"] for each in reply.json()["errors"]] == [field]


def test_a_name_that_is_no_service_waits(gate: TestClient, clock: FakeClock) -> None:
    clock.at = OPEN
    reply = gate.post("/integrations/flagger", json=Canary("no service!").payload())
    assert reply.status_code == 422
    assert "a name is" in reply.json()["detail"]


def test_a_checksum_that_can_be_no_record_is_no_error_of_the_gate(gate: TestClient, clock: FakeClock) -> None:
    clock.at = OPEN
    reply = gate.post("/integrations/flagger", json=Canary("checkout", checksum="a\x00b").payload())
    assert reply.status_code == 422


def test_a_freeze_between_question_and_claim_waits(
    gate: TestClient, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.at = FROZEN - HOUR
    canary = Canary("checkout")
    canary.reconcile(Link(gate))
    claims = gate.app.state.context.claims  # type: ignore[attr-defined]
    claim = claims.claim

    async def later(*args: Any) -> Any:
        clock.at = FROZEN
        return await claim(*args)

    monkeypatch.setattr(claims, "claim", later)
    reply = gate.post("/integrations/flagger", json=canary.payload())
    assert reply.status_code == 423
    # A first claim that is denied is a denial, too.
    clock.at = FROZEN - HOUR
    assert gate.post("/integrations/flagger", json=Canary("search").payload()).status_code == 423


def test_without_a_section_there_is_no_route(tmp_path: Path, clock: FakeClock) -> None:
    with gate_with(tmp_path, clock, {}) as client:
        reply = client.post("/integrations/flagger", json=Canary("checkout").payload())
    assert reply.status_code == 404
