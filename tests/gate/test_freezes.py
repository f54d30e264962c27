import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.core.decision import Question
from app.core.decision_json import decision_to_json
from app.core.feed import Wanted
from app.core.freeze import Freeze, FreezeState
from app.core.instant import DAY, HOUR
from app.core.interval import Period
from app.core.policy import Selector
from app.gate.check import check
from app.gate.claim import Claim
from app.gate.errors import InvalidFieldError, StateConflictError, UnknownRecordError
from app.gate.feeds import badge_of, feed
from app.gate.freezes import MAX_LENGTH, Change, StartRequest, to_json
from app.gate.in_force import InForce, with_freezes
from app.gate.overview import weeks
from app.gate.schedule import schedule
from app.gate.status import status
from tests.gate.conftest import AFTER, BEFORE, FRIDAY, OPS, OTHER, Gate, reload
from tests.store.records import assert_whole

pytestmark = pytest.mark.anyio


def request(selector: dict[str, Any] | None = None, **wanted: Any) -> StartRequest:
    made = StartRequest(
        "Incident 42", "Payments are down.", Selector.model_validate(selector or {}), None, None
    )
    return made._replace(**wanted)


def blocked(gate: Gate, service: str = "api", environment: str = "production", **at: int) -> list[str]:
    decision = gate.in_force.engine.decide(Question(service, environment), at.get("at", gate.clock.at))
    return [stretch.rule.title for stretch in decision.blocking]


def use(gate: Gate, policy_file: Path, policies: str) -> None:
    policy_file.write_text(policies)
    assert isinstance(reload(gate.policies, gate.clock.now()), InForce)


@pytest.fixture(autouse=True)
def open_hours(gate: Gate) -> None:
    gate.clock.at = BEFORE - HOUR


async def test_a_freeze_holds_at_once_and_until_its_end(gate: Gate) -> None:
    start = gate.clock.at
    freeze = await gate.freezes.start(OPS, request(ends_at=start + 600), gate.in_force)
    assert blocked(gate) == ["Incident 42"]
    assert blocked(gate, at=start + 599) == ["Incident 42"]
    assert blocked(gate, at=start + 600) == []
    assert to_json(freeze, start)["state"] == "active"
    assert to_json(freeze, start + 600)["state"] == "ended"
    assert_whole(gate.store)


async def test_a_scheduled_freeze_starts_later(gate: Gate) -> None:
    start = gate.clock.at + 600
    freeze = await gate.freezes.start(OPS, request(starts_at=start, ends_at=start + 60), gate.in_force)
    assert freeze.state(gate.clock.at) is FreezeState.SCHEDULED
    assert blocked(gate) == []
    decision = gate.in_force.engine.decide(Question("api", duration=601), gate.clock.at)
    assert [stretch.rule.id for stretch in decision.blocking] == [freeze.id]
    assert decision.opens_at == start + 60


@pytest.mark.parametrize(
    ("selector", "frozen"),
    [
        ({}, {("api", "production"), ("web", "production"), ("api", "staging"), ("web", "staging")}),
        ({"services": ["api"]}, {("api", "production"), ("api", "staging")}),
        ({"tags": ["tier-*"]}, {("api", "production"), ("api", "staging")}),
        ({"environments": ["staging"], "services": ["w*"]}, {("web", "staging")}),
    ],
)
async def test_a_freeze_stops_what_it_names(
    gate: Gate, selector: dict[str, Any], frozen: set[tuple[str, str]]
) -> None:
    await gate.freezes.start(OPS, request(selector), gate.in_force)
    asked = [
        (service, environment) for service in ("api", "web") for environment in ("production", "staging")
    ]
    assert {each for each in asked if blocked(gate, *each)} == frozen


@pytest.mark.parametrize(
    ("selector", "exempt", "field", "words"),
    [
        ({"environments": ["productoin"]}, (), "environments", 'did you mean "production"'),
        ({"tags": ["tier1"]}, (), "tags", 'did you mean "tier-1"'),
        ({"tags": ["moon*"]}, (), "tags", "no service of the catalogue"),
        ({}, ({"changes": ["rolback"]},), "exempt", 'did you mean "rollback"'),
        ({}, ({"environments": ["moon"]},), "exempt", "unknown environment"),
    ],
)
async def test_a_freeze_that_names_what_is_not_there_is_refused_with_a_suggestion(
    gate: Gate, selector: dict[str, Any], exempt: tuple[dict[str, Any], ...], field: str, words: str
) -> None:
    named = request(selector, exempt=tuple(map(Selector.model_validate, exempt)))
    with pytest.raises(InvalidFieldError, match=words) as caught:
        await gate.freezes.start(OPS, named, gate.in_force)
    assert caught.value.field == field
    made = await gate.freezes.start(OPS, request(), gate.in_force)
    values = {"exempt": named.exempt} if exempt else {}
    with pytest.raises(InvalidFieldError, match=words):
        await gate.freezes.change(OPS, made.id, Change(values, selector), gate.in_force)
    assert gate.in_force.engine.freezes == (made,)


