"""Notices ahead of freezes: at their second, once, over outages, restarts, replicas and changed policies."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from app.core.instant import DAY, HOUR, parse_instant
from app.core.notification import Notification, Occasion
from app.gate.collector import KEPT_FOR
from app.gate.notifications import Notifications
from app.gate.policy_notices import PolicyNotices
from app.policies.load import load
from app.policies.source import Snapshot
from tests.gate.conftest import Gate, reload
from tests.gate.test_notifications import notifying, put, receiver, told, waiting

pytestmark = pytest.mark.anyio

HEAD = "version: 1\ntimezone: Europe/Amsterdam\nenvironments: [production, staging]\npolicies:\n"
FRIDAY = "weekly: {from: fri 14:00, to: mon 08:00}"
START = parse_instant("2026-11-27T13:00:00Z")
SOON = receiver(events=frozenset({Occasion.FREEZE_NOTICE}))


def policy(when: str = FRIDAY, before: str = "[1d, 1h]", more: str = "", own_id: str = "friday") -> str:
    return (
        f"  - {{id: {own_id}, title: No deploys, reason: It is late, notify_before: {before}, "
        f"when: [{{{when}}}]{more}}}\n"
    )


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "policies.yaml"
    file.write_text(HEAD + policy())
    return file


def lookout(gate: Gate, name: str = "one") -> Notifications:
    return notifying(gate, SOON, name=name)


async def at(gate: Gate, notifications: Notifications, *instants: int) -> list[str]:
    """The titles of what is sent at some instants."""
    return [each.title for each in await sent(gate, notifications, instants)]


async def sent(gate: Gate, notifications: Notifications, instants: Sequence[int]) -> list[Notification]:
    got = []
    for instant in instants:
        gate.clock.at = instant
        got += await told(notifications)
    return got


async def test_each_notice_is_sent_at_its_second_and_once(gate: Gate) -> None:
    one = lookout(gate)
    assert await at(gate, one, START - 3 * DAY, START - DAY - 1) == []
    (notice,) = await sent(gate, one, [START - DAY])
    assert notice.title == "Freeze in 1 d: No deploys"
    assert notice.text == (
        "No deploys. Starts Fri 27 Nov 14:00 CET, ends Mon 30 Nov 08:00 CET.",
        "It is late.",
        "It covers everything.",
    )
    assert notice.key == f"freeze-notice:friday:{START}:86400"
    assert (notice.data["id"], notice.data["notify_before"]) == ("friday", "1d")
    assert (notice.data["from"], notice.data["until"]) == ("2026-11-27T13:00:00Z", "2026-11-30T07:00:00Z")
    assert await at(gate, one, START - DAY, START - DAY + 1, START - HOUR - 1) == []
    assert await at(gate, one, START - HOUR + 5, START - HOUR + 6, START - 1, START, START + HOUR) == [
        "Freeze in 1 h: No deploys"
    ]
    assert await at(gate, one, START + 6 * DAY) == ["Freeze in 1 d: No deploys"]


async def test_after_an_outage_the_latest_notice_is_sent_if_the_freeze_has_not_begun(gate: Gate) -> None:
    one = lookout(gate)
    assert await at(gate, one, START - 3 * DAY) == []
    # Down for both: the earlier one would say the same.
    assert await at(gate, one, START - HOUR // 2, START - 60) == ["Freeze in 30 min: No deploys"]
    # Down over a start: that freeze needs no notice any more.
    assert await at(gate, one, START + 7 * DAY + 60) == []


async def test_of_many_missed_notices_those_of_the_last_week_are_sent(gate: Gate, policy_file: Path) -> None:
    put(policy_file, HEAD + policy('daily: {from: "14:00", to: "15:00"}', "[30d]"))
    reload(gate.policies, gate.clock.at)
    one = lookout(gate)
    assert await at(gate, one, START - 20 * DAY) == []
    assert await at(gate, one, START - 10 * DAY - HOUR) == [
        f"Freeze in {days} d 1 h: No deploys" for days in range(23, 30)
    ]


async def test_a_notice_of_long_ago_is_sent_for_the_next_freeze(gate: Gate, policy_file: Path) -> None:
    put(policy_file, HEAD + policy("dates: {from: 2026-11-27 14:00, to: 2026-11-30}", "[30d]"))
    reload(gate.policies, gate.clock.at)
    one = lookout(gate)
    assert await at(gate, one, START - 40 * DAY) == []
    assert await at(gate, one, START - 20 * DAY) == ["Freeze in 20 d: No deploys"]


async def test_neither_a_restart_nor_another_replica_repeats_a_notice(gate: Gate, other: Gate) -> None:
    one = lookout(gate)
    assert await at(gate, one, START - 3 * DAY) == []
    assert len(await at(gate, one, START - DAY)) == 1
    await one.release()
    assert await at(gate, lookout(gate, "restarted"), START - DAY + 60) == []
    gate.clock.at = START - DAY + 120
    second = lookout(other, "other")
    assert await told(second) == []


async def test_a_notice_of_weeks_ago_is_not_repeated_when_its_message_is_old(
    gate: Gate, policy_file: Path
) -> None:
    put(policy_file, HEAD + policy("dates: {from: 2026-11-27 14:00, to: 2026-11-30}", "[30d, 1d]"))
    reload(gate.policies, gate.clock.at)
    one = lookout(gate)
    assert await at(gate, one, START - 31 * DAY) == []
    assert len(await at(gate, one, START - 30 * DAY)) == 1
    for days in range(29, 12, -1):
        assert await at(gate, one, START - days * DAY) == []
    assert 17 * DAY > 2 * KEPT_FOR
    assert await at(gate, lookout(gate, "restarted"), START - 11 * DAY, START - 10 * DAY) == []


async def test_a_changed_policy_announces_its_next_freeze_even_if_it_is_near(
    gate: Gate, policy_file: Path
) -> None:
    one = lookout(gate)
    assert await at(gate, one, START - 3 * DAY) == []
    put(policy_file, HEAD + policy("weekly: {from: thu 14:00, to: mon 08:00}", "[7d]"))
    reload(gate.policies, gate.clock.at)
    assert await at(gate, one, START - 2 * DAY - 60) == ["Freeze in 1 d 1 min: No deploys"]
    put(policy_file, HEAD + policy("weekly: {from: thu 15:00, to: mon 08:00}", "[7d]"))
    reload(gate.policies, gate.clock.at)
    assert await at(gate, one, START - 2 * DAY - 30) == ["Freeze in 1 d 1 h 1 min: No deploys"]
    put(policy_file, HEAD + policy("weekly: {from: thu 15:00, to: mon 09:00}", "[7d]"))
    reload(gate.policies, gate.clock.at)
    assert await at(gate, one, START - 2 * DAY) == []


async def test_windows_that_abut_are_one_freeze(gate: Gate, policy_file: Path) -> None:
    weekend = policy(FRIDAY).replace("}]}", "}, {dates: {from: 2026-11-30, to: 2026-12-02}}]}")
    put(policy_file, HEAD + weekend)
    reload(gate.policies, gate.clock.at)
    one = lookout(gate)
    got = await sent(gate, one, range(START - 2 * DAY, START + 6 * DAY - HOUR, HOUR))
    assert [each.title for each in got] == ["Freeze in 1 d: No deploys", "Freeze in 1 h: No deploys"]
    assert "ends Thu 3 Dec 00:00 CET" in got[0].text[0]


async def test_an_allow_only_policy_announces_the_stretch_in_which_it_vetoes(
    gate: Gate, policy_file: Path
) -> None:
    hours = 'daily: {days: [mon-fri], from: "09:00", to: "14:00"}'
    put(policy_file, HEAD + policy(hours, "[2h]", ", effect: allow-only"))
    reload(gate.policies, gate.clock.at)
    (notice,) = await sent(gate, lookout(gate), [START - DAY // 2, START - 2 * HOUR, START])
    assert notice.text[0] == "No deploys. Starts Fri 27 Nov 14:00 CET, ends Mon 30 Nov 09:00 CET."


async def test_a_warning_is_announced_as_one_and_only_for_its_environments(
    gate: Gate, policy_file: Path
) -> None:
    scoped = ", effect: warn, applies_to: {environments: [staging]}, contact: '#ops'"
    put(policy_file, HEAD + policy(more=scoped))
    reload(gate.policies, gate.clock.at)
    both = notifying(gate, SOON, SOON._replace(name="live", environments=frozenset({"production"})))
    gate.clock.at = START - 2 * DAY
    assert await told(both) == []
    gate.clock.at = START - DAY
    (notice,) = await told(both)
    assert notice.title == "Deploys get a warning in 1 d: No deploys"
    assert notice.environments == ("staging",)
    assert notice.text[2:] == ("It covers everything in staging.", "Ask #ops.")
    assert await waiting(both, "live") == []


async def test_services_in_several_zones_have_a_notice_for_each_start(gate: Gate, policy_file: Path) -> None:
    head = HEAD.replace(
        "policies:", "services: {a: {timezone: Europe/Paris}, b: {timezone: America/New_York}}\npolicies:"
    )
    put(policy_file, head + policy(before="[1h]", more=", timezone: service"))
    reload(gate.policies, gate.clock.at)
    one = lookout(gate)
    got = await sent(gate, one, range(START - DAY, START + DAY, HOUR))
    assert [each.data["zones"] for each in got] == [
        ["Europe/Amsterdam", "Europe/Paris"],
        ["America/New_York"],
    ]
    assert got[0].text[0].endswith("For services in Europe/Amsterdam, Europe/Paris.")
    assert "Starts Fri 27 Nov 14:00 EST" in got[1].text[0]


def test_between_notices_a_scan_looks_at_no_policy() -> None:
    engine = load(Snapshot.of(HEAD + policy())).engine
    notices = PolicyNotices(engine)
    since = START - DAY - HOUR
    assert notices.due(since, since + 1, since + 1, changed=False) == []
    engine.compiled.budget.charge = None  # type: ignore[method-assign, assignment]
    for line in engine.timelines("friday"):
        line._blocks.clear()
    assert notices.due(since, since + HOUR - 2, since + HOUR - 2, changed=False) == []
    with pytest.raises(TypeError):
        notices.due(since, START - DAY, START - DAY, changed=False)


def test_a_policy_that_always_holds_announces_nothing() -> None:
    notices = PolicyNotices(load(Snapshot.of(HEAD + policy("always: true"))).engine)
    assert notices.due(START - DAY, START, START, changed=True) == []
