"""The names of holidays in every calendar of the package, 2025 to 2035."""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import holidays
import pytest

from app.core import holiday_codes
from app.core.holiday_calendar import Calendar, Holiday, _NameReader, year_of
from app.core.instant import DAY
from app.core.policy import Policy
from app.core.wallclock import calendar_date
from app.policies.lint.holidays import holiday_problems
from tests.live.gate import ROOT

FIRST, LAST = 2025, 2035
SHARDS = 8
FEW = 16
"""One in so many calendars is looked at in full each time, the others in the long run."""

LABEL = re.compile(r"\b(observed|estimated|in lieu|substitute)\b", re.IGNORECASE)


def countries() -> list[str]:
    return sorted(holidays.list_supported_countries(include_aliases=False))


def calendars() -> list[Calendar]:
    """Every country, nationwide, and every market."""
    markets = sorted(holidays.list_supported_financial(include_aliases=False))
    return [Calendar(each, None, (), None) for each in countries()] + [
        Calendar(None, None, (), each) for each in markets
    ]


def parts() -> list[Calendar]:
    """Every subdivision of every country, and every category of every country and market."""
    subdivisions = [
        Calendar(each, part, (), None)
        for each in countries()
        for part in getattr(holidays, each).subdivisions
    ]
    categories = [
        calendar._replace(categories=("public", category))
        for calendar in calendars()
        for category in getattr(holidays, calendar.country or calendar.market or "").supported_categories
    ]
    return subdivisions + categories


def days(calendar: Calendar, first: int = FIRST, last: int = LAST) -> Iterator[tuple[int, Holiday]]:
    for year in range(first, last + 1):
        for day, held in sorted(year_of(calendar, year).holidays.items()):
            for holiday in held:
                yield day, holiday


def test_a_name_without_a_known_translation_goes_with_every_english_name_that_is_left() -> None:
    """No calendar of today has one; one that had would rather freeze too much."""
    own: Any = SimpleNamespace(tr=lambda text: text, observed_label="%s (vrij)")
    english: Any = SimpleNamespace(tr={"Een": "One", "%s (vrij)": "%s (off)"}.get, observed_label="%s (vrij)")
    reader = _NameReader(own, english)
    one, two = reader.read(["Een", "Twee (vrij)"], ["One", "Second (off)"])
    assert one.forms == ("Een", "One")
    assert two.forms == ("Twee (vrij)", "Twee", "Second (off)", "Second")


def test_the_only_holiday_of_a_day_goes_with_every_english_name() -> None:
    own: Any = SimpleNamespace(tr=lambda text: text)
    english: Any = SimpleNamespace(tr={"Een": "One"}.get)
    (one,) = _NameReader(own, english).read(["Een"], ["One", "Another"])
    assert one.forms == ("Een", "One", "Another")


def test_a_name_is_known_with_each_of_several_marks_and_without() -> None:
    own: Any = SimpleNamespace(
        tr=lambda text: text, observed_label="%s (observed)", estimated_label="%s (estimated)"
    )
    (eid,) = _NameReader(own, own).read(["Eid (estimated) (observed)"], ["Eid (estimated) (observed)"])
    assert eid.forms == ("Eid (estimated) (observed)", "Eid (estimated)", "Eid")
    assert eid.is_estimated


def check_names(calendar: Calendar) -> None:
    for _, holiday in days(calendar):
        if not holiday.is_moved:
            assert not LABEL.search(holiday.bare_name) or holiday.bare_name == "Substitute Holiday", holiday
        assert {holiday.name, holiday.bare_own_name, holiday.bare_name} <= set(holiday.forms)
    for year in range(FIRST, LAST + 1):
        for held in year_of(calendar, year).holidays.values():
            # Each has an English name of its own: none was left without one, nor with all of them.
            assert len({each.english_name for each in held}) == len(held), held


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_mark_comes_off_and_each_of_several_names_finds_its_english(shard: int) -> None:
    for calendar in calendars()[shard::SHARDS]:
        check_names(calendar)


@pytest.mark.long
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_mark_comes_off_in_every_part_of_every_calendar(shard: int) -> None:
    for calendar in parts()[shard::SHARDS]:
        check_names(calendar)


def remarks(calendar: Calendar, name: str, day: int) -> list[str]:
    """What lint says on a day of a policy that names one holiday."""
    given = {key: value for key, value in calendar._asdict().items() if value}
    window = {**given, "names": [name]}
    policy = Policy.model_validate({"id": "a", "title": "t", "reason": "r", "when": [{"holidays": window}]})
    said: list[str] = []
    document: Any = SimpleNamespace(problem=lambda path, sentence, _: said.append(f"{path[-2:]}: {sentence}"))
    list(holiday_problems(document, (), policy, day * DAY))
    return [each for each in said if each.startswith("('names', 0)")]


def lost_in_silence(calendar: Calendar) -> list[str]:
    """The exact names of a year that mean no day of a later one, though nobody is told.

    A year in which a name is missing, between two that have it, has no such day: the name holds.
    """
    found: dict[str, list[int]] = {}
    bare: dict[str, str] = {}
    for day, holiday in days(calendar, FIRST, LAST + 2):
        for form in holiday.forms:
            found.setdefault(form.lower(), []).append(day)
        bare[holiday.name] = holiday.bare_own_name
        bare[holiday.english_name] = holiday.bare_name
    lost = []
    for name, plain in bare.items():
        last_days = {calendar_date(day).year: day for day in found[name.lower()]}
        years = sorted(last_days)
        for year, following in pairwise((*years, LAST + 4)):
            is_over = year < LAST and following - year > (1 if plain != name else 2)
            if is_over and not remarks(calendar, name, last_days[year] + 1):
                lost.append(f"{calendar}: {name} from {year} to {following}")
    return lost


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "shard", [0, *(pytest.param(each, marks=pytest.mark.long) for each in range(1, FEW))]
)
def test_an_exact_name_of_one_year_loses_no_later_year_in_silence(shard: int) -> None:
    assert [lost for calendar in calendars()[shard::FEW] for lost in lost_in_silence(calendar)] == []


@pytest.mark.long
@pytest.mark.parametrize("shard", range(SHARDS))
def test_an_exact_name_of_a_part_loses_no_later_year_in_silence(shard: int) -> None:
    assert [lost for calendar in parts()[shard::SHARDS] for lost in lost_in_silence(calendar)] == []


def test_only_the_countries_asked_for_are_imported() -> None:
    program = (
        "import sys\n"
        "from app.core.holiday_calendar import Calendar, year_of\n"
        "from app.core.holiday_codes import countries, markets\n"
        "assert 'NL' in countries().codes and 'XNYS' in markets().codes\n"
        "assert year_of(Calendar('NL', None, ('public',), None), 2026).holidays\n"
        "print(*(name for name in sys.modules if name.startswith('holidays.countries.')))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.split() == ["holidays.countries.netherlands"]


def test_the_codes_are_those_that_the_package_lists() -> None:
    assert holiday_codes.countries().codes == tuple(holidays.list_supported_countries(include_aliases=False))
    assert holiday_codes.markets().codes == tuple(holidays.list_supported_financial())
