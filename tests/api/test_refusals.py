"""Refused requests: failed sign-ins, 401, 403 and 429 are counted, and on record, and can't fill it."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.gate import refusals as module
from app.gate.errors import StoreUnavailableError
from app.gate.keys import KeyRequest
from app.gate.refusals import MOST_EVENTS, MOST_KINDS, OF_ADDRESS, Refusal, Refusals
from app.identity.caller import Role
from app.identity.credentials import new_key
from app.server.context import Context
from tests.api.conftest import bearer, key_for
from tests.api.fakes import FakeClock
from tests.web.pages import Page

KIND = Refusal(401, "invalid credentials", "GET", "/overrides", "203.0.113.7", "")


def refused(gate: TestClient, keys: dict[str, str]) -> list[dict[str, Any]]:
    """The refusals on record, oldest first, after the look of the periodic task."""
    here: Context = gate.app.state.context  # type: ignore[attr-defined]
    assert gate.portal is not None
    gate.portal.call(here.gate.refusals.write)
    found = gate.get("/audit?limit=500", headers=bearer(keys["admin"])).json()["events"]
    return [each for each in reversed(found) if each["kind"] == "request-refused"]


def counted(gate: TestClient) -> dict[str, float]:
    lines = gate.get("/metrics").text.splitlines()
    found = (line.rpartition(" ") for line in lines if line.startswith("freezegate_refused_requests_total{"))
    return {labels: float(number) for labels, _, number in found}


def test_invalid_credentials_are_counted_by_route_and_on_record_once_a_minute(
    gate: TestClient, keys: dict[str, str], clock: FakeClock
) -> None:
    key = new_key()
    for _ in range(5):
        assert gate.get("/overrides", headers=bearer(key)).status_code == 401
    (event,) = refused(gate, keys)
    assert event["data"] == {
        "status": 401,
        "why": "invalid credentials",
        "method": "GET",
        "route": "/overrides",
        "address": "testclient",
        "count": 5,
    }
    clock.at += 60
    assert gate.get("/overrides", headers=bearer(key)).status_code == 401
    assert [each["data"]["count"] for each in refused(gate, keys)] == [5, 1]
    labels = 'freezegate_refused_requests_total{reason="invalid credentials",route="/overrides",status="401"}'
    assert counted(gate) == {labels: 6.0}
    assert key not in gate.get("/metrics").text + str(refused(gate, keys))


def test_a_flood_of_credentials_is_refused_with_429_and_told_as_that(
    gate: TestClient, keys: dict[str, str]
) -> None:
    statuses = [gate.get("/overrides/ovr_x", headers=bearer(new_key())).status_code for _ in range(22)]
    assert statuses == [401] * 20 + [429] * 2
    assert [(each["data"]["status"], each["data"]["why"]) for each in refused(gate, keys)] == [
        (401, "invalid credentials"),
        (429, "too many failed credentials"),
    ]
    assert all("/overrides/{override_id}" in labels for labels in counted(gate))


def test_missing_credentials_insufficient_roles_and_other_refusals_are_told_apart(
    gate: TestClient, keys: dict[str, str]
) -> None:
    assert gate.get("/audit").status_code == 401
    assert gate.get("/audit", headers=bearer(keys["ops"])).status_code == 403
    pipeline = key_for(gate, KeyRequest("pipeline", Role.CI, ("api",)))
    body = {"service": "checkout"}
    assert gate.post("/can-deploy", json=body, headers=bearer(pipeline)).status_code == 403
    assert [(each["actor"], each["data"]["why"]) for each in refused(gate, keys)] == [
        (None, "no credentials"),
        ("ops person", "needs the role admin"),
        ("pipeline", "not allowed to this caller"),
    ]


def test_a_failed_sign_in_on_the_dashboard_is_on_record(gate: TestClient, keys: dict[str, str]) -> None:
    proof = Page(gate.get("/dashboard/sign-in").text).value("proof")
    form = {"proof": proof, "key": new_key()}
    assert gate.post("/dashboard/sign-in", data=form).status_code in (401, 422)
    (event,) = refused(gate, keys)
    assert (event["data"]["route"], event["data"]["why"]) == ("/dashboard/sign-in", "invalid credentials")


class FakeStore:
    """A store that keeps the events of each write, unless it is gone."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.gone = False

    async def write(self, work: Any) -> None:
        if self.gone:
            raise StoreUnavailableError("gone")
        work(self)

    def append(self, event: Any) -> None:
        self.events.append(event)


