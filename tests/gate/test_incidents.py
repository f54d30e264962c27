"""Incidents on a real store: one freeze each, on several replicas, and nobody's decision is overruled."""

from typing import Any

import pytest

from app.core.decision import Question
from app.core.freeze import Freeze, FreezeState
from app.core.incident import Incident, IncidentRule, Signal
from app.core.incident_freeze import Step
from app.core.instant import HOUR, MINUTE
from app.core.policy import Selector
from app.gate import incidents as module
from app.gate.audit_events import Kind
from app.gate.claim import Claim
from app.gate.deliveries import Deliveries
from app.gate.errors import BusyError
from app.gate.freezes import Change, StartRequest
from app.gate.incidents import Incidents, Outcome, Report, Result
from app.gate.record import Record
from app.identity.credentials import new_key
from tests.gate.conftest import OPS, Gate, busy, clock, gate, other, policy_file, url
from tests.gate.test_notifications import events, notifying, told

__all__ = ["busy", "clock", "gate", "other", "policy_file", "url"]

pytestmark = pytest.mark.anyio

RULES = [
    IncidentRule.model_validate(each)
    for each in (
        {
            "name": "sev1",
            "match": {"severity": "critical"},
            "title": "{title}",
            "life": "2h",
            "thaw_after": "15m",
            "override": "never",
            "contact": "#incidents",
            "exempt": {"changes": ["rollback"]},
        },
        {"name": "sev2", "match": {"severity": "major"}, "services": ["api"], "environments": ["staging"]},
    )
]
CRITICAL, MAJOR = Signal(severity=("critical",)), Signal(severity=("major",))


def use_cases(gate: Gate) -> Incidents:
    return Incidents(gate.store, gate.clock, gate.cache, Deliveries(gate.store, gate.clock))


async def tell(gate: Gate, *firing: Signal, **fields: Any) -> Outcome:
    """Report the incident `INC-1`: firing, or resolved if nothing is."""
    delivery = fields.pop("delivery", None)
    incident = Incident(**{"key": "INC-1", "title": "Payments fail", "firing": firing, **fields})
    return await use_cases(gate).take(Report("pagerduty", incident, delivery), RULES, gate.in_force)


async def freezes(gate: Gate) -> list[Freeze]:
    """All freezes, oldest first."""
    return (await gate.freezes.newest(None, 1_000))[::-1]


async def claimed(gate: Gate, service: str = "web", environment: str = "staging") -> bool:
    return (await gate.claims.claim(Claim(Question(service, environment)), gate.in_force)).allowed


async def test_an_incident_is_one_freeze_however_often_it_is_told(gate: Gate, other: Gate) -> None:
    now = gate.clock.now()
    link = "https://acme.pagerduty.com/incidents/1"
    first = await tell(gate, CRITICAL, link=link)
    assert first.result is Result.STARTED
    assert not await claimed(other), "it is in force on the other replica, too"
    for replica in (other, gate, other):
        replica.clock.at += 15 * MINUTE
        assert (await tell(replica, CRITICAL, link=link)).result is Result.EXTENDED
    assert (await tell(gate, CRITICAL)).result is Result.UNCHANGED
    (freeze,) = await freezes(gate)
    assert freeze.ends_at == gate.clock.now() + 2 * HOUR
    assert (freeze.title, freeze.started_by, freeze.link, freeze.starts_at) == (
        "Payments fail",
        "pagerduty",
        link,
        now,
    )
    assert (freeze.override, freeze.contact, freeze.selector) == (
        "never",
        "#incidents",
        Selector.model_validate({}),
    )
    assert freeze.exempt[0].changes == ["rollback"]


async def test_it_thaws_after_it_was_resolved(gate: Gate) -> None:
    await tell(gate, CRITICAL)
    gate.clock.at += HOUR
    assert (await tell(gate)).result is Result.THAWING
    gate.clock.at += 15 * MINUTE - 1
    assert (await tell(gate)).result is Result.UNMATCHED
    assert not await claimed(gate)
    gate.clock.at += 1
    assert await claimed(gate)


async def test_it_goes_on_if_it_fires_again_in_between(gate: Gate) -> None:
    await tell(gate, CRITICAL)
    await tell(gate)
    gate.clock.at += 14 * MINUTE
    assert (await tell(gate, CRITICAL)).result is Result.EXTENDED
    gate.clock.at += 119 * MINUTE
    assert not await claimed(gate)
    assert len(await freezes(gate)) == 1


async def test_a_lost_end_never_freezes_for_ever(gate: Gate) -> None:
    await tell(gate, CRITICAL)
    gate.clock.at += 2 * HOUR
    assert await claimed(gate)
    assert (await tell(gate, CRITICAL)).result is Result.STARTED