async def test_a_service_outside_the_catalogue_is_frozen_where_unknown_ones_may_be_deployed(
    gate: Gate,
) -> None:
    await gate.freezes.start(OPS, request({"services": ["search-api"]}), gate.in_force)
    assert blocked(gate, "search-api") == ["Incident 42"]
    assert blocked(gate, "api") == []


async def test_a_service_outside_the_catalogue_is_named_where_unknown_ones_are_refused(
    gate: Gate, policy_file: Path
) -> None:
    use(gate, policy_file, FRIDAY.replace("overrides:", "unknown_services: refuse\noverrides:"))
    for selector, words in (
        ({"services": ["appi"]}, 'the catalogue has no service "appi"; did you mean "api"?'),
        ({"services": ["moon*"]}, 'no service of the catalogue has a name like "moon'),
    ):
        with pytest.raises(InvalidFieldError, match=re.escape(words).replace("; did", ".*did")) as caught:
            await gate.freezes.start(OPS, request(selector), gate.in_force)
        assert caught.value.field == "services"
    await gate.freezes.start(OPS, request({"services": ["api"]}), gate.in_force)
    assert blocked(gate) == ["Incident 42"]


async def test_tags_need_a_catalogue(gate: Gate, policy_file: Path) -> None:
    use(gate, policy_file, "version: 1\npolicies: []\n")
    with pytest.raises(InvalidFieldError, match="no catalogue"):
        await gate.freezes.start(OPS, request({"tags": ["tier-1"]}), gate.in_force)


async def test_what_a_freeze_exempts_goes_on(gate: Gate) -> None:
    exempt = (
        Selector.model_validate({"changes": ["rollback", "hotfix"]}),
        Selector.model_validate({"services": ["w*"], "environments": ["staging"]}),
    )
    freeze = await gate.freezes.start(OPS, request(exempt=exempt), gate.in_force)
    decide, now = gate.in_force.engine.decide, gate.clock.at
    for question, allowed in (
        (Question("api"), False),
        (Question("api", change="rollback"), True),
        (Question("api", change="hotfix"), True),
        (Question("web"), False),
        (Question("web", "staging"), True),
    ):
        assert decide(question, now).allowed is allowed, question
    claimed = await gate.claims.claim(Claim(Question("api", change="rollback")), gate.in_force)
    assert claimed.allowed
    assert (await gate.freezes.show(freeze.id)).exempt == exempt
    assert to_json(freeze, now)["exempt"] == [
        {"changes": ["rollback", "hotfix"]},
        {"services": ["w*"], "environments": ["staging"]},
    ]
    assert Freeze.from_data(json.loads(json.dumps(freeze.to_data()))) == freeze


async def test_an_answer_says_who_froze_since_when_and_whom_to_ask(gate: Gate) -> None:
    now = gate.clock.at
    await gate.freezes.start(OPS, request(contact="#incidents"), gate.in_force)
    told = decision_to_json(check(gate.in_force, Question("api"), now + 60), gate.in_force.home, "")
    assert told["message"] == (
        "api may not be deployed to production: Incident 42 (started by Alice Fri 27 Nov 12:59:59 CET; "
        "ask #incidents). It does not open within two years."
    )
    (entry,) = told["blocking"]
    assert (entry["started_by"], entry["from"], entry["contact"]) == (
        "Alice",
        "2026-11-27T11:59:59Z",
        "#incidents",
    )
    shown = status(gate.in_force, None, None, now, now)
    assert "started by Alice" in shown["environments"][0]["message"]
    assert shown["freezes"]["active"][0]["started_by"] == "Alice"
    blocked_by_policy = decision_to_json(check(gate.in_force, Question("api"), AFTER), gate.in_force.home, "")
    assert "started_by" not in blocked_by_policy["blocking"][1]


async def test_an_open_answer_says_who_scheduled_what_will_close_it(gate: Gate) -> None:
    start = gate.clock.at + 600
    wanted = request(starts_at=start, ends_at=start + 60, contact="#incidents")
    await gate.freezes.start(OPS, wanted, gate.in_force)
    told = decision_to_json(check(gate.in_force, Question("api"), gate.clock.at), gate.in_force.home, "")
    assert told["message"].endswith("in 10 min: Incident 42 (scheduled by Alice; ask #incidents).")
    assert told["closing"][0]["started_by"] == "Alice"


