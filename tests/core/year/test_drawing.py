"""The picture of a year: what is drawn where, in units of the picture, and what is written."""

import re
from datetime import date
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from app.core.rule_style import HATCHING_PATHS, OTHERS
from app.core.wallclock import local_day
from app.core.year import Year, YearRequest
from app.core.year.drawing import COLUMN, GUTTER, HEAD, ROW, TRACK, YearDrawing, fitted
from app.core.year.svg import LIGHT, year_svg
from app.web.pages import asset
from tests.core.year.test_year import ALWAYS, FRIDAY, made, policy, policy_set, year_of
from tests.web.colours import palettes

TODAY = local_day(date(2027, 11, 29))
SVG = "{http://www.w3.org/2000/svg}"
BOX = re.compile(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z")


def month(shown: Year, number: int, link: Any = None) -> ET.Element:
    content = YearDrawing(shown, TODAY, link).month(number)
    return ET.fromstring(f'<svg xmlns="{SVG[1:-1]}">{content}</svg>')  # noqa: S314 - drawn by us


def sheet(shown: Year) -> ET.Element:
    return ET.fromstring(year_svg(shown, TODAY))  # noqa: S314 - drawn by us; that it is well-formed is the test


def day(shown: Year, month_number: int, number: int) -> ET.Element:
    drawn = month(shown, month_number)
    return [each for each in drawn.findall(f"{SVG}g") if each.get("role") == "img"][number - 1]


def boxes(drawn: ET.Element) -> dict[str, list[tuple[float, float, float, float]]]:
    """By colour: from which hour to which, and from which to which part of the day's height."""
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    top = float(drawn.findall(f"{SVG}rect[@class='cell']")[0].attrib["y"])
    for path in drawn.findall(f"{SVG}path"):
        if path.get("class"):
            for x, y, width, height in BOX.findall(path.attrib["d"]):
                start = (float(x) - GUTTER) * 24 / TRACK
                low = float(y) - top
                found.setdefault(path.attrib["class"].removeprefix("fill "), []).append(
                    (
                        round(start, 2),
                        round(start + float(width) * 24 / TRACK, 2),
                        round(low, 1),
                        round(low + float(height), 1),
                    )
                )
    return found


def texts(drawn: ET.Element, name: str) -> list[str]:
    return [each.text or "" for each in drawn.iter(f"{SVG}text") if each.get("class", "").split()[0] == name]


def test_the_frozen_part_of_a_day_is_drawn_to_scale() -> None:
    shown = year_of(2027, FRIDAY)
    assert boxes(day(shown, 1, 8)) == {"rule-0": [(14, 24, 0, 28)]}
    assert boxes(day(shown, 1, 9)) == {"rule-0": [(0, 24, 0, 28)]}
    assert boxes(day(shown, 1, 11)) == {"rule-0": [(0, 8, 0, 28)]}
    assert boxes(day(shown, 1, 12)) == {}
    january = month(shown, 1)
    [hatched] = january.findall(f"{SVG}g[@class='over']/{SVG}path")
    assert hatched.get("fill") == "url(#hatching-0)"
    filled = [each.attrib["d"] for each in january.iter(f"{SVG}path") if each.get("class") == "fill rule-0"]
    assert hatched.get("d") == "".join(filled), "just what is filled"


def test_rules_that_block_together_share_the_height_and_only_then() -> None:
    shown = year_of(
        2027,
        policy("a", {"daily": {"from": "10:00", "to": "16:00"}}),
        policy("b", {"daily": {"from": "12:00", "to": "14:00"}}),
    )
    assert boxes(day(shown, 3, 3)) == {
        "rule-0": [(10, 12, 0, 28), (12, 14, 0, 14), (14, 16, 0, 28)],
        "rule-1": [(12, 14, 14, 28)],
    }


def test_a_day_of_many_rules_shows_the_first_and_the_others_as_one() -> None:
    shown = year_of(2027, *({**ALWAYS, "id": f"p{number}"} for number in range(6)))
    assert boxes(day(shown, 3, 3)) == {
        "rule-0": [(0, 24, 0, 7)],
        "rule-1": [(0, 24, 7, 14)],
        "rule-2": [(0, 24, 14, 21)],
        OTHERS.colour: [(0, 24, 21, 28)],
    }


def test_days_that_clocks_change_on_are_drawn_once_from_midnight_to_midnight() -> None:
    shown = year_of(2027, ALWAYS, where="Europe/Amsterdam")
    for number, of in ((3, 28), (10, 31)):
        assert boxes(day(shown, number, of)) == {"rule-0": [(0, 24, 0, 28)]}
    twice = year_of(2010, ALWAYS, where="America/St_Johns")
    assert boxes(day(twice, 11, 7)) == {"rule-0": [(0, 0.02, 0, 28), (0.02, 24, 0, 28)]}


def test_a_day_that_a_zone_skips_has_no_paper() -> None:
    apia = month(year_of(2011, ALWAYS, where="Pacific/Apia"), 12)
    papers = "".join(each.attrib["d"] for each in apia.iter(f"{SVG}path") if "day" in each.get("class", ""))
    assert papers.count("z") == 30
    assert f"M0 {HEAD + 29 * ROW}h{COLUMN}" not in papers


@pytest.mark.parametrize("number", [2024, 2026, 2027, 2028, 2100])
def test_each_month_has_its_days_weekends_and_weeks(number: int) -> None:
    shown = year_of(number)
    for index in range(1, 13):
        drawn = month(shown, index)
        days = [each for each in shown.days if each.date.month == index]
        assert texts(drawn, "num") == [str(each.date.day) for each in days]
        assert texts(drawn, "dow") == [f"{each.date:%a}"[:2] for each in days]
        mondays = [each.date for each in days if each.date.weekday() == 0]
        assert texts(drawn, "week") == [f"w{each.isocalendar().week}" for each in mondays]
        weekends = [each for each in days if each.date.weekday() >= 5]
        [paper] = [
            each.attrib["d"] for each in drawn.iter(f"{SVG}path") if each.get("class") == "day weekend"
        ]
        assert re.findall(r"M0 (\d+)", paper) == [str(HEAD + (each.date.day - 1) * ROW) for each in weekends]


def test_today_is_marked_and_no_other_day() -> None:
    shown = year_of(2027)
    marked = [
        (index, number)
        for index in range(1, 13)
        for number, each in enumerate(month(shown, index).findall(f"{SVG}g[@role='img']"), 1)
        if each.findall(f"{SVG}rect[@class='today']")
    ]
    assert marked == [(11, 29)]


def test_holidays_and_rare_freezes_are_named_in_their_days() -> None:
    nl = policy("nl", {"holidays": {"country": "NL", "eve_from": "14:00"}})
    moving = policy("We are moving house this week", {"dates": {"from": "2027-05-18", "to": "2027-05-21"}})
    shown = year_of(2027, nl, {**moving, "id": "moving"}, FRIDAY)
    may = month(shown, 5)
    assert texts(may, "name") == [
        "Hemelvaartsdag",
        "Eerste pinksterdag",
        "Tweede pinksterdag",
        "We are moving house…",
    ]
    # A day with a name is drawn below it.
    assert boxes(day(shown, 5, 6)) == {"rule-0": [(0, 24, 12.5, 28)]}
    assert [each.get("class") for each in day(shown, 5, 6).findall(f"{SVG}text")][:2] == [
        "dow holiday",
        "num holiday",
    ]


def test_holidays_of_several_calendars_say_whose_they_are() -> None:
    both = [policy(code.lower(), {"holidays": {"country": code}}) for code in ("GB", "US")]
    december = month(year_of(2027, *both), 12)
    assert {"Boxing Day (GB)", "Christmas Day"} <= set(texts(december, "name")), "where there is room"
    [listed, *_] = texts(sheet(year_of(2027, *both)), "holidays")
    assert listed.startswith("Holidays: Fri 1 Jan New Year's Day (GB, US) · ")
    assert "Boxing Day" in texts(month(year_of(2027, both[0]), 12), "name")


def test_every_day_says_in_words_what_is_drawn_and_links_where_it_is_told_to() -> None:
    shown = year_of(2027, FRIDAY)
    assert day(shown, 1, 8).findtext(f"{SVG}title") == "Fri 8 Jan 2027: frozen 10 h: 14:00 to 24:00 friday"
    linked = month(shown, 1, lambda number: f'/day?of="{number}"&x=1')
    link = linked.findall(f"{SVG}a")[7]
    assert link.attrib["href"] == f'/day?of="{local_day(date(2027, 1, 8))}"&x=1'
    assert link.attrib["aria-label"] == "Fri 8 Jan 2027: frozen 10 h: 14:00 to 24:00 friday"
    assert len(linked.findall(f"{SVG}a")) == 31


def test_the_sheet_is_a3_and_complete_and_takes_no_markup_from_texts() -> None:
    hostile = policy("p", {"always": True})
    hostile["title"] = "</title><script>alert(1)</script> & \u202egnp"
    shown = made(policy_set([hostile]), YearRequest(2027, "production", "shop/web", "rollback"))
    text = year_svg(shown, TODAY)
    root = ET.fromstring(text)  # noqa: S314 - drawn by us
    assert (root.attrib["width"], root.attrib["height"]) == ("420mm", "297mm")
    width, height = map(int, root.attrib["viewBox"].split()[2:])
    assert width / height == pytest.approx(2**0.5, abs=0.01)
    assert "<script" not in text
    assert "\u202e" not in text
    assert texts(root, "year") == ["2027"]
    assert texts(root, "place") == ["shop/web in production, rollback"]
    assert texts(root, "entry") == ["</title><script>alert(1)</script> & gnp"]
    assert "100% of the year is frozen. Times are Europe/Amsterdam." in texts(root, "note")
    assert texts(root, "foot") == ["freezegate · as of Mon 29 Nov 2027"]
    named = {each.attrib["id"] for each in root.iter(f"{SVG}pattern")}
    assert {f"url(#{each})" for each in named} >= {
        each.attrib["fill"] for each in root.iter() if "url" in each.get("fill", "")
    }
    assert len(named) == len(HATCHING_PATHS)


def test_the_legend_names_every_rule_with_its_times_or_says_how_many_more() -> None:
    root = sheet(year_of(2027))
    assert texts(root, "entry") == ["No freezes."]
    few = sheet(year_of(2027, FRIDAY, ALWAYS))
    assert texts(few, "entry") == ["friday, 53 times", "closed"]
    many = year_of(2027, *({**ALWAYS, "id": f"p{number}"} for number in range(20)))
    assert texts(sheet(many), "entry")[-1] == "and 5 more"


def test_the_holidays_are_listed_as_far_as_there_is_room() -> None:
    [line] = texts(
        sheet(year_of(2027, policy("s", {"holidays": {"country": "CH"}}))),
        "holidays",
    )
    assert line.startswith("Holidays: Fri 1 Jan ")
    assert line.endswith("Sat 25 Dec Weihnachten")
    codes = ("GB", "US", "DE", "JP", "IN", "BR", "CN", "AU", "FR", "IT", "ES", "PT")
    everywhere = [policy(code.lower(), {"holidays": {"country": code}}) for code in codes]
    lines = texts(sheet(year_of(2027, *everywhere)), "holidays")
    assert re.search(r" · and \d+ more$", lines[-1])
    assert 3 <= len(lines) <= 7


def test_texts_are_cut_where_they_would_not_fit() -> None:
    assert fitted("short", 100, 10) == "short"
    assert fitted("a much longer text", 60, 10) == "a much lo…"
    assert len(fitted("全国勤労感謝の日と振替休日", 80, 10)) == 8


def test_the_colours_are_those_of_the_dashboard() -> None:
    light = palettes(asset("base.css").decode())["light"]
    assert {name: light[name] for name in LIGHT} == LIGHT
