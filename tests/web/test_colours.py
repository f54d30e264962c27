"""The colours of rules, out of the style itself: who can tell them apart, and where they can be seen."""

import re
from itertools import combinations

import pytest

from app.core.rule_style import COLOURS
from app.web.pages import asset
from tests.web.colours import (
    VISIONS,
    Vector,
    blended,
    ciede2000,
    contrast,
    difference,
    linear,
    palettes,
    seen,
)

PALETTES = palettes(asset("base.css").decode())
RULES = [*(f"rule-{number}" for number in range(COLOURS)), "rule-freeze", "rule-others"]

FAR_ENOUGH = 10
"""The real eight colours of Okabe and Ito, made for this, keep 10.8 apart with black and a bright yellow
among them, which can not be seen on either paper."""


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_differences_are_those_of_the_paper_that_defines_them(
    first: Vector, second: Vector, apart: float
) -> None:
    assert ciede2000(first, second) == pytest.approx(apart, abs=0.0001)
    assert ciede2000(second, first) == pytest.approx(apart, abs=0.0001)


def test_black_and_white_are_as_far_apart_as_can_be() -> None:
    black, white = linear("#000000"), linear("#ffffff")
    assert contrast(white, black) == pytest.approx(21)
    assert difference(white, black) == pytest.approx(100, abs=0.01)
    assert all(seen(white, vision) == pytest.approx(white, abs=0.001) for vision in VISIONS)


def test_the_colours_of_okabe_and_ito_are_as_far_apart_as_ours_must_be() -> None:
    okabe_ito = ["#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"]
    assert nearest([linear(each) for each in okabe_ito]) >= FAR_ENOUGH


def nearest(colours: list[Vector]) -> float:
    """How far apart the two are that are most alike to somebody."""
    return min(
        difference(seen(first, vision), seen(second, vision))
        for vision in VISIONS
        for first, second in combinations(colours, 2)
    )


@pytest.mark.parametrize("scheme", PALETTES)
@pytest.mark.parametrize("vision", VISIONS)
def test_no_two_rules_look_alike_to_anybody(scheme: str, vision: str) -> None:
    palette = PALETTES[scheme]
    for first, second in combinations(RULES, 2):
        apart = difference(seen(linear(palette[first]), vision), seen(linear(palette[second]), vision))
        assert apart >= FAR_ENOUGH, f"{first} and {second} are {apart:.1f} apart in {vision}"


@pytest.mark.parametrize("scheme", PALETTES)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_stands_out_from_the_paper_and_its_hatching_from_it(scheme: str, rule: str) -> None:
    palette = PALETTES[scheme]
    colour = linear(palette[rule])
    # WCAG 2.2, 1.4.11: 3 for what must be seen to be understood.
    for paper in ("paper", "sheet", "weekend"):
        assert contrast(colour, linear(palette[paper])) >= 3, paper
    level, alpha = re.fullmatch(r"rgb\((\d+) \1 \1 / (\d+)%\)", palette["hatching"]).groups()  # type: ignore[union-attr]
    hatching = blended(linear(f"#{int(level):02x}{int(level):02x}{int(level):02x}"), colour, int(alpha) / 100)
    assert contrast(hatching, colour) >= 1.6


@pytest.mark.parametrize("scheme", PALETTES)
def test_words_can_be_read(scheme: str) -> None:
    palette = PALETTES[scheme]
    for words in ("ink", "soft", "link"):
        for paper in ("paper", "sheet"):
            assert contrast(linear(palette[words]), linear(palette[paper])) >= 4.5, (words, paper)
    for card in ("open", "frozen"):
        assert contrast(linear("#ffffff"), linear(palette[card])) >= 4.5, card