async def test_a_lifted_freeze_is_not_started_again_by_repeats(gate: Gate) -> None:
    await tell(gate, CRITICAL)
    (freeze,) = await freezes(gate)
    await gate.freezes.lift(OPS, freeze.id)
    for _ in range(5):
        gate.clock.at += HOUR
        assert (await tell(gate, CRITICAL)).result is Result.UNCHANGED
    assert await claimed(gate)
    # Resolved, and over: the next one freezes again.
    await tell(gate)
    gate.clock.at += 14 * MINUTE
    assert (await tell(gate, CRITICAL)).result is Result.UNCHANGED
    await tell(gate)
    gate.clock.at += 15 * MINUTE
    assert (await tell(gate, CRITICAL)).result is Result.STARTED


@pytest.mark.parametrize("minutes", [5, 300, None])
async def test_the_end_that_a_person_chose_is_kept(gate: Gate, minutes: int | None) -> None:
    await tell(gate, CRITICAL)
    (freeze,) = await freezes(gate)
    end = None if minutes is None else gate.clock.now() + minutes * MINUTE
    await gate.freezes.extend(OPS, freeze.id, end)
    gate.clock.at += 10 * MINUTE
    assert (await tell(gate, CRITICAL)).result is Result.UNCHANGED
    assert (await tell(gate)).result is Result.UNCHANGED
    assert [each.ends_at for each in await freezes(gate)] == [end]


async def test_another_title_does_not_stop_reports_from_moving_the_end(gate: Gate) -> None:
    await tell(gate, CRITICAL)
    (freeze,) = await freezes(gate)
    await gate.freezes.change(OPS, freeze.id, Change({"title": "Cards"}, {}), gate.in_force)
    assert (await tell(gate)).result is Result.THAWING
    (freeze,) = await freezes(gate)
    assert (freeze.title, freeze.ends_at) == ("Cards", gate.clock.now() + 15 * MINUTE)


async def test_a_manual_freeze_is_not_touched(gate: Gate) -> None:
    wanted = StartRequest("Mine", "Because.", Selector.model_validate({}), None, gate.clock.now() + HOUR)
    mine = await gate.freezes.start(OPS, wanted, gate.in_force)
    await tell(gate, CRITICAL)
    await tell(gate)
    assert await gate.freezes.show(mine.id) == mine


async def test_an_incident_that_gets_worse_starts_the_freeze_of_the_other_rule(gate: Gate) -> None:
    assert (await tell(gate, MAJOR)).result is Result.STARTED
    assert await claimed(gate)
    gate.clock.at += HOUR
    worse = await tell(gate, CRITICAL)
    assert [(move.rule, move.step) for move in worse.moves] == [("sev1", Step.START), ("sev2", Step.THAW)]
    gate.clock.at += HOUR
    better = await tell(gate, MAJOR)
    assert [(move.rule, move.step) for move in better.moves] == [("sev2", Step.START), ("sev1", Step.THAW)]
    states = [each.state(gate.clock.now()) for each in await freezes(gate)]
    assert states == [FreezeState.ENDED, FreezeState.ACTIVE, FreezeState.ACTIVE]


async def test_an_incident_of_another_key_or_source_is_another(gate: Gate) -> None:
    await tell(gate, CRITICAL)
    await tell(gate, CRITICAL, key="INC-2")
    await tell(gate, CRITICAL, key="\ud800" * 1_000)
    incident = Incident("INC-1", "t", (CRITICAL,))
    await use_cases(gate).take(Report("jira", incident), RULES, gate.in_force)
    assert len(await freezes(gate)) == 4
    assert (await tell(gate, CRITICAL, key="\ud800" * 1_000)).result is Result.UNCHANGED


async def test_a_webhook_that_was_dealt_with_does_nothing(gate: Gate, other: Gate) -> None:
    await tell(gate, CRITICAL, delivery="a")
    await tell(gate, delivery="b")
    before = await freezes(gate)
    assert (await tell(other, CRITICAL, delivery="a")).result is Result.REPEATED
    assert await freezes(gate) == before


async def test_an_older_report_that_comes_later_does_nothing(gate: Gate) -> None:
    now = gate.clock.now()
    await tell(gate, CRITICAL, at=now - 20)
    await tell(gate, at=now - 10)
    assert (await tell(gate, CRITICAL, at=now - 15)).result is Result.OUTDATED
    # A report from the future doesn't make the next ones look old.
    assert (await tell(gate, CRITICAL, at=now + 10_000)).result is Result.EXTENDED
    gate.clock.at += 60
    assert (await tell(gate, at=now + 60)).result is Result.THAWING


async def test_a_clock_that_is_set_back_makes_no_report_outdated(gate: Gate) -> None:
    now = gate.clock.now()
    await tell(gate, CRITICAL)
    gate.clock.at -= HOUR
    assert (await tell(gate, CRITICAL)).result is Result.UNCHANGED
    assert (await tell(gate)).result is Result.THAWING
    assert (await tell(gate, CRITICAL, at=now + 2)).result is Result.EXTENDED
    assert (await tell(gate, CRITICAL, at=now - 1)).result is Result.OUTDATED


async def test_nothing_happens_for_what_no_rule_is_about(gate: Gate) -> None:
    assert (await tell(gate, Signal(severity=("minor",)))).result is Result.UNMATCHED
    assert (await tell(gate)).result is Result.UNMATCHED
    assert (await tell(gate, incomplete=True)).result is Result.UNMATCHED
    assert await freezes(gate) == []


