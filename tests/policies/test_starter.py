"""First policy files: clean and tested for every country, zone and style, on any day."""

from itertools import cycle

import holidays
import pytest

from app.core.instant import DAY, parse_instant
from app.core.zone_names import current_places
from app.policies.lint.lint import lint
from app.policies.load import load
from app.policies.source import Snapshot
from app.policies.starter import Starter, Style, starter_text
from app.yaml.problem import Problem

NOW = "2026-11-29T12:00:00Z"
COUNTRIES: dict[str, list[str]] = holidays.list_supported_countries(include_aliases=False)
NOT_KNOWN_YET = ("that of 2027 is not in the calendar", "the calendar ends with 2026")
"""What no file can say on that day: lint goes on to tell the author."""


def written(starter: Starter, now: str = NOW) -> tuple[str, list[Problem]]:
    """The file, and what lint says of it at the instant that it was written for."""
    at = parse_instant(now)
    text = starter_text(starter, at // DAY)
    return text, lint(Snapshot.of(text), at)


def entries_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("  - {at: ")]


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize(
    "country",
    [
        "AE",
        "AT",
        "AU",
        "BN",
        "BR",
        "CA",
        "DE",
        "ES",
        "GB",
        "IN",
        "IR",
        "JP",
        "NG",
        "NL",
        "NO",
        "NP",
        "UA",
        "US",
    ],
)
def test_the_file_is_clean_and_has_tests_of_both_answers(country: str, style: Style) -> None:
    text, problems = written(Starter(country, "Europe/Amsterdam", style))
    assert problems == []
    assert len(entries_of(text)) == 4
    loaded = load(Snapshot.of(text))  # runs the tests
    assert {policy.id for policy in loaded.policy_set.policies} >= {"public-holidays"}


@pytest.mark.long
@pytest.mark.parametrize("country", COUNTRIES)
def test_the_file_is_clean_for_every_country_and_region(country: str) -> None:
    zones = cycle(sorted(current_places()))
    for style in Style:
        for part in (None, *COUNTRIES[country]):
            text, problems = written(Starter(country, next(zones), style, part))
            unexpected = [each for each in problems if not any(known in str(each) for known in NOT_KNOWN_YET)]
            assert unexpected == [], (part, style)
            assert len(entries_of(text)) == 4 or f"No holidays of {country} are known" in text


@pytest.mark.parametrize(
    ("country", "part"),
    [("US", "MA"), ("DE", "BY"), ("CH", "GE"), ("AT", "9"), ("MY", "14"), ("DE", "Augsburg")],
)
def test_a_region_has_its_days_and_those_of_the_country(country: str, part: str) -> None:
    text, problems = written(Starter(country, "Europe/Berlin", Style.FRIDAY, part))
    assert problems == []
    assert "`none` means nationwide" not in text


@pytest.mark.parametrize(
    "zone", ["Pacific/Apia", "America/St_Johns", "Asia/Kathmandu", "Africa/Casablanca", "UTC"]
)
@pytest.mark.parametrize(
    "now", ["2026-01-01T00:00:00Z", "2026-06-30T23:59:59Z", "2027-12-31T12:00:00Z", "2028-02-29T03:00:00Z"]
)
def test_the_file_is_clean_on_any_day_in_any_zone(zone: str, now: str) -> None:
    text, problems = written(Starter("NL", zone), now)
    assert problems == []
    assert len(entries_of(text)) == 4


def test_the_freeze_follows_the_weekend_of_the_country() -> None:
    assert "weekly: {from: fri 14:00, to: mon 08:00}" in written(Starter("NL", "UTC"))[0]
    assert "weekly: {from: thu 14:00, to: sun 08:00}" in written(Starter("EG", "UTC"))[0]
    brunei = written(Starter("BN", "UTC"))[0]
    assert "weekly: {from: thu 14:00, to: sat 08:00}" in brunei
    assert "weekly: {from: sat 14:00, to: mon 08:00}" in brunei
    hours = written(Starter("EG", "UTC", Style.WORKING_HOURS))[0]
    assert 'daily: {days: [mon, tue, wed, sun], from: "09:00", to: "16:00"}' in hours
    assert 'daily: {days: [thu], from: "09:00", to: "14:00"}' in hours


def test_estimated_dates_have_two_days_on_either_side() -> None:
    text, _ = written(Starter("FJ", "UTC"))
    assert "- dates: {from: 2027-08-12, to: 2027-08-18}    # Prophet Mohammed's Birthday" in text


def test_a_country_without_holidays_is_told_so() -> None:
    text, problems = written(Starter("HM", "UTC"))
    assert problems == []
    assert "No holidays of HM are known" in text
    assert "public-holidays" not in text


def test_the_examples_in_the_comments_are_valid_policies() -> None:
    text, _ = written(Starter("NL", "UTC"))
    lines = text.splitlines()
    start = lines.index("  # More examples:") + 2
    end = lines.index("", start)
    uncommented = [line.replace("  # ", "  ", 1).rstrip(" #") for line in lines[start:end]]
    assert uncommented[0] == "  - id: year-end"
    policies = "\n".join(
        [*lines[:start], *uncommented, *lines[end : lines.index(next(filter(is_tests, lines)))]]
    )
    assert {policy.id for policy in load(Snapshot.of(policies)).policy_set.policies} >= {
        "year-end",
        "late-evening",
    }


def is_tests(line: str) -> bool:
    return line.startswith("tests:")
