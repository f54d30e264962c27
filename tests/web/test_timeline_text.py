"""The repeated parts of a timeline as text: whole SVG, with every column and box once."""

from xml.etree import ElementTree as ET

from app.gate.overview import DAYS
from app.web.timeline_svg import LEFT, Box, _days
from app.web.timeline_text import day_columns, rectangles

NOVEMBER_27 = 20_784
"""2026-11-27, a Friday, in days since 1970."""


def parts(text: str) -> ET.Element:
    return ET.fromstring(f"<svg>{text}</svg>")  # noqa: S314 - it is our own


def test_each_day_has_a_column_with_its_name_and_today_is_marked() -> None:
    columns = list(parts(day_columns(_days(NOVEMBER_27))))
    assert len(columns) == DAYS
    assert ["".join(each[-1].itertext()) for each in columns[:5]] == [
        "Fr 27",
        "Sa 28",
        "Su 29",
        "Mo 30",
        "Tu 1",
    ]
    assert [len(each.findall("rect[@class='today']")) for each in columns] == [1, *[0] * (DAYS - 1)]
    assert [each.findtext("text[@class='month']") for each in columns[:5]] == ["Nov", None, None, None, "Dec"]
    assert len(columns[3].findall("line[@class='monday']")) == 1
    weekends = [len(each.findall("rect[@class='weekend']")) for each in columns[:5]]
    assert weekends == [0, 1, 1, 0, 0]
    assert columns[0][0].get("x") == str(LEFT)


def test_a_box_is_filled_and_hatched() -> None:
    filled, hatched = parts(rectangles([Box(40.0, 34.0, 16.0, 70.5)], "hatching-2"))
    assert filled.attrib == {"class": "fill", "x": "40.0", "y": "34.0", "width": "16.0", "height": "70.5"}
    assert hatched.get("fill") == "url(#hatching-2)"
