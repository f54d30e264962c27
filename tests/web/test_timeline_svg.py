"""The picture of the coming weeks: what is drawn where, in units of the picture."""

from collections.abc import Iterable
from typing import Any

import pytest

from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR, format_instant, parse_instant
from app.core.policy import PolicySet, Selector
from app.core.rule_style import COLOURS, Style, rule_styles
from app.gate.in_force import InForce
from app.gate.overview import DAYS, weeks
from app.gate.status import UPCOMING
from app.policies.source import Snapshot
from app.web.timeline_svg import (
    DAY_WIDTH,
    HOUR_HEIGHT,
    LEFT,
    TOP,
    Box,
    StretchShape,
    Timeline,
    draw_timeline,
    each_once,
)

FRIDAY = "2026-11-27T13:00:00Z"  # 14:00 in Amsterdam

ALWAYS = [{"always": True}]


def policy(own_id: str, *when: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": own_id,
        "title": f"{own_id}.",
        "reason": f"Because of {own_id}.",
        "when": list(when),
        **more,
    }


def daily(start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"daily": {"from": start, "to": end, **more}}


def dates(start: str, end: str) -> dict[str, Any]:
    return {"dates": {"from": start, "to": end}}


def freeze(number: int, start: str, end: str | None, title: str = "Incident") -> Freeze:
    return Freeze(
        f"frz_{number}",
        title,
        "Cards fail.",
        None,
        None,
        Selector.model_validate({}),
        "token",
        parse_instant(start),
        None if end is None else parse_instant(end),
        "ada",
        0,
    )


def drawn(
    policies: Iterable[dict[str, Any]],
    now: str = FRIDAY,
    freezes: Iterable[Freeze] = (),
    zone: str = "Europe/Amsterdam",
    environment: str = "production",
) -> Timeline:
    """The picture of a policy set at an instant."""
    policy_set = PolicySet.model_validate(
        {
            "version": 1,
            "timezone": zone,
            "environments": ["production", "staging"],
            "policies": list(policies),
        }
    )
    engine = Engine(policy_set).with_freezes(list(freezes))
    in_force = InForce(engine, Snapshot.of("version: 1\n"), 0, ())
    at = parse_instant(now)
    styles = rule_styles(policy_set.policies, engine.freezes, at)
    return draw_timeline(weeks(in_force, environment, at), styles, in_force.home, at)