@pytest.mark.parametrize(
    ("starts", "ends", "field"),
    [(-1, 60, "starts_at"), (0, 0, "until"), (60, 60, "until"), (0, MAX_LENGTH + 1, "until")],
)
async def test_a_freeze_ends_after_it_starts_and_within_a_year(
    gate: Gate, starts: int, ends: int, field: str
) -> None:
    now = gate.clock.at
    with pytest.raises(InvalidFieldError) as caught:
        await gate.freezes.start(OPS, request(starts_at=now + starts, ends_at=now + ends), gate.in_force)
    assert caught.value.field == field


async def test_a_freeze_is_extended_shortened_opened_and_closed_again(gate: Gate) -> None:
    now = gate.clock.at
    freeze = await gate.freezes.start(OPS, request(ends_at=now + 600), gate.in_force)
    for ends_at in (now + 900, now + 300, None, now + 60):
        extended = await gate.freezes.extend(OTHER, freeze.id, ends_at)
        assert extended.ends_at == ends_at
        assert gate.in_force.engine.freezes == (extended,)
    with pytest.raises(InvalidFieldError):
        await gate.freezes.extend(OTHER, freeze.id, now)
    with pytest.raises(InvalidFieldError):
        await gate.freezes.extend(OTHER, freeze.id, now + MAX_LENGTH + 1)
    gate.clock.at = now + 60
    with pytest.raises(StateConflictError, match="ended"):
        await gate.freezes.extend(OTHER, freeze.id, now + 900)
    assert_whole(gate.store)


CHANGES: list[tuple[dict[str, Any], dict[str, list[str] | None]]] = [
    ({"title": "Incident 43"}, {}),
    ({"reason": "Cards fail."}, {}),
    ({"contact": "#incidents", "link": "https://incidents.example/43"}, {}),
    ({"override": "never"}, {}),
    ({"exempt": (Selector.model_validate({"changes": ["rollback"]}),)}, {}),
    ({"exempt": ()}, {}),
    ({"contact": None}, {}),
    ({}, {"environments": ["production"], "services": ["a*"], "tags": ["tier-1"]}),
    ({}, {"services": None, "tags": None}),
]


async def test_everything_about_a_freeze_but_its_past_can_be_changed(gate: Gate, other: Gate) -> None:
    now = gate.clock.at
    freeze = await gate.freezes.start(OPS, request(ends_at=now + 600), gate.in_force)
    scope: dict[str, Any] = {}
    for values, changed_scope in CHANGES:
        gate.clock.at += 1
        scope = {**scope, **changed_scope}
        selector = Selector.model_validate({name: each for name, each in scope.items() if each})
        rescoped = freeze.rescoped_at
        freeze = freeze._replace(**values, selector=selector, changed_at=gate.clock.at)
        changed = await gate.freezes.change(OTHER, freeze.id, Change(values, changed_scope), gate.in_force)
        if changed_scope or values.keys() & {"exempt", "override"}:
            assert changed.rescoped_at is not None
        else:
            assert changed.rescoped_at == rescoped
        freeze = freeze._replace(rescoped_at=changed.rescoped_at)
        assert changed == freeze
        assert gate.in_force.engine.freezes == (freeze,)
        await other.cache.refresh()
        assert other.in_force.engine.freezes == (freeze,)
    events = gate.store.query(lambda view: view.events_after(0, 99))
    told = [json.loads(each.data) for each in events if each.kind == "freeze-changed"]
    assert len(told) == len(CHANGES)
    assert told[0]["before"] == {"title": "Incident 42"}
    assert told[0]["freeze"]["title"] == "Incident 43"
    assert told[-1]["before"] == {"services": ["a*"], "tags": ["tier-1"]}
    assert {each.actor for each in events if each.kind == "freeze-changed"} == {"Bob"}
    assert_whole(gate.store)


async def test_whether_running_deploys_may_finish_is_kept_and_a_change_of_it_counts_as_one_of_the_scope(
    gate: Gate,
) -> None:
    stopping = await gate.freezes.start(OPS, request(), gate.in_force)
    assert (stopping.running, stopping.rescoped_at) == ("stop", None)
    gate.clock.at += 60
    changed = await gate.freezes.change(OPS, stopping.id, Change({"running": "finish"}, {}), gate.in_force)
    assert changed.running == "finish"
    assert changed.rescoped_at is not None
    started = await gate.freezes.start(OPS, request(running="finish"), gate.in_force)
    assert [each.running for each in await gate.freezes.newest(None, 9)] == ["finish", "finish"]
    assert to_json(started, AFTER)["running"] == "finish"
    assert_whole(gate.store)


