"""Deliveries that were missed are found and dealt with, and runs that have ended wait no longer."""

import logging

import httpx
import pytest
from starlette.testclient import TestClient

from app.core.hold import HoldState
from app.core.instant import DAY, HOUR, MINUTE
from app.integrations.github.client import App
from app.integrations.github.missed import MissedDeliveries, UnansweredError
from app.integrations.github.runs import EndedRuns
from app.integrations.github.section import GitHub
from tests.api.fakes import FakeClock
from tests.integrations.github.conftest import call, holds, surroundings, with_client
from tests.integrations.github.fake import BAD_GATEWAY, Answer, Asked, FakeGitHub, Fault


@pytest.fixture
def missed(gate: TestClient, section: GitHub, clock: FakeClock) -> MissedDeliveries:
    return MissedDeliveries(section, App(section, clock), surroundings(gate))


@pytest.fixture
def ended(gate: TestClient, section: GitHub, clock: FakeClock) -> EndedRuns:
    return EndedRuns(App(section, clock), surroundings(gate))


def lose_all(github: FakeGitHub) -> None:
    github.lose = lambda _event: True


def test_a_delivery_that_was_lost_is_dealt_with_once(
    gate: TestClient, github: FakeGitHub, missed: MissedDeliveries, clock: FakeClock
) -> None:
    lose_all(github)
    runs = [github.request_deploy() for _ in range(3)]
    github.send("star", {"action": "created"})
    assert holds(gate) == []
    clock.at += 10
    with_client(gate, missed.look)
    assert {hold.target["run_id"] for hold in holds(gate)} == {run.id for run in runs}
    asked = len(github.requests)
    clock.at += 10
    with_client(gate, missed.look)
    assert len(holds(gate)) == 3
    assert len(github.requests) == asked + 1, "the list is read, and nothing is fetched again"


def test_a_delivery_without_a_deployment_is_the_same_hold_when_it_is_delivered_again(
    gate: TestClient, github: FakeGitHub, missed: MissedDeliveries
) -> None:
    lose_all(github)
    github.request_deploy(with_deployment=False)
    with_client(gate, missed.look)
    (lost,) = github.deliveries
    github._attempt(lost.event, lost.payload, lost.guid, redelivery=True)
    assert github.deliveries[-1].status_code == 200
    assert len(holds(gate)) == 1


def test_what_was_answered_at_a_later_attempt_is_not_fetched(
    gate: TestClient, github: FakeGitHub, missed: MissedDeliveries
) -> None:
    lose_all(github)
    github.request_deploy()
    (lost,) = github.deliveries
    github._attempt(lost.event, lost.payload, lost.guid, redelivery=True)
    with_client(gate, missed.look)
    assert [path for _, path, _ in github.requests] == ["/app/hook/deliveries"]


def test_all_pages_are_read_as_far_as_the_list_goes(
    gate: TestClient, github: FakeGitHub, missed: MissedDeliveries, clock: FakeClock
) -> None:
    lose_all(github)
    github.request_deploy()
    clock.at += 4 * DAY
    github.request_deploy()
    github.lose = lambda _event: False
    for _ in range(250):
        github.send("ping", {})
    clock.at += DAY
    with_client(gate, missed.look)
    assert len(holds(gate)) == 1, "GitHub keeps the list for three days"
    assert sum(path == "/app/hook/deliveries" for _, path, _ in github.requests) == 3
    clock.at += HOUR
    github.lose = lambda _event: True
    github.request_deploy()
    before = len(github.requests)
    with_client(gate, missed.look)
    assert len(holds(gate)) == 2
    assert len(github.requests) == before + 2, "one page is enough, and what was found on it"


def test_a_pass_that_failed_begins_again(
    gate: TestClient, github: FakeGitHub, missed: MissedDeliveries, clock: FakeClock
) -> None:
    lose_all(github)
    github.request_deploy()
    clock.at += 1
    github.request_deploy()
    for faults in ([BAD_GATEWAY], [Fault(), BAD_GATEWAY], [Fault(), Fault(), BAD_GATEWAY]):
        github.faults.extend(faults)
        with pytest.raises(UnansweredError, match="answered 502"):
            with_client(gate, missed.look)
        clock.at += HOUR
    with_client(gate, missed.look)
    assert len(holds(gate)) == 2


def test_one_replica_looks_at_a_time(
    gate: TestClient, github: FakeGitHub, missed: MissedDeliveries, section: GitHub, clock: FakeClock
) -> None:
    lose_all(github)
    other = MissedDeliveries(section, App(section, clock), surroundings(gate, "other"))
    with_client(gate, missed.look)
    github.request_deploy()
    with_client(gate, other.look)
    assert holds(gate) == []
    call(gate, missed.release)
    with_client(gate, other.look)
    assert len(holds(gate)) == 1


