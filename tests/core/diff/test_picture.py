"""A difference as a picture that stands alone."""

from xml.etree import ElementTree as ET

import pytest

from app.core.diff import Difference, ServiceGroup
from app.core.diff.picture import picture
from app.core.instant import DAY, HOUR
from tests.core.diff.test_markdown import HOME, NOW, PERIOD, POLICIES, compared, group, hours, made
from tests.hostile import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own text


def boxes(root: ET.Element, kind: str) -> list[ET.Element]:
    """The boxes of opened or closed hours, without that of the legend."""
    return [each for each in root.iter(f"{SVG}rect") if each.get("fill") == f"url(#{kind})"][1:]


def test_each_friday_is_a_box_and_the_words_say_the_same() -> None:
    root = drawn(picture(compared(POLICIES, POLICIES.replace("fri 14:00", "fri 15:00")), HOME))
    opened = boxes(root, "opens")
    assert len(opened) == 8
    assert {(each.get("height"), each.get("y")) for each in opened} == {("5", "184")}
    assert boxes(root, "closes") == []
    assert root.findtext(f"{SVG}title") == "Opens 8 hours, closes none, in production"
    description = root.findtext(f"{SVG}desc") or ""
    assert description.startswith(
        "production: 8 hours open, none close, for every service except docs-site, in 8 stretches; "
        "the first is Fri 4 Dec"
    )


def test_it_needs_no_style_sheet_no_script_and_nothing_from_elsewhere() -> None:
    text = picture(compared(POLICIES, POLICIES.replace("fri 14:00", "fri 15:00")), HOME)
    for word in ("<style", "style=", "class=", "<script", "href", "@import", "<image"):
        assert word not in text
    assert text.count("http") == 1  # the name space


def test_nothing_that_differs_is_an_empty_grid() -> None:
    root = drawn(picture(compared(POLICIES, POLICIES), HOME))
    assert boxes(root, "opens") == boxes(root, "closes") == []
    assert root.findtext(f"{SVG}desc") == "Nothing is drawn: No hours open or close."


def test_what_opens_for_one_and_closes_for_another_stands_side_by_side() -> None:
    root = drawn(
        picture(
            made(
                Difference(("env-0",), ("normal",), group("a"), (hours(0, HOUR),)),
                Difference(("env-0",), ("normal",), group("b"), (hours(0, HOUR, opens=False),)),
            ),
            HOME,
        )
    )
    (opened,), (closed,) = boxes(root, "opens"), boxes(root, "closes")
    assert float(closed.get("x", 0)) == float(opened.get("x", 0)) + float(opened.get("width", 0))


def test_what_opens_and_closes_at_other_times_has_the_whole_width() -> None:
    both = (hours(0, HOUR), hours(DAY, HOUR, opens=False))
    root = drawn(picture(made(Difference(("env-0",), ("normal",), group("a"), both)), HOME))
    (opened,), (closed,) = boxes(root, "opens"), boxes(root, "closes")
    assert opened.get("width") == closed.get("width") == "15"


def test_names_of_months_have_room_and_a_long_headline_is_cut() -> None:
    names = [f"environment-{number}-{'x' * 60}" for number in range(3)]
    found = made(Difference(tuple(names), ("normal",), group("a"), (hours(0, HOUR),)))
    root = drawn(picture(found._replace(environments=tuple(names)), HOME))
    texts = [each.text or "" for each in root.iter(f"{SVG}text")]
    assert [each for each in texts if each.endswith((" 2026", " 2027"))] == ["Dec 2026", "Jan 2027"]
    assert texts[0].endswith("…")
    assert names[2] in (root.findtext(f"{SVG}title") or "")


def test_environments_alike_share_a_panel_and_many_are_counted() -> None:
    alike = made(Difference(("env-0", "env-1"), ("normal",), group("a"), (hours(0, HOUR),)))
    assert "env-0 and env-1: opens 1 hour, closes none" in picture(alike, HOME)
    many = made(
        *(Difference((f"env-{n}",), ("normal",), group("a"), (hours(0, (n + 1) * HOUR),)) for n in range(20)),
        environments=20,
    )
    assert "8 more environments differ and are not drawn." in picture(many, HOME)