def column(box: Box) -> int:
    return int((box.x - LEFT) // DAY_WIDTH)


def hours(box: Box) -> tuple[float, float]:
    """From when until when a box reaches, on the wall clock."""
    start = (box.y - TOP) / HOUR_HEIGHT
    return round(start, 2), round(start + box.height / HOUR_HEIGHT, 2)


def of(found: Timeline, title: str) -> list[StretchShape]:
    return [each for each in found.drawn if each.label.startswith(f"{title}:")]


def shown(found: Timeline, title: str) -> list[tuple[int, float, float]]:
    """Every box of a rule: its column, from when and until when."""
    return [(column(box), *hours(box)) for each in of(found, title) for box in each.boxes]


def test_a_stretch_is_drawn_in_the_column_of_its_day_from_hour_to_hour() -> None:
    found = drawn([policy("friday", {"weekly": {"from": "fri 14:00", "to": "mon 08:00"}})])
    assert shown(found, "friday")[:5] == [
        (0, 14, 24),
        (1, 0, 24),
        (2, 0, 24),
        (3, 0, 8),
        (7, 14, 24),
    ]


def test_a_stretch_that_ends_at_midnight_has_no_part_in_the_next_day() -> None:
    found = drawn([policy("evening", daily("20:00", "24:00"))])
    assert shown(found, "evening") == [(day, 20, 24) for day in range(DAYS)]


def test_a_rule_that_blocks_beside_a_longer_one_is_a_mark_at_its_edge() -> None:
    found = drawn([policy("a", daily("10:00", "16:00")), policy("b", daily("12:00", "14:00"))])
    (whole, first, after) = (box for box in of(found, "a")[0].boxes if column(box) == 0)
    (second,) = (box for box in of(found, "b")[0].boxes if column(box) == 0)
    assert (hours(whole), hours(first), hours(second), hours(after)) == (
        (10, 12),
        (12, 14),
        (12, 14),
        (14, 16),
    )
    assert whole.width == after.width == DAY_WIDTH - 2
    assert (first.width, second.width) == (whole.width - 5, 5)
    assert (whole.x, first.x) == (LEFT, LEFT)
    assert second.x == first.x + first.width


@pytest.mark.parametrize("together", [1, 2, 3, 7, 12])
def test_lanes_never_overlap_and_stay_within_their_day(together: int) -> None:
    found = drawn([policy(f"p{number}", *ALWAYS) for number in range(together)])
    assert len(found.drawn) == together
    for day in range(DAYS):
        boxes = sorted(box for each in found.drawn for box in each.boxes if column(box) == day)
        assert len(boxes) == together
        edges = [LEFT + day * DAY_WIDTH, *(box.x + box.width for box in boxes)]
        assert all(box.x == pytest.approx(edge, abs=0.02) for box, edge in zip(boxes, edges, strict=False))
        assert edges[-1] <= LEFT + (day + 1) * DAY_WIDTH - 1.9


def test_the_picture_begins_today_and_reaches_as_far_as_upcoming_freezes() -> None:
    for hour in range(0, 24, 5):
        for day in range(7):
            now = parse_instant("2026-11-23T00:00:00Z") + day * DAY + hour * HOUR
            found = drawn([policy("p", *ALWAYS)], format_instant(now))
            assert [each.today for each in found.days] == [True] + [False] * (DAYS - 1)
            boxes = found.drawn[0].boxes
            last = hours(boxes[-1])[1] * HOUR + column(boxes[-1]) * DAY
            local_now = (now + HOUR) % DAY
            assert last - local_now >= UPCOMING


@pytest.mark.parametrize(
    ("now", "zone", "today"),
    [
        ("2026-11-27T22:59:59Z", "Europe/Amsterdam", "27"),
        ("2026-11-27T23:00:00Z", "Europe/Amsterdam", "28"),
        ("2026-11-27T04:59:59Z", "America/New_York", "26"),
        ("2026-11-27T12:00:00Z", "Pacific/Kiritimati", "28"),
    ],
)
def test_today_is_the_day_of_the_zone_of_the_file(now: str, zone: str, today: str) -> None:
    assert drawn([], now, zone=zone).days[0].number == today


def test_a_sunday_before_midnight_shows_the_four_weeks_after_it() -> None:
    found = drawn([policy("late", dates("2026-12-27 12:00", "2026-12-27 18:00"))], "2026-11-29T22:59:59Z")
    assert shown(found, "late") == [(28, 12, 18)]


def test_weekends_mondays_and_months_are_marked() -> None:
    days = drawn([]).days
    assert [each.name for each in days[:8]] == ["Fr", "Sa", "Su", "Mo", "Tu", "We", "Th", "Fr"]
    assert [each.number for each in days[:5]] == ["27", "28", "29", "30", "1"]
    assert [number for number, each in enumerate(days) if each.weekend] == [1, 2, 8, 9, 15, 16, 22, 23]
    assert [number for number, each in enumerate(days) if each.monday] == [3, 10, 17, 24]
    assert {number: each.month for number, each in enumerate(days) if each.month} == {
        0: "Nov",
        4: "Dec",
    }
    assert [each.x for each in days] == [LEFT + number * DAY_WIDTH for number in range(DAYS)]


def test_each_picture_names_the_months_that_it_shows() -> None:
    for number in range(400):
        now = parse_instant("2026-01-01T12:00:00Z") + number * DAY
        days = drawn([], format_instant(now)).days
        assert [each.month for each in days if each.month] == [
            each.month for each in days if each.number == "1" or each is days[0]
        ]


@pytest.mark.parametrize(
    ("now", "hour"),
    [
        ("2026-11-26T23:00:00Z", 0),
        ("2026-11-27T05:30:00Z", 6.5),
        (FRIDAY, 14),
        ("2026-11-27T22:59:59Z", 24),
        ("2026-03-29T00:59:59Z", 2),
        ("2026-03-29T01:00:00Z", 3),
        ("2026-10-25T00:30:00Z", 2.5),
        ("2026-10-25T01:30:00Z", 2.5),
    ],
)
def test_the_line_of_now_stands_at_the_hour_of_the_wall_clock_and_the_veil_reaches_to_it(
    now: str, hour: float
) -> None:
    found = drawn([policy("p", *ALWAYS)], now)
    assert found.now.x == LEFT
    assert found.now.y == pytest.approx(TOP + hour * HOUR_HEIGHT, abs=0.01)
    assert found.now.width == DAY_WIDTH - 2
    assert (found.past.x, found.past.y, found.past.width) == (LEFT, TOP, DAY_WIDTH - 2)
    assert found.past.height == pytest.approx(hour * HOUR_HEIGHT, abs=0.01)


def test_a_day_of_23_hours_is_drawn_through_the_hour_that_is_left_out() -> None:
    found = drawn([policy("night", daily("01:00", "05:00"))], "2026-03-28T12:00:00Z")
    assert shown(found, "night")[:3] == [(0, 1, 5), (1, 1, 5), (2, 1, 5)]
    whole = drawn([policy("p", *ALWAYS)], "2026-03-28T12:00:00Z")
    assert shown(whole, "p") == [(day, 0, 24) for day in range(DAYS)]


def test_a_day_of_25_hours_is_drawn_once_from_midnight_to_midnight() -> None:
    found = drawn([policy("night", daily("01:00", "05:00"))], "2026-10-24T12:00:00Z")
    assert shown(found, "night")[:3] == [(0, 1, 5), (1, 1, 5), (2, 1, 5)]
    whole = drawn([policy("p", *ALWAYS)], "2026-10-24T12:00:00Z")
    assert shown(whole, "p") == [(day, 0, 24) for day in range(DAYS)]


def test_what_lasts_from_an_hour_into_the_same_hour_again_is_drawn_all_the_same() -> None:
    # From 02:50, before the clock is set back from 03:00 to 02:00, until 02:10 after that.
    again = freeze(1, "2026-10-25T00:50:00Z", "2026-10-25T01:10:00Z")
    found = drawn([], "2026-10-24T12:00:00Z", [again])
    assert shown(found, "Incident") == [(1, 2, 2.17), (1, 2.83, 3)]


def test_days_are_those_of_the_file_and_bounds_are_told_in_the_zone_of_the_rule() -> None:
    abroad = policy("trades", daily("09:30", "16:00"), timezone="America/New_York")
    found = drawn([abroad, policy("home", daily("09:30", "15:30"))])
    assert shown(found, "trades")[0] == (0, 15.5, 22)
    assert found.drawn[0].label == (
        "home: from Fri 27 Nov 09:30 CET to Fri 27 Nov 15:30 CET. Because of home."
    )
    assert of(found, "trades")[0].label == (
        "trades: from Fri 27 Nov 09:30 EST to Fri 27 Nov 16:00 EST. Because of trades."
    )


def test_a_label_tells_bounds_that_are_out_of_sight() -> None:
    found = drawn([policy("p", *ALWAYS)], freezes=[freeze(1, "2026-11-27T12:00:00Z", None)])
    freeze_told = "Incident: from Fri 27 Nov 13:00 CET with no end in sight. Cards fail."
    assert {each.label for each in found.drawn} == {
        "p: for longer than two years with no end in sight. Because of p.",
        f"{freeze_told} Started by ada Fri 27 Nov 13:00 CET.",
    }


def test_a_label_does_not_turn_round_what_comes_after_a_title() -> None:
    found = drawn([], freezes=[freeze(1, "2026-11-27T12:00:00Z", None, "gnp\u202e.exe")])
    assert found.drawn[0].label.startswith("gnp.exe: from Fri 27 Nov")


def test_a_rule_looks_the_same_in_the_picture_of_every_environment() -> None:
    policies = [
        policy("only-staging", *ALWAYS, applies_to=[{"environments": ["staging"]}]),
        policy("everywhere", *ALWAYS),
        policy("late", *ALWAYS, effect="warn"),
        policy("only-production", *ALWAYS, applies_to=[{"environments": ["production"]}]),
    ]
    production, staging = (drawn(policies, environment=name) for name in ("production", "staging"))
    assert (
        of(production, "everywhere")[0].style
        == of(staging, "everywhere")[0].style
        == Style("rule-1", "hatching-1")
    )
    assert of(staging, "only-staging")[0].style == Style("rule-0", "hatching-0")
    assert of(production, "only-production")[0].style == Style("rule-2", "hatching-2")
    assert not of(production, "late")


def test_the_first_policies_differ_in_colour_and_none_of_sixty_four_look_alike() -> None:
    policies = PolicySet.model_validate(
        {"version": 1, "policies": [policy(f"p{number}", *ALWAYS) for number in range(64)]}
    ).policies
    styles = list(rule_styles(policies, (), 0).values())
    assert len({each.colour for each in styles[:COLOURS]}) == COLOURS
    assert len({each.hatching for each in styles[:COLOURS]}) == COLOURS
    assert len(set(styles)) == 64


def test_ad_hoc_freezes_share_a_colour_of_their_own_and_differ_in_their_hatching() -> None:
    standing = [
        freeze(number, f"2026-11-27T{number:02}:00:00Z", None, f"F{number}") for number in range(1, 5)
    ]
    found = drawn([policy("p", *ALWAYS)], freezes=standing)
    styles = [of(found, f"F{number}")[0].style for number in range(1, 5)]
    assert {each.colour for each in styles} == {"rule-freeze"}
    assert len({each.hatching for each in styles}) == 4
    assert of(found, "p")[0].style.colour != "rule-freeze"


def test_the_legend_names_what_is_in_force_or_to_come_freezes_first() -> None:
    freezes = [
        freeze(1, "2026-11-27T08:00:00Z", "2026-11-27T09:00:00Z", "Over"),
        freeze(2, "2026-11-27T08:00:00Z", FRIDAY, "Just over"),
        freeze(3, "2026-11-27T08:00:00Z", "2026-11-27T13:00:01Z", "Nearly over"),
        freeze(4, "2026-12-01T08:00:00Z", None, "To come"),
        freeze(5, "2027-12-01T08:00:00Z", None, "Out of view"),
    ]
    policies = [
        policy("morning", dates("2026-11-27 06:00", "2026-11-27 08:00")),
        policy("always", *ALWAYS),
    ]
    found = drawn(policies, freezes=freezes)
    assert [each.title for each in found.legend] == ["Nearly over", "To come", "always."]
    by_title = {each.title.rstrip("."): each.style for each in found.legend}
    for each in found.drawn:
        title = each.label.partition(":")[0]
        assert by_title.get(title, each.style) == each.style
    assert of(found, "Over")
    assert not of(found, "Out of view")


def test_what_changes_every_minute_is_not_drawn_but_said() -> None:
    every_minute = {"cron": {"start": "* * * * *", "duration": "30s"}}
    found = drawn([policy("jobs", every_minute)])
    assert (found.whole, found.drawn) == (False, ())
    assert drawn([policy("jobs", {"cron": {"start": "0 * * * *", "duration": "30m"}})]).whole


def test_environments_with_the_same_freezes_are_drawn_once() -> None:
    daily_at_noon = daily("12:00", "13:00")
    policy_set = PolicySet.model_validate(
        {
            "version": 1,
            "environments": ["production", "eu", "staging", "us"],
            "policies": [
                policy("noon", daily_at_noon, applies_to={"environments": ["production", "eu", "us"]})
            ],
        }
    )
    at = parse_instant(FRIDAY)
    in_force = InForce(Engine(policy_set), Snapshot.of("version: 1\n"), 0, ())
    found = each_once(weeks(in_force, name, at) for name in policy_set.environments)
    assert [each.environment for each in found] == ["production, eu, us", "staging"]
