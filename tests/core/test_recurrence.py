"""Coverage against the library that expands rules, made to end in 2100 instead of 9999."""

import datetime as dt
import random
from types import SimpleNamespace
from typing import Any

import pytest
from dateutil import rrule

from app.core.recurrence import fires, per_day

NEVER = [
    "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31",
    "FREQ=DAILY;INTERVAL=7;BYDAY=MO",  # from a Friday
    "FREQ=DAILY;BYHOUR=9,17;BYSETPOS=3",
    "FREQ=HOURLY;BYSETPOS=2",
    "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=3",
    "FREQ=MONTHLY;BYMONTH=6;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=6MO",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=32",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=YEARLY;BYMONTH=2;BYYEARDAY=200",
]
SOMETIMES = [
    "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    "FREQ=DAILY;BYMONTHDAY=-31;BYMONTH=1",
    "FREQ=WEEKLY;INTERVAL=2",
    "FREQ=MONTHLY;BYDAY=5MO;BYMONTH=2",
    "FREQ=YEARLY;BYDAY=53FR",
    "FREQ=YEARLY;BYWEEKNO=53",
    "FREQ=YEARLY;BYYEARDAY=-366",
    "FREQ=HOURLY;INTERVAL=36;BYHOUR=0",
]
START = dt.datetime(2026, 11, 27)  # noqa: DTZ001 - a local time


def parts(text: str) -> dict[str, list[Any]]:
    """A rule as the library of calendars reads it."""
    read: dict[str, list[Any]] = {}
    for part in text.split(";"):
        key, _, values = part.partition("=")
        words = values.split(",")
        read[key] = words if key in ("FREQ", "BYDAY", "WKST") else [int(word) for word in words]
    return read


@pytest.fixture(autouse=True)
def ending_in_2100(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rrule, "datetime", SimpleNamespace(**{**vars(dt), "MAXYEAR": 2099}))


def expanded(text: str, start: dt.datetime) -> dt.datetime | None:
    try:
        return next(iter(rrule.rrulestr(text, dtstart=start)), None)
    except ValueError as error:  # the library finds some of them by itself
        assert "empty" in str(error)  # noqa: PT017
        return None


@pytest.mark.parametrize("text", NEVER)
def test_a_rule_whose_parts_exclude_each_other_never_fires(text: str) -> None:
    assert not fires(parts(text), START)
    assert expanded(text, START) is None


@pytest.mark.parametrize("text", SOMETIMES)
def test_a_rule_that_fires_seldom_fires(text: str) -> None:
    assert fires(parts(text), START)
    assert expanded(text, START) is not None


def test_a_rule_that_the_library_expands_is_never_said_not_to_fire() -> None:
    rng = random.Random(9)
    refused = 0
    for _ in range(250):
        text = f"FREQ={rng.choice(('HOURLY', 'DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'))}"
        for part, values in {
            "INTERVAL": (1, 2, 3, 7, 12, 24, 30),
            "BYMONTH": (1, 2, 4, 12),
            "BYMONTHDAY": (1, 28, 29, 30, 31, -1, -31),
            "BYDAY": ("MO", "FR", "SU", "MO,TU", "1MO", "-1FR", "5SA"),
            "BYYEARDAY": (1, 60, 366, -1),
            "BYHOUR": (0, 9, 23),
            "BYSETPOS": (1, -1, 2),
            "WKST": ("SU",),
        }.items():
            if rng.random() < 0.3:
                text += f";{part}={rng.choice(values)}"
        if fires(parts(text), START):
            continue
        refused += 1
        assert expanded(text, START) is None, text
    assert refused > 20


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("FREQ=HOURLY", 24),
        ("FREQ=HOURLY;INTERVAL=6", 4),
        ("FREQ=HOURLY;BYHOUR=9,10", 2),
        ("FREQ=DAILY", 1),
        ("FREQ=DAILY;INTERVAL=2;BYHOUR=9,17", 1),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU", 1),
        ("FREQ=WEEKLY", 1 / 7),
        ("FREQ=YEARLY", 1),
    ],
)
def test_how_often_a_rule_recurs_in_a_day_is_known_without_expanding_it(text: str, wanted: float) -> None:
    assert per_day(parts(text)) == pytest.approx(wanted)
