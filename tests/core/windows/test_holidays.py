"""The names of holidays, and the errors for unknown ones."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from app.core.errors import FaultyValuesError
from app.core.holiday_calendar import (
    Calendar,
    _holidays_of_package,
    _year_of_package,
    names_of,
    year_of,
)
from app.core.instant import parse_instant
from app.core.wallclock import Wall, zone
from app.core.windows.holidays import Holidays

UTC = Wall.of(zone("UTC"), wide=True)


def faults(**fields: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        Holidays.model_validate(fields)
    (error,) = caught.value.errors()
    cause = error["ctx"]["error"]
    assert isinstance(cause, FaultyValuesError)
    return [(fault.path, fault.sentence) for fault in cause.faults]


@pytest.fixture
def nothing_is_known_yet() -> Iterator[None]:
    def forget() -> None:
        for cached in (year_of, _year_of_package, _holidays_of_package, names_of):
            cached.cache_clear()

    forget()
    yield
    forget()


@pytest.mark.usefixtures("nothing_is_known_yet")
@pytest.mark.parametrize("locale", ["C.UTF-8", "uk_UA.UTF-8", "de_DE.UTF-8"])
def test_holiday_names_do_not_depend_on_the_language_of_the_process(
    locale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(name, locale)
    (new_year,) = year_of(Calendar("DE", None, (), None), 2026).holidays[20454]
    assert new_year.forms == ("Neujahr", "New Year's Day")
    Holidays.model_validate({"country": "DE", "names": ["Neujahr", "Good Friday"]})
    assert faults(country="DE", names=["Новий рік"])


@pytest.mark.parametrize(
    ("fields", "path", "sentence"),
    [
        ({"country": "UK"}, ("country",), 'not a known code of a country; did you mean "GB"?'),
        ({"country": "nl"}, ("country",), 'not a known code of a country; did you mean "NL"?'),
        ({"country": "NLD"}, ("country",), 'not a known code of a country; did you mean "NL"?'),
        ({"country": "New Zealand"}, ("country",), 'not a known code of a country; did you mean "NZ"?'),
        ({"country": "XX"}, ("country",), "not a known code of a country"),
        ({"market": "XNYX"}, ("market",), 'not a known code of a market; did you mean "XNYS"?'),
        (
            {"country": "DE", "subdivision": "DE-BY"},
            ("subdivision",),
            'not a known subdivision of DE; did you mean "BY"?',
        ),
        (
            {"country": "DE", "subdivision": "bayern"},
            ("subdivision",),
            'not a known subdivision of DE; did you mean "BY"?',
        ),
        ({"country": "IT", "subdivision": "Bavaria"}, ("subdivision",), "not a known subdivision of IT"),
        (
            {"country": "GB", "subdivision": "Cornwall"},
            ("subdivision",),
            (
                "not a known subdivision of GB; "
                "known: ENG (England), NIR (Northern Ireland), SCT (Scotland), WLS (Wales)"
            ),
        ),
        (
            {"country": "NL", "categories": ["public", "publik"]},
            ("categories", 1),
            'not a known category of NL; did you mean "public"?',
        ),
        (
            {"country": "NL", "names": ["*Christmas*", "Kerstmis"]},
            ("names", 1),
            'not the name of a holiday of NL; did you mean "Tweede kerstdag"?',
        ),
        (
            {"market": "XNYS", "except_names": ["*Thanksgivin"]},
            ("except_names", 0),
            'not the name of a holiday of XNYS; did you mean "Thanksgiving Day"?',
        ),
    ],
)
def test_an_unknown_word_is_reported_at_its_place(
    fields: dict[str, Any], path: tuple[str | int, ...], sentence: str
) -> None:
    assert faults(**fields) == [(path, sentence)]


def test_a_name_of_a_subdivision_stands_for_its_code() -> None:
    windows = [
        Holidays.model_validate({"country": "DE", "subdivision": name, "names": ["Fronleichnam"]})
        for name in ("Bayern", "BY")
    ]
    span, wall = (parse_instant("2026-01-01T00:00:00Z"), parse_instant("2027-01-01T00:00:00Z")), UTC
    assert windows[0].intervals(span, wall) == windows[1].intervals(span, wall) != []


def test_all_errors_are_reported_together() -> None:
    paths = [path for path, _ in faults(country="DE", subdivision="X", categories=["x", "public", "y"])]
    assert paths == [("subdivision",), ("categories", 0), ("categories", 2)]
    paths = [path for path, _ in faults(country="NL", names=["X", "King's Day", "Y"], except_names=["Z"])]
    assert paths == [("names", 0), ("names", 2), ("except_names", 0)]
    paths = [path for path, _ in faults(market="XNYZ", subdivision="NY")]
    assert paths == [("market",), ("subdivision",)]
    paths = [path for path, _ in faults(market="XETR", subdivision="NY", categories=["public", "half_day"])]
    assert paths == [("subdivision",), ("categories", 1)]


def test_every_wrong_name_is_reported_and_only_some_get_a_suggestion() -> None:
    found = faults(country="NL", names=["Kerstmis"] * 500)
    assert len(found) == 500
    assert 0 < len([sentence for _, sentence in found if "did you mean" in sentence]) < 50


def test_the_day_after_a_run_of_days_off_is_reached_from_its_first_day_alone() -> None:
    # Of China's Spring Festival of 2026: from Sunday the 15th to Monday the 23rd all days are off.
    window = Holidays.model_validate({"country": "CN", "names": ["Chinese New Year's Eve"], "until": "08:00"})
    at = parse_instant("2026-02-24T07:59:59Z")
    assert any(start <= at < end for start, end in window.intervals((at, at + 1), UTC))
    assert not any(start <= at + 1 < end for start, end in window.intervals((at + 1, at + 2), UTC))


def test_own_days_alone_are_a_calendar_and_a_time_is_needed_to_count_eves() -> None:
    assert faults(country="NL", eve_days=2) == [
        (("eve_days",), 'goes with eve_from; write the time too, such as eve_from: "14:00"')
    ]
    assert faults(add=[{"date": "06-11", "title": "Company day"}], names=["Company party"]) == [
        (("names", 0), 'not a title under add; did you mean "Company day"?')
    ]
    with pytest.raises(ValidationError, match="name a country or a market, or days of your own under add"):
        Holidays.model_validate({"weekend": ["sat"]})
