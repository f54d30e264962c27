"""Builds whose block step is unblocked when deploys open, at a Buildkite that repeats and loses."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from app.core.hold import AnswerKind, Hold, HoldAnswer, HoldState
from app.core.instant import DAY, parse_instant
from app.gate.errors import StateConflictError
from app.integrations.buildkite.message import BlockSteps
from app.integrations.buildkite.section import Buildkite
from app.integrations.buildkite.vendor import VENDOR
from app.integrations.section import resolve_secrets
from tests.api.fakes import FakeClock
from tests.integrations.buildkite.fake import SECRET, TOKEN, Build, FakeBuildkite, signed
from tests.integrations.gates import gate_with, holds_of, recorded
from tests.integrations.platform import Answer

FROZEN = parse_instant("2026-11-27T13:05:00Z")
PATH = "/integrations/buildkite"


def section(url: str) -> dict[str, Any]:
    return {
        "organization": "acme",
        "secret_file": "secrets",
        "token": TOKEN,
        "api": url,
        "deployments": [
            {"pipeline": "strange", "service": "{pipeline}", "environment": "nowhere"},
            {"branch": "main", "service": "{pipeline}", "environment": "production"},
        ],
    }


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(FROZEN)


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def buildkite() -> Iterator[FakeBuildkite]:
    with FakeBuildkite() as fake:
        yield fake


@pytest.fixture
def gate(tmp_path: Path, clock: FakeClock, log: io.BytesIO, buildkite: FakeBuildkite) -> Iterator[TestClient]:
    (tmp_path / "secrets").write_text(f"a-newer-token-of-it\n{SECRET}\n")
    with gate_with(tmp_path, clock, {"buildkite": section(buildkite.url)}, log) as client:
        yield client


def post(gate: TestClient, told: dict[str, Any] | bytes, now: int = FROZEN, secret: str = SECRET) -> Any:
    body, headers = signed(told, now, secret)
    return gate.post(PATH, content=body, headers=headers)


def test_a_blocked_build_is_held_once_however_often_it_is_told(
    gate: TestClient, buildkite: FakeBuildkite, log: io.BytesIO
) -> None:
    build = buildkite.build()
    for _ in range(100):
        assert post(gate, build.event()).status_code == 200
    (hold,) = holds_of(gate)
    assert (hold.responder, hold.key, hold.question.service) == ("buildkite", "checkout/1", "checkout")
    assert (hold.actor, hold.ref) == ("Ada", "a65572555600c07c7ee79a2bd909220e1ca5485b")
    assert hold.run_url == "https://buildkite.com/acme/checkout/builds/1"
    assert hold.expires_at == FROZEN + 14 * DAY
    seen = str(hold) + log.getvalue().decode()
    assert not any(secret in seen for secret in (SECRET, TOKEN))
    assert recorded(gate) == []
    assert buildkite.calls == []


def test_events_that_block_nothing_change_nothing(gate: TestClient, buildkite: FakeBuildkite) -> None:
    build = buildkite.build()
    for told in (
        {"event": "ping", "service": {"id": "x"}},
        build.event("build.running"),
        build.event(blocked=False),
        build.event("job.finished", job={"step_key": "freezegate"}),
        build.event() | {"build": None},
        build.event() | {"pipeline": {"slug": "../../x"}},
        build.event() | {"build": {"number": "1", "blocked": True}},
        build.event() | {"build": {"number": True, "blocked": True}},
        build.event() | {"build": {"number": -1, "blocked": True}},
        buildkite.build(branch="feature").event(),
    ):
        assert (post(gate, told).status_code, post(gate, told).text) == (200, "")
    assert holds_of(gate) == []


def test_a_build_that_can_not_be_held_says_why(gate: TestClient, buildkite: FakeBuildkite) -> None:
    reply = post(gate, buildkite.build(pipeline="strange").event())
    assert reply.status_code == 200
    assert reply.text.startswith("not held: unknown environment")
    assert holds_of(gate) == []


def test_a_build_that_somebody_else_unblocks_or_ends_is_left_alone(
    gate: TestClient, buildkite: FakeBuildkite
) -> None:
    build = buildkite.build()
    post(gate, build.event())
    post(gate, build.event("job.activated", job={"step_key": "approve"}))
    assert holds_of(gate)[0].state is HoldState.WAITING
    for _ in range(2):
        post(gate, build.event("job.activated", job={"step_key": "freezegate"}))
    assert holds_of(gate)[0].state is HoldState.CANCELLED
    ended = buildkite.build()
    post(gate, ended.event())
    post(gate, ended.event(blocked=False))
    assert {hold.state for hold in holds_of(gate)} == {HoldState.CANCELLED}


def test_a_build_that_is_released_meanwhile_is_no_error(
    gate: TestClient, buildkite: FakeBuildkite, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = buildkite.build()
    post(gate, build.event())

    async def released(*_: object) -> Hold:
        raise StateConflictError("this hold is finished")

    monkeypatch.setattr(gate.app.state.context.holds, "cancel", released)  # type: ignore[attr-defined]
    assert post(gate, build.event(blocked=False)).status_code == 200


def test_what_is_not_signed_is_refused(gate: TestClient, buildkite: FakeBuildkite) -> None:
    body, good = signed(buildkite.build().event(), FROZEN)
    name = "X-Buildkite-Signature"
    wrong = [
        {},
        {name: ""},
        {name: good[name][:-1]},
        {name: good[name].replace("signature=", "signature=00")[:-2]},
        {name: good[name].replace(str(FROZEN), str(FROZEN + 1))},
        {name: good[name].partition(",")[2]},
        {name: f"{good[name]}\u00e9".encode("latin-1").decode("latin-1")},
        signed(body, FROZEN - 301)[1],
        signed(body, FROZEN + 301)[1],
        signed(body, FROZEN, "another")[1],
        {"X-Buildkite-Token": SECRET},
        {"Authorization": f"Bearer {SECRET}"},
    ]
    context = gate.app.state.context  # type: ignore[attr-defined]
    for headers in wrong:
        context.failures._counts.clear()
        encoded = {key: value.encode("latin-1") for key, value in headers.items()}
        assert gate.post(PATH, content=body, headers=encoded).status_code == 401  # type: ignore[arg-type]
    context.failures._counts.clear()
    assert gate.post(PATH, content=body[:-1], headers=good).status_code == 401
    twice = [(name, good[name]), (name, good[name])]
    assert gate.post(PATH, content=body, headers=twice).status_code == 401
    assert holds_of(gate) == []


def test_any_of_the_tokens_is_accepted(gate: TestClient, buildkite: FakeBuildkite) -> None:
    assert post(gate, buildkite.build().event(), secret="a-newer-token-of-it").status_code == 200  # noqa: S106
    assert len(holds_of(gate)) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_signed_body_that_is_no_event_is_refused(gate: TestClient, content: bytes) -> None:
    assert post(gate, content).status_code == 422


def held(gate: TestClient, build: Build) -> Hold:
    post(gate, build.event())
    return next(hold for hold in holds_of(gate) if hold.target["number"] == build.number)


def responder(buildkite: FakeBuildkite, **changes: Any) -> BlockSteps:
    given = section(buildkite.url) | {"secret_file": None, "secret": "x"} | changes
    made = Buildkite.model_validate(given)
    resolve_secrets(made, Path(), {})
    return BlockSteps(made)


def answer_to(hold: Hold, kind: AnswerKind = AnswerKind.APPROVED) -> HoldAnswer:
    return HoldAnswer(hold, kind, "x", None)


@pytest.mark.anyio
async def test_an_approved_build_is_unblocked_at_its_own_step(
    gate: TestClient, buildkite: FakeBuildkite
) -> None:
    build = buildkite.build()
    hold = held(gate, build)
    async with httpx.AsyncClient() as client:
        assert (await responder(buildkite).send(client, answer_to(hold), None)).outcome == "taken"
    assert buildkite.unblocked == [1]
    assert build.jobs()[1]["state"] == "blocked"
    assert buildkite.calls[-1].json == {}


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [AnswerKind.PROGRESS, AnswerKind.REJECTED])
async def test_nothing_is_sent_about_a_build_that_stays_blocked(
    gate: TestClient, buildkite: FakeBuildkite, kind: AnswerKind
) -> None:
    hold = held(gate, buildkite.build())
    async with httpx.AsyncClient() as client:
        assert (await responder(buildkite).send(client, answer_to(hold, kind), None)).outcome == "taken"
    assert buildkite.calls == []


@pytest.mark.anyio
async def test_a_step_whose_reply_was_lost_is_unblocked_once(
    gate: TestClient, buildkite: FakeBuildkite
) -> None:
    hold = held(gate, buildkite.build())
    answer = answer_to(hold)
    async with httpx.AsyncClient() as client:
        buildkite.faults.append(Answer(500, lost=True))
        with pytest.raises(httpx.HTTPError):
            await responder(buildkite).send(client, answer, None)
        for _ in range(3):
            assert (await responder(buildkite).send(client, answer, None)).outcome == "taken"
    assert buildkite.unblocked == [1]


@pytest.mark.anyio
async def test_a_step_that_is_not_blocked_yet_is_waited_for(
    gate: TestClient, buildkite: FakeBuildkite
) -> None:
    build = buildkite.build()
    hold = held(gate, build)
    build.state = "waiting"
    async with httpx.AsyncClient() as client:
        assert (await responder(buildkite).send(client, answer_to(hold), None)).outcome == "later"
        build.state = "blocked"
        assert (await responder(buildkite).send(client, answer_to(hold), None)).outcome == "taken"
        other = responder(buildkite, step="nothing")
        assert (await other.send(client, answer_to(hold), None)).outcome == "later"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("faults", "outcome", "asked"),
    [
        ([Answer(500)], "later", 0),
        ([Answer(429, headers={"Retry-After": "60"})], "later", 60),
        ([Answer(401)], "later", 0),
        ([Answer(404)], "refused", 0),
        (
            [Answer(200, {"items": [{"step_key": "freezegate", "state": "blocked", "id": "../x"}]})],
            "later",
            0,
        ),
        ([Answer(200, {"items": [1, {}]})], "later", 0),
        ([Answer(200, {"items": 1})], "later", 0),
        ([Answer(200, [])], "later", 0),
        ([Answer(302, headers={"Location": "https://evil.example/"})], "later", 0),
    ],
)
async def test_a_step_is_tried_again_as_long_as_that_is_of_use(
    gate: TestClient, buildkite: FakeBuildkite, faults: list[Answer], outcome: str, asked: int
) -> None:
    hold = held(gate, buildkite.build())
    buildkite.faults += faults
    async with httpx.AsyncClient() as client:
        result = await responder(buildkite).send(client, answer_to(hold), None)
    assert (result.outcome, result.retry_after) == (outcome, asked)
    assert TOKEN not in result.why
    assert buildkite.unblocked == []


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "outcome"), [(400, "later"), (422, "refused"), (503, "later")])
async def test_an_unblocking_that_fails_is_judged_by_its_status(
    gate: TestClient, buildkite: FakeBuildkite, status: int, outcome: str
) -> None:
    build = buildkite.build()
    hold = held(gate, build)
    listed = {"items": build.jobs(), "links": {}}
    buildkite.faults += [Answer(200, listed), Answer(status)]
    async with httpx.AsyncClient() as client:
        assert (await responder(buildkite).send(client, answer_to(hold), None)).outcome == outcome


def test_the_table_entry_needs_no_report() -> None:
    assert VENDOR.responder is not None
    made = Buildkite.model_validate({"organization": "acme"})
    assert VENDOR.responder(made, None).reporting.most == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [{"organization": "../x"}, {"organization": ""}, {"api": "http://x.example"}, {"longest_wait": "36d"}],
)
def test_mistakes_are_errors_of_the_file(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Buildkite.model_validate({"organization": "acme"} | wrong)
