"""Current names, links and offsets of the time zone database."""

import pytest

from app.core.field_types import ZoneName
from app.core.wallclock import zone, zone_names
from app.core.zone_names import current_places, fixed_offset, place_of_fixed_offset, renamed
from app.yaml.suggest import better


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("Europe/Kiev", "Europe/Kyiv"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Africa/Asmera", "Africa/Asmara"),  # a link to Africa/Nairobi, like Africa/Asmara itself
        ("US/Eastern", "America/New_York"),
        ("Europe/Amsterdam", None),  # a link to Europe/Brussels, and no old name
        ("Europe/Kyiv", None),
        ("UTC", None),
        ("Etc/UCT", None),
    ],
)
def test_an_old_name_has_todays_beside_it(old: str, today: str | None) -> None:
    assert renamed(old) == today


def test_todays_name_tells_the_same_time() -> None:
    old = [name for name in zone_names() if renamed(name)]
    assert len(old) > 50
    for name in old:
        today = renamed(name) or ""
        assert today in current_places()
        for instant in range(1_600_000_000, 2_000_000_000, 10_000_000):
            assert zone(today).offset(instant) == zone(name).offset(instant), name


def test_zones_named_after_offsets_are_distinguished_from_places_and_utc() -> None:
    assert fixed_offset("EST") == fixed_offset("Etc/GMT+5") == -5 * 3_600
    assert fixed_offset("GMT") == 0
    for name in ("UTC", "Etc/UTC", "Zulu", "Asia/Tokyo", "Japan", "PRC", "EST5EDT", "CET", "America/Phoenix"):
        assert fixed_offset(name) is None, name
    assert place_of_fixed_offset(9 * 3_600) in current_places()
    assert place_of_fixed_offset(1) is None


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("America/Kiev", "Europe/Kyiv"),
        ("Europe/Kiew", "Europe/Kyiv"),
        ("kiev", "Europe/Kyiv"),
        ("Asia/Calcuta", "Asia/Kolkata"),
        ("America/London", "Europe/London"),
    ],
)
def test_a_misspelt_zone_gets_the_current_name_suggested(written: str, advice: str) -> None:
    assert better(written, ZoneName) == advice
