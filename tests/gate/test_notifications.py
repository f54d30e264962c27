import itertools
import json
import random
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr

from app.core.decision import Question
from app.core.instant import DAY, HOUR, parse_instant
from app.core.notification import Notification, Occasion
from app.core.policy import Selector
from app.gate.claim import Claim
from app.gate.collector import KEPT_FOR
from app.gate.errors import StoreUnavailableError
from app.gate.freezes import Change, StartRequest
from app.gate.lease import DURATION
from app.gate.notifications import Notifications
from app.gate.outbox import GIVEN_UP_AFTER, MOST_PASSED, PASSED_AFTER, DeliveryResult, pause
from app.gate.overrides import GrantRequest
from app.identity.caller import Caller, Role
from app.identity.credentials import digest
from app.integrations.receivers import Receiver
from app.integrations.vendors import notifiers
from app.store.records import Lease
from app.store.transaction import Transaction
from tests.api.fakes import FakeClock
from tests.gate.conftest import AFTER, BEFORE, FRIDAY, OPS, OTHER, Gate, reload

pytestmark = pytest.mark.anyio

CI = Caller("github:acme/api", Role.CI, None, None)
MONDAY = parse_instant("2026-11-30T07:00:00Z")
TAKEN = DeliveryResult("taken")
DOWN = DeliveryResult("later", "ConnectError")


def receiver(name: str = "ops", **given: Any) -> Receiver:
    made = Receiver(
        name, notifiers()["webhook"], SecretStr("https://x"), SecretStr("s" * 32), frozenset(Occasion), None
    )
    return made._replace(**given)


def notifying(gate: Gate, *receivers: Receiver, name: str = "one") -> Notifications:
    return Notifications(
        gate.store, gate.policies, gate.clock, receivers or (receiver(),), f"{name}-{id(gate)}"
    )


async def waiting(
    notifications: Notifications, to: str = "ops", reply: DeliveryResult = TAKEN
) -> list[Notification]:
    """What a receiver gets now, taken."""
    got = []
    while (outstanding := await notifications.due(to)) is not None:
        got.append(outstanding.notification)
        await notifications.settle(outstanding.message, reply, 0.0)
    return got


async def told(notifications: Notifications, to: str = "ops") -> list[Notification]:
    """What a look finds, and a receiver gets."""
    while await notifications.collect():
        pass
    return await waiting(notifications, to)


def events(got: list[Notification]) -> list[str]:
    return [each.event.value for each in got]


def put(file: Path, text: str) -> None:
    file.write_text(text)


def freeze(selector: dict[str, Any] | None = None, **wanted: Any) -> StartRequest:
    made = StartRequest(
        "Incident 42", "Payments are down", Selector.model_validate(selector or {}), None, None
    )
    return made._replace(**wanted)


def claim(service: str = "api", actor: str | None = "carol", token: str | None = None, **asked: Any) -> Claim:
    return Claim(Question(service, **asked), actor=actor, caller=CI, token=token)


@pytest.fixture(autouse=True)
def open_hours(clock: FakeClock) -> None:
    clock.at = BEFORE - 4 * HOUR


@pytest.fixture
async def one(gate: Gate) -> Notifications:
    """A sender that has looked once."""
    made = notifying(gate)
    assert await told(made) == []
    return made


async def test_the_first_look_ever_tells_nothing_of_the_past(gate: Gate) -> None:
    await gate.freezes.start(OPS, freeze(), gate.in_force)
    first = notifying(gate)
    assert await told(first) == []
    assert first.holds_lease
    await gate.freezes.start(OPS, freeze(), gate.in_force)
    assert events(await told(first)) == ["freeze-started"]


async def test_a_policy_freeze_is_announced_and_begins_and_ends(gate: Gate, one: Notifications) -> None:
    got = []
    for at in range(gate.clock.at, MONDAY + HOUR, 601):
        gate.clock.at = at
        got += await told(one)
    assert [(each.event, each.at - each.at % HOUR, each.environments) for each in got] == [
        ("policy-freeze-soon", AFTER - HOUR, ("production",)),
        ("policy-freeze-begins", AFTER, ("production",)),
        ("policy-freeze-ends", MONDAY, ("production",)),
    ]
    assert "No deploys after Friday 14:00" in " ".join(got[0].text)
    assert got[0].text[0].startswith("production will be frozen from Fri 27 Nov 14:00 CET on:")
    assert got[1].text[0].startswith("production is frozen: No deploys after Friday 14:00. Opens Mon 30 Nov")
    assert got[2].text[0].startswith("production is open.")


async def test_each_is_told_at_its_second_and_only_then(gate: Gate, one: Notifications) -> None:
    gate.clock.at = AFTER - HOUR - 1
    assert await told(one) == []
    gate.clock.at += 1
    assert events(await told(one)) == ["policy-freeze-soon"]
    assert await told(one) == []
    gate.clock.at = AFTER - 1
    assert await told(one) == []
    gate.clock.at = AFTER
    assert events(await told(one)) == ["policy-freeze-begins"]
    gate.clock.at = MONDAY - 1
    assert await told(one) == []
    gate.clock.at = MONDAY
    assert events(await told(one)) == ["policy-freeze-ends"]


async def test_nothing_is_announced_that_has_begun_already(gate: Gate, one: Notifications) -> None:
    gate.clock.at = AFTER + 60
    assert events(await told(one)) == ["policy-freeze-begins"]


async def test_what_is_older_than_a_day_is_not_told_any_more(gate: Gate, one: Notifications) -> None:
    await gate.freezes.start(OPS, freeze(ends_at=gate.clock.at + 60), gate.in_force)
    gate.clock.at = AFTER + DAY + 1
    assert await told(one) == []
    gate.clock.at = MONDAY
    assert events(await told(one)) == ["policy-freeze-ends"]