async def test_what_a_report_leaves_out_keeps_a_freeze(gate: Gate) -> None:
    await tell(gate, CRITICAL)
    gate.clock.at += HOUR
    assert (await tell(gate, incomplete=True)).result is Result.EXTENDED


async def test_a_rule_that_was_removed_still_ends_its_freeze(gate: Gate) -> None:
    await tell(gate, CRITICAL)
    outcome = await use_cases(gate).take(
        Report("pagerduty", Incident("INC-1", "t", ())), RULES[1:], gate.in_force
    )
    assert outcome.result is Result.THAWING


async def test_names_that_the_policies_do_not_list_freeze_more_and_not_less(gate: Gate) -> None:
    rule = IncidentRule.model_validate(
        {
            "name": "all",
            "environments": ["prod", "staging"],
            "tags": ["tier-9"],
            "exempt": [{"changes": ["chore"]}, {"changes": ["rollback"]}],
        }
    )
    report = Report("pagerduty", Incident("1", "t", (Signal(),)))
    outcome = await use_cases(gate).take(report, [rule], gate.in_force)
    (freeze,) = await freezes(gate)
    assert freeze.selector == Selector.model_validate({"environments": ["staging"]})
    assert [each.changes for each in freeze.exempt] == [["rollback"]]
    assert len(outcome.unknown) == 3
    assert 'environments: unknown environment "prod"' in outcome.unknown[0]


async def test_a_text_or_link_with_a_key_is_not_published(gate: Gate) -> None:
    key = new_key()
    await tell(gate, CRITICAL, title=f"Leaked {key}", link=f"https://a.example/?{key}")
    await tell(gate, CRITICAL, key="2", link="javascript:alert(1)")
    assert {(each.title, each.link) for each in await freezes(gate)} == {
        ("Incident", None),
        ("Payments fail", None),
    }


async def test_the_freezes_of_a_source_are_bounded(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STANDING", 2)
    for key in ("1", "2"):
        await tell(gate, CRITICAL, key=key)
    with pytest.raises(BusyError, match="2 freezes of incidents of pagerduty stand already"):
        await tell(gate, CRITICAL, key="3", delivery="x")
    gate.clock.at += 2 * HOUR
    # It wasn't noted as dealt with, so its repetition is taken.
    assert (await tell(gate, CRITICAL, key="3", delivery="x")).result is Result.STARTED


async def test_incidents_are_forgotten_after_a_month(gate: Gate) -> None:
    await tell(gate, CRITICAL)
    gate.clock.at += module.KEPT_FOR + 1
    await tell(gate, CRITICAL, key="2")
    assert gate.store.query(lambda view: view.episodes("pagerduty", "INC-1")) == []


async def test_a_preview_says_what_would_happen_and_does_nothing(gate: Gate) -> None:
    async def preview(*firing: Signal, at: int | None = None) -> Outcome:
        report = Report("pagerduty", Incident("INC-1", "t", firing, at=at))
        return await use_cases(gate).preview(report, RULES, gate.in_force)

    assert (await preview(CRITICAL)).result is Result.STARTED
    assert await freezes(gate) == []
    await tell(gate, CRITICAL)
    gate.clock.at += HOUR
    before = await freezes(gate)
    extended = await preview(CRITICAL)
    assert extended.result is Result.EXTENDED
    assert extended.moves[0].freeze is not None
    assert extended.moves[0].freeze.ends_at == gate.clock.now() + 2 * HOUR
    assert (await preview()).result is Result.THAWING
    assert (await preview(at=1)).result is Result.OUTDATED
    assert await freezes(gate) == before


async def test_people_are_notified_of_what_happens_and_not_of_each_report(gate: Gate) -> None:
    notifications = notifying(gate)
    await told(notifications)
    await tell(gate, CRITICAL)
    for _ in range(3):
        gate.clock.at += HOUR
        assert (await tell(gate, CRITICAL)).result is Result.EXTENDED
    await tell(gate)
    await tell(gate, CRITICAL)
    found = events(await told(notifications))
    assert [each for each in found if each.startswith("freeze-")] == [
        "freeze-started",
        "freeze-extended",
        "freeze-extended",
    ]


async def test_all_of_it_is_in_the_record_and_the_tables_agree(gate: Gate) -> None:
    await tell(gate, CRITICAL)
    gate.clock.at += HOUR
    await tell(gate, CRITICAL)
    await tell(gate)
    kinds = [(each.kind, each.actor) for each in gate.store.query(lambda view: view.events_after(0, 100))]
    assert [each for each in kinds if each[1] == "pagerduty"] == [
        (Kind.FREEZE_STARTED, "pagerduty"),
        (Kind.FREEZE_EXTENDED, "pagerduty"),
        (Kind.FREEZE_EXTENDED, "pagerduty"),
    ]
    verified = await Record(gate.store, gate.clock).verify()
    assert verified.whole
