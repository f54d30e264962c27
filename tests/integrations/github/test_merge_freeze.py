"""A merge queue of 50 pull requests through two freezes, with a GitHub that loses deliveries and fails."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.instant import HOUR, MINUTE, parse_instant
from tests.api.fakes import FakeClock
from tests.integrations.github.fake import BAD_GATEWAY, LOST_ANSWER, FakeGitHub, Fault
from tests.integrations.github.merge_gate import MergeGate, merge_gate
from tests.integrations.github.merge_queue import BUDGET, Entry, Pull

pytestmark = pytest.mark.anyio

NOON = parse_instant("2026-11-27T12:00:00Z")
FREEZES = ((NOON + 2 * HOUR, NOON + 4 * HOUR), (NOON + 6 * HOUR, NOON + 8 * HOUR))
"""Those of the policies."""

EXEMPT = {7: "hotfix", 8: "freeze-exempt", 30: "Hotfix"}
PULLS = 50


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
async def gate(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> AsyncIterator[MergeGate]:
    async with merge_gate(tmp_path, clock, github) as started:
        chance = random.Random(13)

        def fault(_method: str, path: str) -> Fault | None:
            if path == "/graphql" and chance.random() < 0.1:
                return chance.choice((BAD_GATEWAY, LOST_ANSWER))
            return None

        github.fault = fault
        github.lose = lambda _event: chance.random() < 0.05
        github.twice = lambda _event: chance.random() < 0.1
        yield started


def is_exempt(pull: Pull) -> bool:
    return bool({label.lower() for label in pull.labels} & {"hotfix", "freeze-exempt"})


def is_frozen(at: int) -> bool:
    return any(begins <= at < ends for begins, ends in FREEZES)


class Watch:
    """Looks at every head and group each second."""

    def __init__(self, gate: MergeGate) -> None:
        self._gate = gate
        self._since: dict[str, int] = {}
        self._last = 0
        self.longest = 0
        """Seconds for which any one had a wrong conclusion, or none."""

    def second(self) -> None:
        now = self._gate.clock.at
        if now != self._last + 1:
            self._since.clear()  # the clock has jumped
        self._last = now
        wrong = self.wrong()
        self._since = {sha: self._since.get(sha, now) for sha in wrong}
        self.longest = max([self.longest, *(now - since for since in self._since.values())])

    def wrong(self) -> list[str]:
        """The heads whose conclusion is not the right one."""
        queue, frozen = self._gate.queue, is_frozen(self._gate.clock.at)
        wanted = {each.head: not frozen or is_exempt(each) for each in queue.open_pulls()}
        for place, entry in enumerate(queue.queue):
            exempt = all(is_exempt(each.pull) for each in queue.queue[: place + 1])
            wanted[entry.sha] = not frozen or exempt
        words = {True: "SUCCESS", False: "FAILURE"}
        return [sha for sha, passes in wanted.items() if queue.conclusion(sha) != words[passes]]


@pytest.fixture
def watch(gate: MergeGate) -> Watch:
    made = Watch(gate)
    gate.every_second = made.second
    return made


@pytest.mark.parametrize("removes_failed", [False, True])
async def test_every_head_and_group_follows_two_freezes_within_a_minute(
    gate: MergeGate, watch: Watch, *, removes_failed: bool
) -> None:
    queue = gate.queue
    queue.removes_failed = removes_failed
    pulls = [
        queue.open(number, labels=[EXEMPT[number]] if number in EXEMPT else []) for number in range(1, 51)
    ]
    await gate.seconds(MINUTE)
    queue.enqueue(*pulls)
    await gate.seconds(MINUTE)
    for begins, ends in FREEZES:
        await gate.until(begins - 1)
        assert (watch.wrong(), len(queue.queue)) == ([], PULLS)
        await gate.seconds(3 * MINUTE)
        assert watch.wrong() == []
        assert {each.pull.number for each in queue.queue} == set(EXEMPT if removes_failed else range(1, 51))
        await gate.until(ends)
        await gate.seconds(MINUTE)
        assert watch.wrong() == []
        queued = [entry.pull for entry in queue.queue]
        queue.enqueue(*(each for each in pulls if each not in queued))
        await gate.seconds(MINUTE)
    assert watch.longest <= MINUTE
    assert {why for _, why in queue.evicted} == ({"failed checks"} if removes_failed else set())
    assert queue.points < BUDGET
    queue.merges = True
    await gate.second()
    assert (len(queue.merged), queue.queue) == (PULLS, [])


async def test_the_fake_evicts_a_group_that_nobody_answers(gate: MergeGate) -> None:
    pull = gate.queue.open(1)
    gate.queue.queue.append(Entry(pull, "a" * 40, NOON))
    gate.clock.at = NOON + HOUR
    gate.queue.process()
    assert gate.queue.evicted == [(1, "silence")]


async def test_re_requests_work_in_a_freeze_and_after_it(gate: MergeGate, watch: Watch) -> None:
    gate.queue.removes_failed = False
    pulls = [gate.queue.open(number) for number in range(1, 11)]
    await gate.seconds(MINUTE)
    gate.queue.enqueue(*pulls)
    for instant in FREEZES[0]:
        await gate.until(instant + 2 * MINUTE)
        for pull, entry in zip(pulls, gate.queue.queue, strict=True):
            gate.queue.ask_again(pull.head, suite=bool(pull.number % 2))
            gate.queue.ask_again(entry.sha, suite=bool(pull.number % 3))
        assert len(watch.wrong()) == 20
        await gate.seconds(MINUTE)
        assert watch.wrong() == []
    assert watch.longest <= MINUTE