@pytest.mark.parametrize("days", [1, 60, 366])
def test_any_period_fits(days: int) -> None:
    found = compared(POLICIES, POLICIES.replace("fri 14:00", "fri 15:00"))._replace(
        period=(NOW, NOW + days * DAY)
    )
    root = drawn(picture(found, HOME))
    assert 640 <= int(root.get("width", "0")) <= 1_200
    assert sum(len(each.text or "") < 3 for each in root.iter(f"{SVG}text")) <= 100


def test_every_other_minute_is_drawn_in_bounds() -> None:
    often = tuple(hours(minute * 120, 60) for minute in range((PERIOD[1] - PERIOD[0]) // 120))
    text = picture(made(Difference(("env-0",), ("normal",), group("a"), often)), HOME)
    assert len(text) < 30_000
    assert len(boxes(drawn(text), "opens")) == 61


@pytest.mark.parametrize("text", [*HOSTILE[::20], "\x00\x1b[2J", "\ud800"])
def test_hostile_names_stay_text(text: str) -> None:
    found = made(Difference((text,), ("normal",), group(text), (hours(0, HOUR),)))._replace(
        environments=(text,)
    )
    root = drawn(picture(found, HOME))
    assert {each.tag.removeprefix(SVG) for each in root.iter()} == {
        "svg", "title", "desc", "defs", "pattern", "rect", "path", "text"
    }  # fmt: skip


NAMES = [f"service-{number}" for number in range(300)]


@pytest.mark.parametrize(
    ("services", "said"),
    [
        (group(*NAMES[:102]), ", for 102 of 300 services"),
        (group(*NAMES[:102], others=True), ", for 102 of 300 services and unlisted ones"),
        (group(*NAMES[:2]), ", for service-0 and service-1"),
        (group(*NAMES[1:], others=True), ", for every service except service-0"),
        (group(*NAMES, others=True), ""),
    ],
)
def test_a_panel_says_which_services_it_is_about(services: ServiceGroup, said: str) -> None:
    found = made(Difference(("env-0",), ("normal",), services, (hours(0, HOUR),)))
    root = drawn(picture(found._replace(services=tuple(NAMES)), HOME))
    assert f"env-0: opens 1 hour, closes none{said}" in [each.text for each in root.iter(f"{SVG}text")]
    assert f"env-0: 1 hour open, none close{said}, in 1 stretch;" in (root.findtext(f"{SVG}desc") or "")
    some = picture(found._replace(services=tuple(NAMES), changes=("normal", "hotfix")), HOME)
    assert f"env-0: opens 1 hour, closes none{said}, normal changes only<" in some


def test_environments_with_the_same_hours_for_others_have_their_own_panels() -> None:
    found = made(
        *(Difference((f"env-{name}",), ("normal",), group(f"a-{name}"), (hours(0, HOUR),)) for name in "012")
    )
    text = picture(found, HOME)
    for name in "012":
        assert f">env-{name}: opens 1 hour, closes none, for a-{name}<" in text
    assert "in env-0, env-1 and env-2" in text


def test_each_day_has_the_name_of_its_month() -> None:
    found = made()
    for start, days, names in (
        (NOW, 60, ["Nov", "Dec 2026", "Jan 2027"]),
        (NOW + 2 * DAY, 63, ["Dec 2026", "Jan 2027", "Feb"]),
        (NOW, 2, ["Nov", "Dec 2026"]),
    ):
        root = drawn(picture(found._replace(period=(start, start + days * DAY)), HOME))
        months = [
            each for each in root.iter(f"{SVG}text") if (each.text or "")[:3] in ("Nov", "Dec", "Jan", "Feb")
        ]
        assert [each.text for each in months] == names