def test_what_can_not_be_used_is_passed(
    gate: TestClient, github: FakeGitHub, missed: MissedDeliveries, caplog: pytest.LogCaptureFixture
) -> None:
    lose_all(github)
    github.send("deployment_protection_rule", {"action": "requested"})
    github.request_deploy()
    gone = github.deliveries[0].id + 3
    github.request_deploy()
    github.fault = lambda _method, path: Fault(404) if path.endswith(f"/{gone}") else None
    with caplog.at_level(logging.INFO, "freezegate.github"):
        with_client(gate, missed.look)
    assert len(holds(gate)) in (1, 2)
    assert "can't be used: the event has not the documented form" in caplog.text


def test_entries_of_another_form_are_passed(
    gate: TestClient, github: FakeGitHub, missed: MissedDeliveries
) -> None:
    lose_all(github)
    github.request_deploy()
    found = next(route for route in github.routes if route[1].pattern == "/app/hook/deliveries")
    github.routes.remove(found)
    method, pattern, permission, handler = found

    def listed(asked: Asked) -> Answer:
        answer = handler(asked)
        return answer._replace(content=[None, {}, {"id": "x"}, *answer.content])

    github.route(method, pattern.pattern, permission, listed)
    with_client(gate, missed.look)
    assert len(holds(gate)) == 1


def test_a_run_that_has_ended_waits_no_longer(
    gate: TestClient, github: FakeGitHub, ended: EndedRuns, clock: FakeClock
) -> None:
    cancelled, waits = github.request_deploy(), github.request_deploy()
    github.cancel(cancelled)
    clock.at += 14 * MINUTE
    with_client(gate, ended.look)
    assert not any("runs" in path for _, path, _ in github.requests), "not so soon"
    clock.at += MINUTE
    with_client(gate, ended.look)
    states = {hold.target["run_id"]: hold.state for hold in holds(gate)}
    assert states == {cancelled.id: HoldState.CANCELLED, waits.id: HoldState.WAITING}
    asked = len(github.requests)
    with_client(gate, ended.look)
    assert len(github.requests) == asked
    clock.at += 15 * MINUTE
    github.faults.append(BAD_GATEWAY)
    with_client(gate, ended.look)
    assert states == {hold.target["run_id"]: hold.state for hold in holds(gate)}


def test_an_app_that_was_removed_ends_no_wait(
    gate: TestClient, github: FakeGitHub, ended: EndedRuns, clock: FakeClock
) -> None:
    run = github.request_deploy()
    for lost in ("/access_tokens", "/runs", f"/{run.id}"):
        clock.at += 15 * MINUTE
        github.fault = lambda _method, path, lost=lost: Fault(404) if lost in path else None  # type: ignore[misc]
        with_client(gate, ended.look)
        clock.at += HOUR  # the token has expired
        states = [hold.state for hold in holds(gate)]
        assert states == [HoldState.CANCELLED if lost == f"/{run.id}" else HoldState.WAITING]


def test_the_hold_of_a_job_that_was_run_again_ends(
    gate: TestClient, github: FakeGitHub, ended: EndedRuns, clock: FakeClock
) -> None:
    for environment in ("production", "Stage", "production", "production"):
        clock.at += 1
        github.request_deploy(run_id=7, environment=environment)
    with_client(gate, ended.look)
    assert [hold.state.value for hold in holds(gate)] == ["cancelled", "waiting", "cancelled", "waiting"]


def test_seven_runs_are_looked_at_in_a_pass_and_each_in_its_turn(
    gate: TestClient, github: FakeGitHub, ended: EndedRuns, clock: FakeClock
) -> None:
    runs = [github.request_deploy() for _ in range(10)]
    clock.at += 15 * MINUTE
    for _ in range(2):
        with_client(gate, ended.look)
        clock.at += 10
    looked = [path for _, path, _ in github.requests if "/runs/" in path]
    assert len(looked) == len(set(looked)) == len(runs)


def test_another_replica_does_not_look_at_runs(
    gate: TestClient, github: FakeGitHub, ended: EndedRuns, section: GitHub, clock: FakeClock
) -> None:
    github.request_deploy()
    github.request_deploy()
    other = EndedRuns(App(section, clock), surroundings(gate, "other"))
    with_client(gate, ended.look)
    clock.at += 14
    with_client(gate, other.look)
    assert github.requests == []
    call(gate, ended.release)


def test_a_connection_that_breaks_is_for_the_loop_to_tell(
    gate: TestClient, github: FakeGitHub, missed: MissedDeliveries
) -> None:
    github.faults.append(Fault(lost=True))
    with pytest.raises(httpx.HTTPError):
        with_client(gate, missed.look)