async def test_a_change_that_changes_nothing_is_not_recorded(gate: Gate) -> None:
    freeze = await gate.freezes.start(OPS, request({"services": ["api"]}), gate.in_force)
    same = Change({"title": "Incident 42", "starts_at": freeze.starts_at}, {"services": ["api"]})
    before = gate.store.query(lambda view: view.head())
    assert await gate.freezes.change(OTHER, freeze.id, same, gate.in_force) == freeze
    assert gate.store.query(lambda view: view.head()) == before


async def test_the_start_of_a_freeze_can_be_moved_until_it_has_begun(gate: Gate) -> None:
    now = gate.clock.at
    freeze = await gate.freezes.start(OPS, request(starts_at=now + 600, ends_at=now + 900), gate.in_force)

    async def move(**values: int | None) -> Freeze:
        return await gate.freezes.change(OTHER, freeze.id, Change(values, {}), gate.in_force)

    for starts_at, field in ((now - 1, "starts_at"), (now + 900, "until"), (now + 901, "until")):
        with pytest.raises(InvalidFieldError) as caught:
            await move(starts_at=starts_at)
        assert caught.value.field == field
    with pytest.raises(InvalidFieldError, match="366 days"):
        await move(starts_at=now + 600, ends_at=now + 600 + MAX_LENGTH + 1)
    assert (await move(starts_at=now + 600, ends_at=now + 600 + MAX_LENGTH)).ends_at
    assert (await move(starts_at=now + 300, ends_at=now + 900)).starts_at == now + 300
    assert gate.in_force.engine.decide(Question("api"), now).closes_at == now + 300
    assert (await move(starts_at=now)).starts_at == now
    assert blocked(gate) == ["Incident 42"]
    with pytest.raises(InvalidFieldError, match="has begun"):  # in this very second
        await move(starts_at=now + 300)
    gate.clock.at += 1
    with pytest.raises(InvalidFieldError, match="has begun"):
        await move(starts_at=now - 300)


async def test_a_freeze_that_names_what_the_policies_do_not_list_any_more_can_still_be_changed(
    gate: Gate, policy_file: Path
) -> None:
    freeze = await gate.freezes.start(OPS, request({"environments": ["staging"]}), gate.in_force)
    use(gate, policy_file, "version: 1\npolicies: []\n")
    changed = await gate.freezes.change(OPS, freeze.id, Change({"title": "Over soon"}, {}), gate.in_force)
    assert changed.title == "Over soon"


async def test_why_a_freeze_was_lifted_is_kept(gate: Gate) -> None:
    freeze = await gate.freezes.start(OPS, request(), gate.in_force)
    lifted = await gate.freezes.lift(OTHER, freeze.id, "The card scheme is back.")
    assert to_json(lifted, gate.clock.at)["lift_reason"] == "The card scheme is back."
    assert (await gate.freezes.lift(OPS, freeze.id, "Again")).lift_reason == "The card scheme is back."
    assert await gate.freezes.show(freeze.id) == lifted
    (event,) = [
        each
        for each in gate.store.query(lambda view: view.events_after(0, 9))
        if each.kind == "freeze-lifted"
    ]
    assert json.loads(event.data) == {"freeze": freeze.id, "reason": "The card scheme is back."}


@pytest.mark.parametrize(("length", "taken"), [(MAX_LENGTH, True), (MAX_LENGTH + 1, False)])
async def test_a_freeze_lasts_366_days_at_most(gate: Gate, length: int, *, taken: bool) -> None:
    now = gate.clock.at
    assert MAX_LENGTH == 366 * DAY
    for starts_at in (now, now + 600):
        wanted = request(starts_at=starts_at, ends_at=starts_at + length)
        if taken:
            await gate.freezes.start(OPS, wanted, gate.in_force)
        else:
            with pytest.raises(InvalidFieldError, match="366 days"):
                await gate.freezes.start(OPS, wanted, gate.in_force)