@pytest.mark.parametrize(("later", "times"), [(DAY, 1), (DAY + 1, 0)])
async def test_news_are_told_for_a_day_and_no_second_longer(
    gate: Gate, one: Notifications, later: int, times: int
) -> None:
    gate.clock.at = MONDAY
    assert "freeze-started" not in events(await told(one))
    await gate.freezes.start(OPS, freeze({"environments": ["staging"]}), gate.in_force)
    gate.clock.at = MONDAY + later
    assert events(await told(one)).count("freeze-started") == times


async def test_a_reload_that_freezes_is_told(gate: Gate, one: Notifications, policy_file: Path) -> None:
    always = "applies_to: {environments: [staging]}, when: [{always: true}]"
    put(policy_file, f"{FRIDAY}  - {{id: stop, title: Stop, reason: So., {always}}}\n")
    reload(gate.policies, gate.clock.at)
    gate.clock.at += 60
    assert [(each.event, each.environments) for each in await told(one)] == [
        ("policy-freeze-begins", ("staging",))
    ]
    put(policy_file, FRIDAY)
    reload(gate.policies, gate.clock.at)
    gate.clock.at += 60
    assert events(await told(one)) == ["policies-removed", "policy-freeze-ends"]


async def test_a_reload_that_freezes_within_the_hour_is_announced_at_once(
    gate: Gate, one: Notifications, other: Gate, policy_file: Path
) -> None:
    # One at 10:40, and it is 10:00.
    soon = 'when: [{dates: {from: 2026-11-27T10:40, to: "2026-11-27T11:00"}}]'
    put(policy_file, f"{FRIDAY}  - {{id: stop, title: Stop, reason: So., {soon}}}\n")
    reload(gate.policies, gate.clock.at)
    got = await told(one)
    assert [(each.event, each.environments, each.title) for each in got] == [
        ("policy-freeze-soon", ("production",), "production freezes in 40 min 1 s"),
        ("policy-freeze-soon", ("staging",), "staging freezes in 40 min 1 s"),
    ]
    gate.clock.at += 60
    assert await told(one) == []
    # Nor does who takes over announce it again.
    reload(other.policies, gate.clock.at)
    await one.release()
    assert await told(notifying(other, name="two")) == []


