"""Ten thousand webhooks that nobody sent, or somebody sent before: all are refused, and none freezes."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio.from_thread
import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from app.core.instant import parse_instant
from app.main import create_app
from app.settings import Settings
from tests.api.conftest import POLICIES
from tests.api.fakes import FakeClock
from tests.integrations.reporters import SOURCES, Event, Sent, sent
from tests.integrations.sections import integrations_file

NOW = parse_instant("2026-11-24T10:00:00Z")
HOW_MANY = 10_000


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    settings = Settings(
        policies=tmp_path / "policies.yaml", integrations=integrations_file(tmp_path, SOURCES)
    )
    with TestClient(create_app(settings, clock=FakeClock(NOW))) as client:
        yield client


def forged(event: Sent, dice: random.Random) -> Sent:
    """With another secret, or with a signature that was changed."""
    name = next(each for each in event.headers if each.lower() in _SIGNATURES)
    value = event.headers[name]
    places = [place for place, letter in enumerate(value) if letter.isalnum() and place > len(value) - 20]
    place = dice.choice(places)
    changed = value[:place] + ("a" if value[place] != "a" else "b") + value[place + 1 :]
    return event._replace(headers={**event.headers, name: dice.choice(["", "v1=", changed, value[:-9]])})


_SIGNATURES = {
    "authorization",
    "x-pagerduty-signature",
    "webhook-signature",
    "x-rootly-signature",
    "x-hub-signature",
}


def truncated(event: Sent, dice: random.Random) -> Sent:
    """Without its end, or with more of it, or with a letter changed."""
    place = dice.randrange(len(event.body))
    flipped = event.body[:place] + bytes([event.body[place] ^ 1]) + event.body[place + 1 :]
    return event._replace(body=dice.choice([event.body[:place], event.body + b" ", flipped]))


def crossed(event: Sent, dice: random.Random) -> Sent:
    """To the route of another system."""
    return event._replace(source=dice.choice([each for each in SOURCES if each != event.source]))


def made(dice: random.Random, number: int, replays: list[Sent]) -> Sent:
    """One webhook that must not freeze anything."""
    if number % 5 == 0:
        return dice.choice(replays)
    source = dice.choice(SOURCES)
    event = Event(source, f"OPS-{number}", True, NOW)
    if number % 5 == 1:
        return sent(event, "whsec_b3RoZXI=")
    if number % 5 == 2:
        return forged(sent(event), dice)
    if number % 5 == 3:
        # A body of Alertmanager isn't signed: cut, it is no JSON; with a letter changed, it is a report.
        event = event._replace(source=dice.choice(SOURCES[1:]))
        return truncated(sent(event), dice)
    return crossed(sent(event), dice)


async def _answer(app: Any, webhook: Sent) -> int:
    """The status of the answer, without the client of the tests, which takes most of the time."""
    headers: Mapping[str, str] = {**webhook.headers, "content-length": str(len(webhook.body))}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": f"/integrations/{webhook.source}",
        "raw_path": f"/integrations/{webhook.source}".encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1),
        "server": ("gate", 80),
        "state": {},
    }
    statuses = []

    async def receive() -> Message:
        return {"type": "http.request", "body": webhook.body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return int(statuses[0])


def test_ten_thousand_forged_replayed_truncated_and_crossed_webhooks_freeze_nothing(
    gate: TestClient,
) -> None:
    dice = random.Random(13)
    clock = gate.app.state.context.clock  # type: ignore[attr-defined]
    replays = []
    for source in SOURCES[1:]:
        for number in range(20):
            told = [sent(Event(source, f"OLD-{number}", firing, NOW)) for firing in (True, False)]
            for webhook in told:
                reply = gate.post(
                    f"/integrations/{source}", content=webhook.body, headers=dict(webhook.headers)
                )
                assert reply.status_code == 200
            replays += told
    clock.at += 700  # Their freezes are over; for a signature with a time, it is too old.
    before = gate.get("/freezes", params={"state": "all", "limit": "500"}).json()
    webhooks = [made(dice, number, replays) for number in range(HOW_MANY)]

    async def deliver() -> Counter[int]:
        found: Counter[int] = Counter()
        for webhook in webhooks:
            found[await _answer(gate.app, webhook)] += 1
        return found

    portal: anyio.from_thread.BlockingPortal = gate.portal  # type: ignore[assignment]
    statuses = portal.call(deliver)
    # 200 is for repetitions of what was dealt with: its sender must not send it for ever.
    assert set(statuses) == {200, 401, 429}, statuses
    assert statuses[200] <= HOW_MANY // 5
    assert gate.get("/freezes", params={"state": "all", "limit": "500"}).json() == before
    assert gate.get("/status").json()["environments"][0]["allowed"] is True
    metrics = gate.get("/metrics").text
    assert 'freezegate_incidents_total{result="repeated",source="pagerduty"}' in metrics