async def test_a_freeze_is_lifted_once_and_the_record_stays(gate: Gate) -> None:
    now = gate.clock.at
    freeze = await gate.freezes.start(OPS, request(), gate.in_force)
    gate.clock.at += 60
    lifted = await gate.freezes.lift(OTHER, freeze.id)
    assert blocked(gate) == []
    assert blocked(gate, at=now + 59) == ["Incident 42"]
    assert (lifted.lifted_by, lifted.lifted_at) == ("Bob", now + 60)
    gate.clock.at += 60
    assert await gate.freezes.lift(OPS, freeze.id) == lifted
    assert await gate.freezes.show(freeze.id) == lifted
    assert await gate.freezes.newest(None, 9) == [lifted]
    with pytest.raises(StateConflictError):
        await gate.freezes.extend(OPS, freeze.id, None)


async def test_a_freeze_that_is_lifted_before_it_starts_leaves_no_trace_in_any_answer(gate: Gate) -> None:
    now = gate.clock.at = BEFORE - 2 * DAY  # it starts in an hour; Friday's own freeze comes in two days
    before = _seen(gate, now)
    closed_before = gate.in_force.engine.decide(Question("api"), now).closes_at
    freeze = await gate.freezes.start(
        OPS, request(starts_at=now + HOUR, ends_at=now + 4 * HOUR), gate.in_force
    )
    assert gate.in_force.engine.decide(Question("api"), now).closes_at == now + HOUR
    assert _seen(gate, now) != before
    await gate.freezes.lift(OPS, freeze.id)
    assert gate.in_force.engine.decide(Question("api"), now).closes_at == closed_before
    for at in (now, now + 1, now + HOUR, now + 2 * HOUR, AFTER):
        with_it, without = gate.in_force, with_freezes(gate.in_force, (), 0)
        assert _seen(gate, at, with_it) == _seen(gate, at, without)


def _seen(gate: Gate, at: int, in_force: InForce | None = None) -> list[object]:
    """Every kind of answer that is given of an instant, without the instants of loading."""
    in_force = in_force or gate.in_force
    question = Question("api")
    decision = check(in_force, question, at)
    shown = status(in_force, None, None, at, gate.clock.at)
    span = Period(at, at + 7 * DAY)
    return [
        decision_to_json(decision, in_force.home, in_force.revision),
        decision_to_json(
            check(in_force, question._replace(duration=2 * HOUR), at), in_force.home, in_force.revision
        ),
        [shown["environments"], shown["freezes"], shown["warnings"]],
        schedule(in_force, question, span),
        badge_of(in_force, Wanted("production"), None, at),
        feed(in_force, Wanted("production", "api"), span, 0),
        weeks(in_force, "production", at),
        in_force.engine.freezes_for(question, at),
    ]


async def test_a_freeze_stands_in_the_schedule_and_the_status(gate: Gate) -> None:
    now = gate.clock.at
    freeze = await gate.freezes.start(OPS, request(starts_at=now + 60, ends_at=now + 120), gate.in_force)
    segments = schedule(gate.in_force, Question("api"), Period(now, now + 180))["segments"]
    assert [(segment["allowed"], [each["id"] for each in segment["blocking"]]) for segment in segments] == [
        (True, []),
        (False, [freeze.id]),
        (True, []),
    ]
    upcoming = status(gate.in_force, None, None, now, now)["freezes"]["upcoming"]
    assert upcoming[0]["id"] == freeze.id
    active = status(gate.in_force, None, None, now + 60, now)["freezes"]["active"]
    assert active[0]["kind"] == "freeze"


@pytest.mark.parametrize(("ahead", "told"), [(28 * DAY - 1, True), (28 * DAY, False)])
async def test_what_comes_within_28_days_is_upcoming(gate: Gate, ahead: int, *, told: bool) -> None:
    now = gate.clock.at = BEFORE - 7 * DAY
    freeze = await gate.freezes.start(OPS, request(starts_at=now + ahead), gate.in_force)
    upcoming = status(gate.in_force, None, None, now, now)["freezes"]["upcoming"]
    assert (freeze.id in [each["id"] for each in upcoming]) is told


async def test_an_open_ended_freeze_is_pointed_out_after_a_day(gate: Gate) -> None:
    start = gate.clock.at
    await gate.freezes.start(OPS, request(), gate.in_force)
    told = [status(gate.in_force, None, None, at, at)["warnings"] for at in (start + DAY - 1, start + DAY)]
    assert told[0] == []
    assert told[1] == [
        "Incident 42: this freeze has no end, and Alice started it 1 d ago. Is it still needed?"
    ]


async def test_what_nobody_started_is_unknown(gate: Gate) -> None:
    with pytest.raises(UnknownRecordError):
        await gate.freezes.show("frz_0")
    with pytest.raises(UnknownRecordError):
        await gate.freezes.lift(OPS, "frz_0")
    with pytest.raises(UnknownRecordError):
        await gate.freezes.extend(OPS, "frz_0", None)