async def test_an_announcement_that_could_not_be_written_is_made_at_the_next_look(
    gate: Gate, one: Notifications, policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = "applies_to: {environments: [staging]}, when: [{dates: {from: 2026-11-27T10:40, to: 2026-11-28}}]"
    put(policy_file, f"{FRIDAY}  - {{id: stop, title: Stop, reason: So., {soon}}}\n")
    reload(gate.policies, gate.clock.at)
    with monkeypatch.context() as away:
        away.setattr(one._collector, "_settle", _gone)
        await one.collect()
    assert events(await told(one)) == ["policy-freeze-soon"]


async def test_a_new_environment_that_freezes_within_the_hour_is_announced(
    gate: Gate, one: Notifications, policy_file: Path
) -> None:
    soon = "applies_to: {environments: [edge]}, when: [{dates: {from: 2026-11-27T10:40, to: 2026-11-28}}]"
    text = FRIDAY.replace("[production, staging]", "[production, staging, edge]")
    put(policy_file, f"{text}  - {{id: stop, title: Stop, reason: So., {soon}}}\n")
    reload(gate.policies, gate.clock.at)
    assert [(each.event, each.environments) for each in await told(one)] == [
        ("policy-freeze-soon", ("edge",))
    ]


async def test_the_life_of_a_freeze_is_told_in_order(gate: Gate, one: Notifications) -> None:
    start = gate.clock.at
    made = await gate.freezes.start(
        OPS, freeze({"environments": ["staging"]}, starts_at=start + 60, ends_at=start + 600), gate.in_force
    )
    gate.clock.at = start + 60
    gate.clock.at = start + 120
    await gate.freezes.extend(OTHER, made.id, start + 300)
    gate.clock.at = start + 301
    got = await told(one)
    assert events(got) == ["freeze-started", "freeze-begins", "freeze-extended", "freeze-ended"]
    assert {each.subject for each in got} == {made.id}
    assert {each.environments for each in got} == {("staging",)}
    assert got[0].text == (
        "Alice scheduled a freeze of staging: Incident 42.",
        "Payments are down.",
        "It begins Fri 27 Nov 10:00:59 CET. It ends Fri 27 Nov 10:09:59 CET.",
    )
    assert got[2].text[0] == "Bob moved the end of the freeze Incident 42."


async def test_a_lifted_freeze_did_not_end_by_itself(gate: Gate, one: Notifications) -> None:
    made = await gate.freezes.start(OPS, freeze(ends_at=gate.clock.at + 600), gate.in_force)
    gate.clock.at += 60
    await gate.freezes.lift(OTHER, made.id, "The card scheme is back")
    gate.clock.at += 600
    got = await told(one)
    assert events(got) == ["freeze-started", "freeze-lifted"]
    assert got[1].text == (
        "Bob lifted the freeze of every environment: Incident 42.",
        "The card scheme is back.",
        "Started by Alice Fri 27 Nov 09:59:59 CET.",
    )


async def test_a_freeze_is_told_as_it_stood_at_each_change(gate: Gate, one: Notifications) -> None:
    made = await gate.freezes.start(OPS, freeze(ends_at=gate.clock.at + 600), gate.in_force)
    gate.clock.at += 60
    scope = Change({"title": "Incident 43", "contact": "#incidents"}, {"environments": ["staging"]})
    await gate.freezes.change(OTHER, made.id, scope, gate.in_force)
    gate.clock.at += 60
    await gate.freezes.change(OPS, made.id, Change({"title": "Incident 44"}, {}), gate.in_force)
    got = await told(one)
    assert events(got) == ["freeze-started", "freeze-changed", "freeze-changed"]
    assert [each.title for each in got] == [
        "Deploys are frozen: Incident 42",
        "Freeze changed: Incident 43",
        "Freeze changed: Incident 44",
    ]
    assert [each.environments for each in got] == [(), ("staging",), ("staging",)]
    assert got[1].text[0] == "Bob changed the freeze of staging: Incident 43."
    assert got[1].text[-1] == "Ask #incidents."


async def test_what_an_override_goes_through_is_told_without_its_token(
    gate: Gate, one: Notifications
) -> None:
    gate.clock.at = AFTER + 60
    assert events(await told(one)) == ["policy-freeze-begins"]
    wanted = GrantRequest(("api",), ("production",), None, "Payments fail", gate.clock.at + HOUR, 2)
    override, token = await gate.overrides.grant(OPS, wanted, gate.in_force)
    assert (await gate.claims.claim(claim(token=digest(token)), gate.in_force)).allowed
    await gate.overrides.revoke(OTHER, override.id)
    got = await told(one)
    assert events(got) == ["override-granted", "override-spent", "override-revoked"]
    assert got[1].text == (
        "api was let through to production by an override of Alice: Payments fail.",
        "Claimed by carol. 1 use left.",
    )
    assert {each.subject for each in got} == {override.id}
    assert token not in json.dumps([each.to_data() for each in got])


async def test_an_opening_names_who_was_denied_meanwhile(gate: Gate, one: Notifications) -> None:
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    for actor in ("carol", "carol", None):
        assert not (await gate.claims.claim(claim(actor=actor), gate.in_force)).allowed
    assert events(await told(one)) == ["freeze-started"]
    gate.clock.at += 60
    assert not (await gate.claims.claim(claim("web"), gate.in_force)).allowed
    gate.clock.at += 60
    await gate.freezes.lift(OPS, made.id)
    assert (await gate.claims.claim(claim("later"), gate.in_force)).allowed
    got = await told(one)
    assert events(got) == ["freeze-lifted", "gate-open"]
    assert got[1].title == "production is open again"
    assert got[1].text[1] == "Denied meanwhile: api (carol), api (github:acme/api), web (carol)."
    gate.clock.at += 60
    assert await told(one) == []


async def test_an_opening_of_a_service_is_told_to_those_who_wait_for_it(
    gate: Gate, one: Notifications
) -> None:
    made = await gate.freezes.start(OPS, freeze({"services": ["api"]}), gate.in_force)
    assert not (await gate.claims.claim(claim(), gate.in_force)).allowed
    assert (await gate.claims.claim(claim("web"), gate.in_force)).allowed
    gate.clock.at += 60
    assert events(await told(one)) == ["freeze-started"]
    await gate.freezes.lift(OPS, made.id)
    got = await told(one)
    assert events(got) == ["freeze-lifted", "gate-open"]
    assert got[1].title == "api may be deployed to production again"
    assert got[1].text[0].startswith("api may be deployed to production.")
    assert got[1].text[1] == "Denied meanwhile: api (carol)."


async def test_who_is_still_stopped_when_the_environment_opens_is_told_later(
    gate: Gate, one: Notifications
) -> None:
    every = await gate.freezes.start(OPS, freeze(), gate.in_force)
    some = await gate.freezes.start(OPS, freeze({"services": ["api"]}), gate.in_force)
    for service in ("api", "web"):
        assert not (await gate.claims.claim(claim(service), gate.in_force)).allowed
    gate.clock.at += 60
    await gate.freezes.lift(OPS, every.id)
    (*_, opened) = await told(one)
    assert opened.title == "production is open again"
    assert opened.text[1] == "Denied meanwhile: web (carol)."
    gate.clock.at += 60
    await gate.freezes.lift(OPS, some.id)
    (*_, opened) = await told(one)
    assert opened.title == "api may be deployed to production again"


async def test_a_freeze_that_is_recorded_after_it_began_is_told_all_the_same(
    gate: Gate, one: Notifications
) -> None:
    start = gate.clock.at
    gate.clock.at = start + 60
    assert await told(one) == []
    # Its commit took a minute, or the clock of the other replica is slow.
    gate.clock.at = start
    wanted = freeze(starts_at=start + 10, ends_at=start + 20)
    made = await gate.freezes.start(OPS, wanted, gate.in_force)
    gate.clock.at = start + 61
    got = await told(one)
    assert events(got) == ["freeze-started", "freeze-begins", "freeze-ended"]
    assert {each.subject for each in got} == {made.id}
    gate.clock.at = start + 62
    assert await told(one) == []


async def test_a_scheduled_freeze_is_announced_an_hour_ahead(gate: Gate, one: Notifications) -> None:
    start = gate.clock.at + 3 * HOUR
    await gate.freezes.start(OPS, freeze(starts_at=start, ends_at=start + 60), gate.in_force)
    assert events(await told(one)) == ["freeze-started"]
    gate.clock.at = start - HOUR
    (soon,) = [each for each in await told(one) if each.event == "freeze-soon"]
    assert soon.title == "Deploys freeze in 1 h: Incident 42"
    gate.clock.at = start
    assert "freeze-soon" not in events(await told(one))


async def test_an_opening_that_nobody_waited_for_is_not_told(gate: Gate, one: Notifications) -> None:
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    gate.clock.at += 60
    await gate.freezes.lift(OPS, made.id)
    assert events(await told(one)) == ["freeze-started", "freeze-lifted"]


async def test_a_freeze_that_ends_within_another_opens_nothing(gate: Gate, one: Notifications) -> None:
    gate.clock.at = AFTER - 10
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    await gate.claims.claim(claim(), gate.in_force)
    gate.clock.at = AFTER + 10
    await gate.freezes.lift(OPS, made.id)
    assert events(await told(one)) == ["freeze-started", "policy-freeze-begins", "freeze-lifted"]
    gate.clock.at = MONDAY
    assert events(await told(one)) == ["policy-freeze-ends", "gate-open"]


async def test_who_was_denied_for_the_length_of_a_deploy_is_told_when_it_fits(
    gate: Gate, one: Notifications
) -> None:
    gate.clock.at = AFTER - 600
    assert not (await gate.claims.claim(claim(duration=1_200), gate.in_force)).allowed
    assert events(await told(one)) == ["policy-freeze-soon"]
    gate.clock.at = AFTER
    assert events(await told(one)) == ["policy-freeze-begins"]
    gate.clock.at = MONDAY
    (_, opened) = await told(one)
    assert opened.title == "production is open again"
    assert opened.text[1] == "Denied meanwhile: api (carol)."


async def test_a_gap_that_is_too_short_for_a_deploy_opens_nothing_for_it(
    gate: Gate, one: Notifications
) -> None:
    start = gate.clock.at
    await gate.freezes.start(OPS, freeze(ends_at=start + 600), gate.in_force)
    later = freeze(starts_at=start + 900, ends_at=start + 1_800)
    await gate.freezes.start(OPS, later, gate.in_force)
    for actor, duration in (("carol", 0), ("dave", 600)):
        claimed = await gate.claims.claim(claim(actor=actor, duration=duration), gate.in_force)
        assert not claimed.allowed
    said = []
    for at in range(start + 60, start + 1_801, 60):
        gate.clock.at = at
        said += [(at - start, each.text[1]) for each in await told(one) if each.event == Occasion.GATE_OPEN]
    assert said == [
        (600, "Denied meanwhile: api (carol)."),
        (1_800, "Denied meanwhile: api (dave)."),
    ]


async def test_who_was_denied_in_the_second_in_which_the_freeze_was_lifted_is_told(
    gate: Gate, one: Notifications
) -> None:
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    gate.clock.at += 60
    assert events(await told(one)) == ["freeze-started"]
    assert not (await gate.claims.claim(claim(), gate.in_force)).allowed
    await gate.freezes.lift(OTHER, made.id)
    got = await told(one)
    assert events(got) == ["freeze-lifted", "gate-open"]
    # Also to those who looked in that second before.
    assert got[1].title == "production is open again"
    assert got[1].text[1] == "Denied meanwhile: api (carol)."
    assert await told(one) == []


async def test_who_asked_for_another_kind_of_change_waits_for_that(
    gate: Gate, one: Notifications, policy_file: Path
) -> None:
    hotfixes = "applies_to: {changes: [hotfix]}, when: [{dates: {from: 2026-11-27, to: 2026-11-28}}]"
    put(policy_file, f"{FRIDAY}  - {{id: stop, title: Stop, reason: So., {hotfixes}}}\n")
    reload(gate.policies, gate.clock.at)
    await told(one)
    assert not (await gate.claims.claim(claim(change="hotfix"), gate.in_force)).allowed
    assert (await gate.claims.claim(claim(), gate.in_force)).allowed
    gate.clock.at += 60
    assert await told(one) == []
    gate.clock.at = parse_instant("2026-11-28T23:00:00Z")
    assert "gate-open" not in events(await told(one))
    gate.clock.at = MONDAY
    opened = (await told(one))[-1]
    assert opened.text[1] == "Denied meanwhile: hotfix of api (carol)."


async def test_a_service_that_stays_frozen_silences_no_other(gate: Gate, one: Notifications) -> None:
    await gate.freezes.start(OPS, freeze({"services": ["web"]}), gate.in_force)
    for number in range(25):
        claimed = await gate.claims.claim(claim("web", actor=f"person {number}"), gate.in_force)
        assert not claimed.allowed
    gate.clock.at += 60
    assert events(await told(one)) == ["freeze-started"]
    every = await gate.freezes.start(OPS, freeze(), gate.in_force)
    assert not (await gate.claims.claim(claim(), gate.in_force)).allowed
    gate.clock.at += 60
    await gate.freezes.lift(OPS, every.id)
    opened = (await told(one))[-1]
    assert opened.text[1] == "Denied meanwhile: api (carol)."
    assert opened.data["more"] == 0


async def test_those_beyond_the_first_names_are_counted_with_their_own_service(
    gate: Gate, one: Notifications
) -> None:
    made = await gate.freezes.start(OPS, freeze({"services": ["web"]}), gate.in_force)
    for number in range(8):
        await gate.claims.claim(claim("web", actor=f"person {number}"), gate.in_force)
    gate.clock.at += 60
    await told(one)
    await gate.freezes.lift(OPS, made.id)
    opened = (await told(one))[-1]
    assert opened.title == "web may be deployed to production again"
    assert opened.text[1].endswith("web (person 4) and 3 more.")
    assert opened.data["more"] == 3


async def test_names_that_somebody_made_up_do_not_keep_an_opening_from_being_told(
    gate: Gate, one: Notifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.denied_requests.MOST_WAITING", 10)
    some = await gate.freezes.start(OPS, freeze({"services": ["old-*"]}), gate.in_force)
    for number in range(10):
        await gate.claims.claim(claim(f"old-{number}"), gate.in_force)
    every = await gate.freezes.start(OPS, freeze(), gate.in_force)
    for service in ("api", "web"):
        await gate.claims.claim(claim(service), gate.in_force)
    gate.clock.at += 60
    await told(one)
    kept = (await gate.store.read(lambda view: view.lease())).environments
    assert len(json.loads(kept)["production"][1]) == 11
    await gate.freezes.lift(OPS, every.id)
    opened = (await told(one))[-1]
    assert opened.title == "production is open again"
    assert opened.text[1] == "Denied meanwhile: 2 claims."
    gate.clock.at += 60
    await gate.freezes.lift(OPS, some.id)
    opened = (await told(one))[-1]
    assert opened.text[1].startswith("Denied meanwhile: old-0 (carol), old-1 (carol)")


async def test_a_reload_that_opens_is_told_to_those_who_waited(
    gate: Gate, one: Notifications, policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.denied_requests.MOST_WAITING", 1)
    always = "applies_to: {environments: [staging]}, when: [{always: true}]"
    put(policy_file, f"{FRIDAY}  - {{id: stop, title: Stop, reason: So., {always}}}\n")
    reload(gate.policies, gate.clock.at)
    gate.clock.at += 60
    await told(one)
    for service in ("api", "web"):
        asked = claim(service, environment="staging", change="hotfix")
        assert not (await gate.claims.claim(asked, gate.in_force)).allowed
    gate.clock.at += 60
    assert await told(one) == []
    put(policy_file, FRIDAY)
    reload(gate.policies, gate.clock.at)
    gate.clock.at += 60
    opened = next(each for each in await told(one) if each.event == Occasion.GATE_OPEN)
    assert opened.title == "hotfix of api may be deployed to staging again"
    assert opened.text[0].startswith("api may be deployed to staging.")
    assert opened.text[1] == "Denied meanwhile: hotfix of api (carol) and 1 more."


async def test_nobody_waits_for_longer_than_a_quarter(gate: Gate, one: Notifications) -> None:
    made = await gate.freezes.start(OPS, freeze({"services": ["web"]}), gate.in_force)
    await gate.claims.claim(claim("web"), gate.in_force)
    gate.clock.at += 60
    await told(one)
    gate.clock.at += 89 * DAY
    assert "gate-open" not in events(await told(one))
    kept = (await gate.store.read(lambda view: view.lease())).environments
    assert "web" in kept
    gate.clock.at += DAY
    await told(one)
    kept = (await gate.store.read(lambda view: view.lease())).environments
    assert "web" not in kept
    await gate.freezes.lift(OPS, made.id)
    assert "gate-open" not in events(await told(one))


async def test_who_was_denied_is_counted_beyond_the_first_twenty(gate: Gate, one: Notifications) -> None:
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    for number in range(25):
        await gate.claims.claim(claim(f"service-{number}"), gate.in_force)
    gate.clock.at += 60
    await gate.freezes.lift(OPS, made.id)
    opened = (await told(one))[-1]
    assert opened.text[1].endswith("service-19 (carol) and 5 more.")
    assert len(opened.data["denied"]) == 20


async def test_a_refused_policy_file_is_told_once_by_all_replicas(
    gate: Gate, other: Gate, policy_file: Path
) -> None:
    first, second = notifying(gate), notifying(other, name="two")
    assert await told(first) == []
    put(policy_file, "policies: nonsense\n")
    for each in (gate, other):
        reload(each.policies, each.clock.at)
    await second.collect()
    got = await told(first)
    assert events(got) == ["policies-refused"]
    assert got[0].text[0] == "A changed policy file was refused; the set before stays in force."
    assert len(got[0].text) > 1
    put(policy_file, FRIDAY)
    for each in (gate, other):
        reload(each.policies, each.clock.at)
    await second.collect()
    assert events(await told(first)) == ["policies-loaded-again"]
    assert await told(first) == []


async def test_policies_that_a_change_removes_are_told_once_by_all_replicas(
    gate: Gate, other: Gate, policy_file: Path
) -> None:
    first, second = notifying(gate), notifying(other, name="two")
    assert await told(first) == []
    put(policy_file, FRIDAY[: FRIDAY.index("  - id: year-end")])
    for each in (gate, other):
        reload(each.policies, each.clock.at)
    await second.collect()
    (got,) = await told(first)
    assert got.event == "policies-removed"
    assert got.title == "Policies were removed"
    assert "2 policies were removed from the policy files" in got.text[0]
    assert got.data["removed"] == ["policy audit-week", "policy year-end"]
    put(policy_file, FRIDAY)
    for each in (gate, other):
        reload(each.policies, each.clock.at)
    await second.collect()
    assert await told(first) == []


@pytest.mark.parametrize("mended_by", ["another one", "putting it back"])
async def test_a_file_that_is_refused_again_after_it_was_mended_is_told_again(
    gate: Gate, other: Gate, policy_file: Path, mended_by: str
) -> None:
    first, second = notifying(gate), notifying(other, name="two")
    assert await told(first) == []
    good = FRIDAY if mended_by == "putting it back" else f"# Mended.\n{FRIDAY}"
    got = []
    for text in ("policies: nonsense\n", good, "policies: nonsense\n", good, "policies: nonsense\n"):
        put(policy_file, text)
        gate.clock.at += 10
        reload(gate.policies, gate.clock.at)
        got += await told(first)
        gate.clock.at += 1
        reload(other.policies, gate.clock.at)
        await second.collect()
        got += await told(first)
    refused, mended = "policies-refused", "policies-loaded-again"
    assert events(got) == [refused, mended, refused, mended, refused]


async def test_who_is_not_told_that_a_file_is_good_again_is_told_of_a_refusal_once_an_hour(
    gate: Gate, policy_file: Path
) -> None:
    sender = notifying(gate, receiver("ops", events=frozenset({Occasion.POLICIES_REFUSED})))
    assert await told(sender) == []
    got = []
    for text in ("policies: nonsense\n", FRIDAY) * 2:
        put(policy_file, text)
        gate.clock.at += 10
        reload(gate.policies, gate.clock.at)
        got += await told(sender)
    assert events(got) == ["policies-refused"]
    gate.clock.at += HOUR
    put(policy_file, "policies: nonsense\n")
    reload(gate.policies, gate.clock.at)
    assert events(await told(sender)) == ["policies-refused"]


async def test_a_receiver_gets_only_what_it_wants(gate: Gate) -> None:
    sender = notifying(
        gate,
        receiver("all"),
        receiver("lifts", events=frozenset({Occasion.FREEZE_LIFTED})),
        receiver("staging", environments=frozenset({"staging"})),
    )
    await told(sender, "all")
    made = await gate.freezes.start(OPS, freeze({"environments": ["production"]}), gate.in_force)
    everywhere = await gate.freezes.start(OPS, freeze(), gate.in_force)
    await gate.freezes.lift(OPS, made.id)
    assert events(await told(sender, "all")) == ["freeze-started", "freeze-started", "freeze-lifted"]
    assert events(await waiting(sender, "lifts")) == ["freeze-lifted"]
    assert [each.subject for each in await waiting(sender, "staging")] == [everywhere.id]


async def test_a_receiver_that_is_down_for_an_hour_misses_nothing(gate: Gate) -> None:
    sender = notifying(gate, receiver("ops"), receiver("up"))
    await told(sender, "up")
    began, happened, tries, there = gate.clock.at, [], 0, []
    for minute in range(60):
        gate.clock.at = began + 60 * minute
        if minute % 10 == 0:
            made = await gate.freezes.start(OPS, freeze(title=f"Incident {minute}"), gate.in_force)
            happened.append(("freeze-started", made.id))
        if minute % 10 == 5:
            await gate.freezes.lift(OPS, made.id)
            happened.append(("freeze-lifted", made.id))
        there += await told(sender, "up")
        while (outstanding := await sender.due("ops")) is not None:
            tries += 1
            await sender.settle(outstanding.message, DOWN, 0.5)
    # Of the four oldest: the others are not tried before one of those arrives.
    assert 30 < tries < 60
    await sender.collect()
    assert sender.backlog["ops"].waiting == 12
    assert sender.backlog["ops"].oldest_at == began
    assert sender.backlog["up"].waiting == 0
    got: list[Notification] = []
    for _ in range(11):
        gate.clock.at += 60
        got += await told(sender)
    assert [(each.event, each.subject) for each in there] == happened
    assert Counter((each.event, each.subject) for each in got) == Counter(happened)
    for subject in {each.subject for each in got}:
        mine = [each.event for each in got if each.subject == subject]
        assert mine == ["freeze-started", "freeze-lifted"]
    assert await told(sender) == []
    gate.clock.at += 5
    await sender.collect()
    assert [each.waiting for each in sender.backlog.values()] == [0, 0]


async def test_the_next_one_waits_for_the_oldest(gate: Gate, one: Notifications) -> None:
    await gate.freezes.start(OPS, freeze(title="first"), gate.in_force)
    await one.collect()
    outstanding = await one.due("ops")
    assert outstanding is not None
    await one.settle(outstanding.message, DOWN, 0.0)
    await gate.freezes.start(OPS, freeze(title="second"), gate.in_force)
    await one.collect()
    assert await one.due("ops") is None
    gate.clock.at += 5
    assert [each.data["title"] for each in await told(one)] == ["first", "second"]


async def test_a_message_that_fails_for_long_holds_up_only_its_own_freeze(
    gate: Gate, one: Notifications
) -> None:
    bad = await gate.freezes.start(OPS, freeze(title="bad"), gate.in_force)
    await gate.freezes.lift(OPS, bad.id)
    good = await gate.freezes.start(OPS, freeze(title="good"), gate.in_force)
    await one.collect()
    got, tries, began = [], 0, gate.clock.at
    for at in (*range(began, began + 300, 30), *range(began + 300, began + GIVEN_UP_AFTER + HOUR, 900)):
        gate.clock.at = at
        await one.collect()
        while (outstanding := await one.due("ops")) is not None:
            notification = outstanding.notification
            poison = notification.subject == bad.id and notification.event == Occasion.FREEZE_STARTED
            tries += poison
            await one.settle(outstanding.message, DOWN if poison else TAKEN, 0.0)
            if not poison:
                got.append((at - began, tries, notification))
    mine = [(after, tried, each.event) for after, tried, each in got if each.subject]
    # It is given up after a day, and then its own go on.
    assert [event for *_, event in mine] == ["freeze-started", "freeze-lifted"]
    assert mine[0][:2] == (150, PASSED_AFTER)
    assert mine[1][0] >= GIVEN_UP_AFTER
    assert [each.subject for *_, each in got if each.subject] == [good.id, bad.id]
    assert len(got) > len(mine)


async def test_a_receiver_that_takes_nothing_is_not_tried_with_everything(
    gate: Gate, one: Notifications
) -> None:
    for number in range(10):
        await gate.freezes.start(OPS, freeze(title=f"Incident {number}"), gate.in_force)
    began, tried = gate.clock.at, set()
    for at in range(began, began + 2 * HOUR, 90):
        gate.clock.at = at
        await one.collect()
        while (outstanding := await one.due("ops")) is not None:
            tried.add(outstanding.notification.data["title"])
            await one.settle(outstanding.message, DOWN, 0.0)
    assert tried == {f"Incident {number}" for number in range(MOST_PASSED + 1)}


async def test_nothing_passes_while_a_receiver_asks_to_wait(gate: Gate, one: Notifications) -> None:
    for number in range(3):
        await gate.freezes.start(OPS, freeze(title=f"Incident {number}"), gate.in_force)
    await one.collect()
    for _ in range(2 * PASSED_AFTER):
        outstanding = await one.due("ops")
        assert outstanding is not None
        assert outstanding.notification.data["title"] == "Incident 0"
        await one.settle(outstanding.message, DeliveryResult("later", "answered 429", HOUR), 0.0)
        gate.clock.at += HOUR - 1
        await one.collect()
        assert await one.due("ops") is None
        gate.clock.at += 1


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_fails_each_arrives_once_and_in_order_for_its_freeze(
    gate: Gate, one: Notifications, seed: int
) -> None:
    chance = random.Random(seed)
    subjects = [None, "a", "b", "c", "d", "e"]
    put = [(number, chance.choice(subjects)) for number in range(40)]
    for number, subject in put:
        told = Notification(f"k{number}", Occasion.FREEZE_STARTED, number, "t", ("x",), (), subject)
        data, now = json.dumps(told.to_data()), gate.clock.at
        await gate.store.write(partial(_put, key=told.key, data=data, now=now))
    fails = {number: chance.choice([0, 0, 0, 1, 4, 8, 15]) for number, _ in put}
    arrived: list[tuple[int, str | None]] = []
    while len(arrived) < len(put):
        gate.clock.at += 120
        await one.collect()
        while (outstanding := await one.due("ops")) is not None:
            message, told = outstanding
            # What else happens meanwhile is taken.
            failed = message.attempts < fails.get(told.at, 0)
            await one.settle(message, DOWN if failed else TAKEN, chance.random())
            if not failed and told.at in fails:
                arrived.append((told.at, told.subject))
    assert sorted(arrived) == sorted(put)
    for subject in subjects:
        mine = [number for number, each in arrived if each == subject]
        assert mine == sorted(mine)


def _put(transaction: Transaction, key: str, data: str, now: int) -> int:
    return transaction.put_notification(["ops"], key, data, now * 1_000_000, now)


async def test_a_message_that_is_refused_is_given_up_at_once(
    gate: Gate, one: Notifications, caplog: pytest.LogCaptureFixture
) -> None:
    await gate.freezes.start(OPS, freeze(title="first"), gate.in_force)
    await gate.freezes.start(OPS, freeze(title="second"), gate.in_force)
    await one.collect()
    outstanding = await one.due("ops")
    assert outstanding is not None
    await one.settle(outstanding.message, DeliveryResult("refused", "answered 400"), 0.0)
    assert "a notification was given up" in caplog.text
    assert [each.data["title"] for each in await told(one)] == ["second"]


async def test_a_receiver_is_tried_for_a_day(gate: Gate, one: Notifications) -> None:
    began = gate.clock.at
    await gate.freezes.start(OPS, freeze({"services": ["api"]}), gate.in_force)
    tries = []
    for at in range(began, began + GIVEN_UP_AFTER + 2 * HOUR, 300):
        gate.clock.at = at
        if not one.holds_lease or at == began:
            await one.collect()
        outstanding = await one.due("ops")
        if outstanding is not None and outstanding.notification.event == Occasion.FREEZE_STARTED:
            tries.append(at - began)
            await one.settle(outstanding.message, DOWN, 0.0)
    assert tries[-1] >= GIVEN_UP_AFTER
    assert tries[-2] < GIVEN_UP_AFTER
    assert max(later - earlier for earlier, later in itertools.pairwise(tries)) <= 900


async def test_a_receiver_that_asks_to_wait_is_waited_for(gate: Gate, one: Notifications) -> None:
    await gate.freezes.start(OPS, freeze(), gate.in_force)
    await one.collect()
    outstanding = await one.due("ops")
    assert outstanding is not None
    await one.settle(outstanding.message, DeliveryResult("later", "answered 429", 300), 0.0)
    gate.clock.at += 299
    assert await told(one) == []
    gate.clock.at += 1
    assert len(await told(one)) == 1


def test_the_pauses_grow_up_to_ten_minutes() -> None:
    assert [pause(attempts, 0) for attempts in (0, 1, 2, 6, 7, 100)] == [5, 10, 20, 320, 600, 600]
    assert [pause(attempts, 1) for attempts in (0, 1, 100)] == [2, 5, 300]


async def test_of_two_replicas_one_sends(gate: Gate, other: Gate) -> None:
    first, second = notifying(gate), notifying(other, name="two")
    got: dict[str, list[str]] = {"first": [], "second": []}
    made = []
    for _ in range(20):
        gate.clock.at += 1
        made.append((await gate.freezes.start(OPS, freeze(), gate.in_force)).id)
        got["first"] += [str(each.subject) for each in await told(first)]
        got["second"] += [str(each.subject) for each in await told(second)]
    assert got["first"] == made[1:]  # the first look is from the present on
    assert got["second"] == []
    assert not second.holds_lease


async def test_a_replica_takes_over_from_one_that_was_killed(gate: Gate, other: Gate) -> None:
    first, second = notifying(gate), notifying(other, name="two")
    await told(first)
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    gate.clock.at += DURATION - 1
    assert await told(second) == []
    gate.clock.at += 1
    assert [each.subject for each in await told(second)] == [made.id]
    assert await told(first) == []
    assert not first.holds_lease


async def test_a_replica_takes_over_from_one_that_was_killed_while_the_clock_was_ahead(
    gate: Gate, other: Gate
) -> None:
    first, second = notifying(gate), notifying(other, name="two")
    gate.clock.at += HOUR
    await told(first)
    gate.clock.at -= HOUR
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    assert not first.holds_lease
    assert [each.subject for each in await told(second)] == [made.id]
    assert [first.holds_lease, second.holds_lease] == [False, True]


async def test_the_sender_renews_its_lease_after_the_clock_was_set_back(gate: Gate) -> None:
    notifications = notifying(gate)
    await told(notifications)
    gate.clock.at -= HOUR
    await told(notifications)
    assert notifications.holds_lease
    assert (await gate.store.read(lambda view: view.lease())).held_until == gate.clock.at + DURATION


async def test_a_replica_takes_over_at_once_from_one_that_stops(gate: Gate, other: Gate) -> None:
    first, second = notifying(gate), notifying(other, name="two")
    await told(first)
    await first.release()
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    assert [each.subject for each in await told(second)] == [made.id]


class Step(NamedTuple):
    """Where a sender is killed, and how often what it was at arrives."""

    name: str
    times: int


STEPS = [
    Step("before it looks", 1),
    Step("before it writes", 1),
    Step("after it wrote", 1),
    Step("after it asked what is due", 1),
    Step("after it sent", 2),
    Step("after it noted that", 1),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
async def test_a_sender_that_is_killed_loses_nothing(
    gate: Gate, other: Gate, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = notifying(gate), notifying(other, name="two")
    await told(first)
    made = [await gate.freezes.start(OPS, freeze(title=f"Incident {n}"), gate.in_force) for n in range(3)]
    arrived: list[str | None] = []
    at = STEPS.index(step)
    if at == 1:
        # It has found everything, and then it is gone.
        with monkeypatch.context() as killed:
            killed.setattr(first._collector, "_settle", _gone)
            await first.collect()
    if at >= 2:
        await first.collect()
    if at >= 3:
        outstanding = await first.due("ops")
        assert outstanding is not None
        if at >= 4:
            arrived.append(outstanding.notification.subject)
        if at >= 5:
            await first.settle(outstanding.message, TAKEN, 0.0)
    gate.clock.at += DURATION
    arrived += [each.subject for each in await told(second)]
    assert sorted(map(str, arrived)) == sorted([made[0].id] * step.times + [made[1].id, made[2].id])
    assert [*dict.fromkeys(arrived)] == [each.id for each in made]


async def _gone(*_: object) -> bool:
    return False


async def test_what_another_one_has_told_meanwhile_is_not_told_again(gate: Gate, other: Gate) -> None:
    first, second = notifying(gate), notifying(other, name="two")
    await told(first)
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    before = await gate.store.read(lambda view: view.lease())
    gate.clock.at += DURATION
    assert [each.subject for each in await told(second)] == [made.id]
    # The first one has read the store before that, and writes only now.
    for holder in (before.holder, second._lease.own_name):
        assert not await gate.store.write(partial(_moved, holder=holder, before=before))
    assert await told(first) == []
    assert await told(second) == []


def _moved(transaction: Transaction, holder: str, before: Lease) -> bool:
    return transaction.advance_lease(holder, before, before)


async def test_a_store_that_is_away_loses_nothing(
    gate: Gate, one: Notifications, tmp_path: Path, url: str
) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("by moving the file")
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    (tmp_path / "gate.db").rename(tmp_path / "away.db")
    with pytest.raises(StoreUnavailableError):
        await one.collect()
    (tmp_path / "away.db").rename(tmp_path / "gate.db")
    assert [each.subject for each in await told(one)] == [made.id]


async def test_a_long_record_is_told_in_steps(
    gate: Gate, one: Notifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.notification_scan._TOGETHER", 3)
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    for number in range(10):
        gate.clock.at += 1
        await gate.claims.claim(claim(f"service-{number}"), gate.in_force)
    gate.clock.at += 1
    await gate.freezes.lift(OPS, made.id)
    gate.clock.at += 1
    assert await one.collect()
    got = await told(one)
    assert events(got) == ["freeze-started", "freeze-lifted", "gate-open"]
    assert len(got[2].data["denied"]) == 10


async def test_what_can_not_be_read_does_not_stand_in_the_way(gate: Gate, one: Notifications) -> None:
    now = gate.clock.at
    await gate.store.write(
        lambda transaction: transaction.put_notification(["ops"], "odd", '{"event": "?"}', now, now)
    )
    made = await gate.freezes.start(OPS, freeze(), gate.in_force)
    assert await told(one) == []
    assert [each.subject for each in await told(one)] == [made.id]


async def test_what_was_sent_is_forgotten_after_a_week(gate: Gate, one: Notifications) -> None:
    await gate.freezes.start(OPS, freeze(), gate.in_force)
    assert len(await told(one)) == 1
    gate.clock.at += KEPT_FOR + 1
    await told(one)
    assert await gate.store.write(lambda transaction: transaction.prune_outbox(gate.clock.at, "-", 0)) == 0


async def test_a_sender_that_finds_nothing_writes_every_few_seconds_only(
    gate: Gate, one: Notifications
) -> None:
    looked = []
    for _ in range(20):
        gate.clock.at += 1
        await one.collect()
        looked.append((await gate.store.read(lambda view: view.lease())).looked_until)
        assert one.holds_lease
    assert len(set(looked)) == 5