pytestmark = pytest.mark.anyio


async def test_neither_the_record_nor_the_memory_is_filled_by_many_addresses() -> None:
    store, clock = FakeStore(), FakeClock(1_800_000_000)
    refusals = Refusals(store, clock)  # type: ignore[arg-type]
    for number in range(3 * MOST_KINDS):
        refusals.note(KIND._replace(address=f"198.51.100.{number}"))
        await refusals.write()
    assert len(store.events) == MOST_EVENTS
    assert len(refusals._failed.counts) <= MOST_KINDS + 1
    clock.at += 60
    await refusals.write()
    assert len(store.events) == 2 * MOST_EVENTS
    for _ in range(2 * MOST_KINDS):
        clock.at += 60
        await refusals.write()
    assert not refusals._failed.counts
    assert sum(int(event.data.partition('"count": ')[2].rstrip("}")) for event in store.events) == 3_000
    assert any('"address": "others"' in event.data for event in store.events)


def told(store: FakeStore) -> list[Any]:
    return [json.loads(event.data) for event in store.events]


async def test_kinds_that_keep_coming_hide_no_other_address() -> None:
    store, clock = FakeStore(), FakeClock(1_800_000_000)
    refusals = Refusals(store, clock)  # type: ignore[arg-type]
    for _ in range(3):
        for number in range(40):
            refusals.note(KIND._replace(route=f"/{number}"))
        refusals.note(KIND._replace(address="198.51.100.1"))
        await refusals.write()
        clock.at += module.EVERY
    addresses = [each["address"] for each in told(store)]
    assert addresses.count("198.51.100.1") == 3
    assert addresses.count(KIND.address) == 3 * OF_ADDRESS
    routes = [each["route"] for each in told(store) if each["address"] == KIND.address]
    assert len(set(routes)) == 3 * OF_ADDRESS


async def test_requests_without_credentials_hide_no_failed_ones() -> None:
    store, clock = FakeStore(), FakeClock(1_800_000_000)
    refusals = Refusals(store, clock)  # type: ignore[arg-type]
    for number in range(2 * MOST_KINDS):
        refusals.note(KIND._replace(why="no credentials", address=f"198.51.100.{number}"))
    await refusals.write()
    refusals.note(KIND)
    await refusals.write()
    assert len(store.events) == MOST_EVENTS + 1
    assert (told(store)[-1]["why"], told(store)[-1]["address"]) == (KIND.why, KIND.address)


async def test_one_address_takes_few_of_the_places() -> None:
    refusals = Refusals(FakeStore(), FakeClock(1_800_000_000))  # type: ignore[arg-type]
    for number in range(2 * MOST_KINDS):
        refusals.note(KIND._replace(route=f"/{number}"))
    assert len(refusals._failed.counts) == module.KINDS_OF_ADDRESS + 1
    assert refusals._failed.counts[KIND._replace(method="", route="")].number > MOST_KINDS


def test_a_refusal_waits_for_no_store(gate: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    here: Context = gate.app.state.context  # type: ignore[attr-defined]
    written: list[object] = []
    monkeypatch.setattr(here.gate.refusals, "_append", written.append)
    assert gate.get("/audit").status_code == 401
    assert gate.get("/overrides", headers=bearer(new_key())).status_code == 401
    assert not written


async def test_what_could_not_be_recorded_is_counted_on(caplog: pytest.LogCaptureFixture) -> None:
    store, clock = FakeStore(), FakeClock(1_800_000_000)
    refusals = Refusals(store, clock)  # type: ignore[arg-type]
    await refusals.write()
    store.gone = True
    for _ in range(2):
        refusals.note(KIND)
        await refusals.write()
        clock.at += module.EVERY
    assert len([each for each in caplog.records if "could not be put into" in each.message]) == 1
    store.gone = False
    await refusals.write()
    assert '"count": 2' in store.events[0].data
