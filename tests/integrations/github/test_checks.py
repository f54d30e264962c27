"""The checks on pull requests and merge groups, and what they cost."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.core.instant import HOUR, MINUTE, parse_instant
from app.gate.lease import DURATION
from app.gate.merges import HeadCount
from app.integrations.github import checks as module
from app.integrations.github import conclusions
from app.integrations.github.conclusions import Pass
from tests.api.fakes import FakeClock
from tests.integrations.github.fake import (
    BAD_GATEWAY,
    INSTALLATION,
    LOST_ANSWER,
    FakeGitHub,
    Fault,
    secondary_limit,
)
from tests.integrations.github.merge_gate import FILE, MergeGate, merge_gate

pytestmark = pytest.mark.anyio

OPEN = parse_instant("2026-11-27T13:00:00Z")
FROZEN = parse_instant("2026-11-27T14:00:00Z")
OPEN_AGAIN = parse_instant("2026-11-27T16:00:00Z")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(OPEN)


@pytest.fixture
async def gate(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> AsyncIterator[MergeGate]:
    async with merge_gate(tmp_path, clock, github) as started:
        yield started


async def test_a_pull_request_gets_its_check_at_once(gate: MergeGate) -> None:
    pull = gate.queue.open(1)
    await gate.second()
    assert gate.conclusion(pull) == "SUCCESS"
    assert gate.answers == ["its check follows"]
    gate.clock.at = FROZEN
    other = gate.queue.open(2)
    gate.queue.push(pull)
    await gate.second()
    assert [gate.conclusion(each) for each in (pull, other)] == ["FAILURE", "FAILURE"]
    assert gate.titles(other) == ["Frozen until Fri 27 Nov 16:00 UTC: No merges on Friday"]


async def test_a_freeze_and_its_end_turn_every_check_within_seconds(gate: MergeGate) -> None:
    pulls = [gate.queue.open(number) for number in range(1, 4)]
    await gate.until(FROZEN)
    assert {gate.conclusion(each) for each in pulls} == {"SUCCESS"}
    await gate.seconds(module.FLIP_INTERVAL + 1)
    assert {gate.conclusion(each) for each in pulls} == {"FAILURE"}
    assert gate.gate.merges.heads == {"main": HeadCount(0, 3)}
    await gate.until(OPEN_AGAIN)
    assert {gate.conclusion(each) for each in pulls} == {"FAILURE"}
    await gate.seconds(module.FLIP_INTERVAL + 1)
    assert {gate.conclusion(each) for each in pulls} == {"SUCCESS"}
    assert gate.gate.merges.heads == {"main": HeadCount(3, 0)}


async def test_an_ad_hoc_freeze_and_edited_policies_do_so_too(gate: MergeGate, tmp_path: Path) -> None:
    pull = gate.queue.open(1)
    await gate.second()
    gate.freeze()
    await gate.second()
    assert gate.titles(pull)[-1] == "Frozen: Database down"
    gate.freeze(lifted=True)
    await gate.second()
    assert gate.titles(pull)[-1] == "Open"
    file = tmp_path / "policies.yaml"
    file.write_text(file.read_text().replace("14:00", "12:00"))
    for _ in range(2):
        gate.gate.policies.poll(gate.clock.now())
    await gate.second()
    assert gate.titles(pull)[-1] == "Frozen until Fri 27 Nov 16:00 UTC: No merges on Friday"
    assert gate.queue.written == 4


async def test_nothing_is_sent_while_nothing_changes(gate: MergeGate) -> None:
    for number in range(1, 8):
        gate.queue.open(number)
    await gate.second()
    written = gate.queue.written
    await gate.until(OPEN + 30 * MINUTE)
    assert gate.queue.written == written == 7


async def test_labels_paths_and_kinds_of_change_exempt_and_the_check_follows_them(gate: MergeGate) -> None:
    gate.clock.at = FROZEN
    plain, docs = gate.queue.open(1), gate.queue.open(2, files=[("guide/a.md", "ADDED")])
    moved = gate.queue.open(3, files=[("guide/a.md", "RENAMED")])
    many = gate.queue.open(4, files=[("guide/a.md", "ADDED")] * 101)
    await gate.second()
    pulls = (plain, docs, moved, many)
    assert [gate.conclusion(each) for each in pulls] == ["FAILURE", "SUCCESS", "FAILURE", "FAILURE"]
    for label in ("freeze-exempt", "HotFix"):
        gate.queue.label(plain, label)
        await gate.second()
        assert gate.conclusion(plain) == "SUCCESS"
        gate.queue.unlabel(plain, label)
        await gate.second()
        assert gate.conclusion(plain) == "FAILURE"


async def test_another_base_is_another_question_and_a_branch_without_a_rule_gets_no_check(
    gate: MergeGate,
) -> None:
    gate.clock.at = FROZEN
    pull, other = gate.queue.open(1, base="feature"), gate.queue.open(2, base="release/2026-12")
    await gate.second()
    assert [gate.conclusion(each) for each in (pull, other)] == [None, "SUCCESS"]
    gate.queue.retarget(pull, "main")
    await gate.second()
    assert gate.conclusion(pull) == "FAILURE"


async def test_an_open_branch_does_not_open_a_frozen_one_by_the_same_commit(gate: MergeGate) -> None:
    gate.clock.at = FROZEN
    stopped = gate.queue.open(1)
    other = gate.queue.open(2, base="release/1", head=stopped.head)
    await gate.second()
    assert gate.conclusion(stopped) == "FAILURE"
    gate.queue.page, written = 1, gate.queue.written
    await gate.seconds(130)
    assert gate.conclusion(stopped) == "FAILURE"
    assert gate.queue.written == written
    stopped.state = "CLOSED"
    await gate.seconds(70)
    assert gate.conclusion(other) == "SUCCESS"


async def test_a_lost_delivery_is_healed_by_the_next_sweep(gate: MergeGate) -> None:
    gate.github.lose = lambda _event: True
    pull = gate.queue.open(1)
    await gate.second()
    gate.queue.label(pull, "hotfix")
    await gate.seconds(61)
    assert gate.conclusion(pull) == "SUCCESS"
    assert gate.answers == []


@pytest.mark.parametrize("suite", [False, True])
@pytest.mark.parametrize("fork", [False, True])
async def test_a_check_that_is_asked_for_again_is_concluded_again(
    gate: MergeGate, *, suite: bool, fork: bool
) -> None:
    gate.clock.at = FROZEN
    pull = gate.queue.open(1, fork=fork)
    await gate.second()
    gate.queue.ask_again(pull.head, suite=suite)
    assert gate.conclusion(pull) is None
    await gate.second()
    assert gate.conclusion(pull) == "FAILURE"
    assert len(gate.queue.runs[pull.head]) == 2


async def test_a_re_request_whose_delivery_is_lost_is_seen_by_the_next_sweep(gate: MergeGate) -> None:
    pull = gate.queue.open(1)
    await gate.second()
    gate.github.lose = lambda _event: True
    gate.queue.ask_again(pull.head)
    await gate.seconds(61)
    assert gate.conclusion(pull) == "SUCCESS"


async def test_a_group_gets_its_check_and_is_exempt_if_all_in_it_are(gate: MergeGate) -> None:
    pulls = [gate.queue.open(number) for number in range(1, 4)]
    gate.queue.removes_failed = False
    for each in pulls[:2]:
        gate.queue.label(each, "hotfix")
    await gate.second()
    gate.queue.enqueue(*pulls)
    await gate.second()
    groups = [entry.sha for entry in gate.queue.queue]
    assert [gate.queue.conclusion(sha) for sha in groups] == ["SUCCESS"] * 3
    await gate.until(FROZEN + module.FLIP_INTERVAL)
    await gate.second()
    assert [gate.queue.conclusion(sha) for sha in groups] == ["SUCCESS", "SUCCESS", "FAILURE"]
    gate.queue.unlabel(pulls[0], "hotfix")
    await gate.second()
    assert [gate.queue.conclusion(sha) for sha in groups] == ["FAILURE"] * 3
    gate.queue.ask_again(groups[2])
    await gate.second()
    assert gate.queue.conclusion(groups[2]) == "FAILURE"


async def test_a_group_that_the_queue_does_not_list_is_answered_all_the_same(gate: MergeGate) -> None:
    pull = gate.queue.open(1, labels=["hotfix"])
    await gate.second()
    for at, conclusion, seconds in ((OPEN, "SUCCESS", 1), (FROZEN, "FAILURE", 8)):
        gate.clock.at = at
        gate.queue.enqueue(pull)
        await gate.take()
        (entry,), gate.queue.queue = gate.queue.queue, []
        assert gate.queue.conclusion(entry.sha) is None
        await gate.seconds(seconds)
        assert gate.queue.conclusion(entry.sha) == conclusion
    assert "could not be read" in gate.queue.runs[entry.sha][-1].output["text"]


async def test_a_group_that_is_listed_a_moment_later_is_not_taken_for_unknown(gate: MergeGate) -> None:
    pull = gate.queue.open(1, labels=["hotfix"])
    await gate.second()
    gate.clock.at = FROZEN
    gate.queue.enqueue(pull)
    (entry,), gate.queue.queue = gate.queue.queue, []
    await gate.second()
    gate.queue.queue = [entry]
    await gate.seconds(3)
    assert [run.conclusion for run in gate.queue.runs[entry.sha]] == ["SUCCESS"]


async def test_a_change_while_checks_are_sent_wins(gate: MergeGate) -> None:
    pull = gate.queue.open(1)

    def freeze(operation: str) -> None:
        if operation == "Pull":
            gate.queue.during = lambda _operation: None
            gate.freeze()

    gate.queue.during = freeze
    gate.github.fault = lambda _method, _path: None
    await gate.take()
    await gate.checks.look(gate.http)
    await gate.checks.look(gate.http)
    assert gate.conclusion(pull) == "FAILURE"


@pytest.mark.parametrize(
    "faults",
    [[BAD_GATEWAY] * 3, [LOST_ANSWER] * 3, [Fault(500)], [secondary_limit(5)], [Fault(404), Fault(401)] * 2],
)
async def test_a_failing_github_is_asked_again_until_all_is_right(
    gate: MergeGate, faults: list[Fault]
) -> None:
    pull = gate.queue.open(1)
    await gate.second()
    await gate.until(FROZEN)
    gate.github.faults.extend(faults)
    await gate.seconds(30)
    assert gate.conclusion(pull) == "FAILURE"


async def test_a_secondary_limit_is_kept_by_looks_and_sweeps(gate: MergeGate) -> None:
    await gate.second()
    gate.github.faults.append(secondary_limit(40))
    pull = gate.queue.open(1)
    await gate.second()
    asked = len(gate.github.requests)
    gate.queue.open(2)
    await gate.seconds(38)
    assert len(gate.github.requests) == asked
    await gate.seconds(10)
    assert gate.conclusion(pull) == "SUCCESS"


async def test_a_used_up_budget_is_left_alone_for_a_quarter_of_an_hour(gate: MergeGate) -> None:
    gate.queue.open(1)
    gate.queue.errors = lambda _operation: [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]
    await gate.seconds(3)
    gate.queue.errors = lambda _operation: []
    await gate.until(OPEN + 14 * MINUTE)
    assert [path for _, path, _ in gate.github.requests].count("/graphql") == 2  # a look and a sweep
    gate.clock.at = OPEN + 15 * MINUTE + 3
    await gate.second()
    assert gate.queue.written == 1


async def test_sweeps_leave_a_reserve_for_flips(gate: MergeGate) -> None:
    pull = gate.queue.open(1)
    await gate.second()
    gate.queue.points = 5_000 - conclusions.RESERVE
    await gate.seconds(61)
    points = gate.queue.points
    gate.freeze()
    gate.queue.points = points
    await gate.seconds(5)
    assert gate.queue.points == points  # it waits, and the reserve is for those who don't yet
    assert gate.conclusion(pull) == "SUCCESS"


async def test_a_missing_permission_is_said_and_nothing_is_sent(
    gate: MergeGate, caplog: pytest.LogCaptureFixture
) -> None:
    gate.queue.open(1)
    problem = {"type": "FORBIDDEN", "message": "Resource not accessible by integration"}
    gate.queue.errors = lambda _operation: [problem]
    await gate.seconds(90)
    assert gate.queue.written == 0
    assert "merges of acme/shop wait: Resource not accessible by integration" in caplog.text
    assert "merges of acme/shop wait for the next sweep" in caplog.text


async def test_a_commit_that_is_gone_stops_no_other(gate: MergeGate) -> None:
    gone, pull = gate.queue.open(1), gate.queue.open(2)
    gate.queue.gone.add(gone.head)
    await gate.seconds(2)
    assert gate.conclusion(pull) == "SUCCESS"
    await gate.until(FROZEN)
    gate.queue.push(gone)
    await gate.seconds(60)
    assert [gate.conclusion(each) for each in (gone, pull)] == ["FAILURE", "FAILURE"]


async def test_an_environment_that_is_no_branch_is_told_at_the_start(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(FILE.replace("main: {kind: merge}", "main: {}").replace("  release: {kind: merge}\n", ""))
    async with merge_gate(tmp_path, clock, github) as started:
        pull, other = started.queue.open(1), started.queue.open(2, base="release/1")
        await started.second()
        assert [started.conclusion(each) for each in (pull, other)] == ["SUCCESS", "FAILURE"]
        assert started.titles(other) == ["There is no answer"]
    assert "write `main: {kind: merge}` in the policies" in caplog.text
    assert "no environment release: merges are stopped" in caplog.text


async def test_one_replica_sweeps_and_another_takes_over(
    gate: MergeGate, tmp_path: Path, github: FakeGitHub
) -> None:
    pull = gate.queue.open(1)
    await gate.second()
    async with merge_gate(tmp_path, gate.clock, github, "two", gate.queue) as other:
        await other.until(FROZEN)
        gate.clock.at = FROZEN
        await other.checks.sweep(other.http)
        assert gate.conclusion(pull) == "FAILURE"
        await gate.checks.sweep(gate.http)
        assert (gate.gate.merges.heads, other.gate.merges.heads) == ({}, {"main": HeadCount(0, 1)})
        await other.checks.release()
        await gate.checks.sweep(gate.http)
        assert gate.gate.merges.heads == {"main": HeadCount(0, 1)}
        assert gate.queue.written == 2


async def test_new_repositories_are_found_when_the_app_gets_them_and_every_ten_minutes(
    gate: MergeGate,
) -> None:
    await gate.second()
    gate.queue.repositories.append("acme/api")
    gate.github.lose = lambda event: event == "pull_request"
    pull = gate.queue.open(1, "acme/api")
    await gate.seconds(70)
    assert gate.conclusion(pull) is None
    gate.github.send("installation_repositories", {"action": "added", "repositories_added": []})
    await gate.second()
    assert gate.conclusion(pull) == "SUCCESS"
    gate.queue.repositories.append("acme/web")
    later = gate.queue.open(2, "acme/web")
    await gate.seconds(10 * MINUTE)
    assert gate.conclusion(later) == "SUCCESS"


async def test_sweeps_of_many_repositories_stay_in_their_share_of_the_budget(gate: MergeGate) -> None:
    gate.queue.repositories = [f"acme/service-{number}" for number in range(30)]
    await gate.second()
    points = gate.queue.points
    while gate.clock.at < OPEN + HOUR // 2:
        await gate.second()
        gate.clock.at += 9
    assert 5 * points < gate.queue.points <= points + module.SHARE * module.HOURLY_BUDGET / 2


async def test_a_thousand_pull_requests_are_flipped_for_a_few_points(gate: MergeGate) -> None:
    gate.github.lose = lambda _event: True
    pulls = [gate.queue.open(number) for number in range(1, 1_001)]
    await gate.until(OPEN + 5 * MINUTE)
    assert {gate.conclusion(each) for each in pulls} == {"SUCCESS"}
    asked, points, at = len(gate.github.requests), gate.queue.points, gate.clock.at
    gate.freeze()
    await gate.second()
    assert {gate.conclusion(each) for each in pulls} == {"FAILURE"}
    assert len(gate.github.requests) - asked == 20 + 60  # a page has at most 50: 3 batches each
    assert gate.queue.points - points == 60
    assert gate.clock.at - at <= MINUTE


async def test_a_flip_while_checks_are_sent_is_not_kept_waiting(gate: MergeGate) -> None:
    pulls = [gate.queue.open(number) for number in range(1, 101)]
    gate.arrived.clear()

    def freeze(operation: str) -> None:
        if operation == "Conclude" and gate.queue.written == 40:
            gate.freeze()

    gate.queue.during = freeze
    await gate.second()
    assert gate.queue.written == 40
    await gate.seconds(4)
    assert {gate.conclusion(each) for each in pulls} == {"FAILURE"}


async def test_a_gate_that_is_killed_while_it_sends_goes_on_by_looking(
    gate: MergeGate, tmp_path: Path, github: FakeGitHub
) -> None:
    pulls = [gate.queue.open(number) for number in range(1, 101)]
    gate.arrived.clear()
    await gate.second()
    gate.freeze()

    async def kill() -> None:
        if gate.queue.written == 140:
            raise asyncio.CancelledError

    killed = Pass(gate.http, INSTALLATION, "acme/shop", set(), keep=kill)
    with pytest.raises(asyncio.CancelledError):
        await gate.checks._conclusions.everything(killed, frozenset())
    assert len({gate.conclusion(each) for each in pulls}) == 2
    gate.clock.at += DURATION
    async with merge_gate(tmp_path, gate.clock, github, "two", gate.queue) as other:
        other.freeze()
        await other.second()
        assert {gate.conclusion(each) for each in pulls} == {"FAILURE"}
        assert gate.queue.written <= 240


async def test_a_suite_that_stays_unsettled_does_not_get_its_check_at_each_sweep(gate: MergeGate) -> None:
    gate.queue.open(1)
    gate.queue.unsettled = True
    await gate.seconds(10 * MINUTE)
    assert gate.queue.written == 2
    await gate.seconds(10 * MINUTE)
    assert gate.queue.written == 3


async def test_pages_that_take_too_long_are_read_in_smaller_ones(gate: MergeGate) -> None:
    pulls = [gate.queue.open(number) for number in range(1, 61)]
    gate.arrived.clear()
    slow = gate.queue._pulls

    def pages(variables: Mapping[str, Any]) -> dict[str, Any]:
        if variables["first"] > 20:
            gate.github.faults.append(BAD_GATEWAY)
        return slow(variables)

    gate.queue._pulls = pages  # type: ignore[method-assign]
    await gate.seconds(30)
    assert {gate.conclusion(each) for each in pulls} == {"SUCCESS"}


async def test_a_crowd_of_events_is_one_look_at_the_repository(gate: MergeGate) -> None:
    await gate.second()
    asked = len(gate.github.requests)
    pulls = [gate.queue.open(number) for number in range(1, 41)]
    await gate.take()
    await gate.checks.look(gate.http)
    assert {gate.conclusion(each) for each in pulls} == {"SUCCESS"}
    assert len(gate.github.requests) - asked < 30


async def test_events_of_others_and_malformed_ones_start_nothing(gate: MergeGate) -> None:
    from app.core.errors import MalformedValueError

    gate.github.send("pull_request", {"action": "opened"})
    with pytest.raises(MalformedValueError, match="pull_request: KeyError"):
        await gate.take()
    common = gate.github.common("other/shop")
    for event in ("pull_request", "merge_group", "check_run", "check_suite"):
        gate.github.send(event, {"action": "completed", **common})
    gate.github.send("pull_request", {"action": "opened", "pull_request": {"number": 1}, **common})
    gate.github.send("installation", {"action": "deleted", "installation": {"id": INSTALLATION}})
    await gate.take()
    assert gate.answers[:5] == ["no merge that the gate checks"] * 5
    assert gate.section.looks.take(gate.clock.now()) == []
    assert not gate.section.looks.rediscover


async def test_a_flip_is_seen_although_the_clock_was_set_back(gate: MergeGate) -> None:
    pull = gate.queue.open(1)
    await gate.second()
    gate.clock.at = FROZEN - MINUTE + HOUR
    await gate.seconds(2)
    gate.clock.at = FROZEN
    await gate.seconds(module.FLIP_INTERVAL + 1)
    assert gate.conclusion(pull) == "FAILURE"
    gate.clock.at = OPEN
    await gate.seconds(module.FLIP_INTERVAL + 1)
    assert gate.conclusion(pull) == "SUCCESS"
