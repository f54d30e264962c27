from typing import Annotated, Any

import pytest
from pydantic import StringConstraints

from app.core.field_types import (
    DateBoundText,
    Duration,
    TimeOfDay,
    Weekdays,
    WeekTimeText,
    YearBoundText,
    ZoneName,
)
from app.core.policy import LINK_PATTERN, Name
from app.yaml.suggest import better

Link = Annotated[str, StringConstraints(pattern=rf"^{LINK_PATTERN}$")]


@pytest.mark.parametrize(
    ("text", "kind", "meant"),
    [
        ("fir 14:00", WeekTimeText, "fri 14:00"),
        ("Friday 14:00", WeekTimeText, "fri 14:00"),
        ("FRI  14:00", WeekTimeText, "fri 14:00"),
        ("fri 9:30", WeekTimeText, "fri 09:30"),
        ("fri 14.30", WeekTimeText, "fri 14:30"),
        ("fri 14h30", WeekTimeText, "fri 14:30"),
        ("fri 14", WeekTimeText, "fri 14:00"),
        ("fri 14h", WeekTimeText, "fri 14:00"),
        ("friday 2pm", WeekTimeText, "fri 14:00"),
        ("fri 12:30 AM", WeekTimeText, "fri 00:30"),
        ("fri 12pm", WeekTimeText, "fri 12:00"),
        ("fri 25:00", WeekTimeText, None),
        ("someday", WeekTimeText, None),
        ("9:00", TimeOfDay, "09:00"),
        ("2pm", TimeOfDay, "14:00"),
        ("Monday-Thursday", Weekdays, "mon-thu"),
        ("mon - thu", Weekdays, "mon-thu"),
        ("Sat", Weekdays, "sat"),
        ("2026/12/11", DateBoundText, "2026-12-11"),
        ("2026-12-1", DateBoundText, "2026-12-01"),
        ("25-12-2026", DateBoundText, "2026-12-25"),
        ("25.12.2026 18:00", DateBoundText, "2026-12-25 18:00"),
        ("12/25/2026", DateBoundText, "2026-12-25"),
        ("1/25/2026", DateBoundText, "2026-01-25"),
        ("11/11/2026", DateBoundText, "2026-11-11"),
        ("2026-12-11 9:00", DateBoundText, "2026-12-11 09:00"),
        ("2026-02-30", DateBoundText, None),
        ("12/20", YearBoundText, "12-20"),
        ("1-13", YearBoundText, "01-13"),
        ("25/12", YearBoundText, "12-25"),
        ("3/3", YearBoundText, "03-03"),
        ("9.10", TimeOfDay, "09:10"),
        ("66 h", Duration, "66h"),
        ("66H", Duration, "66h"),
        ("europe/amsterdam", ZoneName, "Europe/Amsterdam"),
        ("Europe/Amsterdm", ZoneName, "Europe/Amsterdam"),
        ("America/New York", ZoneName, "America/New_York"),
        ("New York", ZoneName, "America/New_York"),
        ("NEW YORK", ZoneName, "America/New_York"),
        ("utc", ZoneName, "UTC"),
        ("weekend", Weekdays, "sat-sun"),
        ("Weekdays", Weekdays, "mon-fri"),
        ("wiki.example.com:8080/freeze", Link, "https://wiki.example.com:8080/freeze"),
        ("nowhere at all", ZoneName, None),
        ("Check Out", Name, "check-out"),
        ("x" * 100, Name, None),
        ("fine", Name, None),
        ("anything", None, None),
        ("anything", object(), None),
    ],
)
def test_a_slip_is_undone_where_the_result_would_do(text: str, kind: Any, meant: str | None) -> None:
    assert better(text, kind) == meant


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        # A month off for half of those who write so.
        ("12/11/2026", DateBoundText),
        ("11-12-2026", DateBoundText),
        ("1.2.2026 18:00", DateBoundText),
        ("11/12", YearBoundText),
        ("1-3", YearBoundText),
        ("1-3 18:00", YearBoundText),
        # Abbreviations stand for an offset, and often for several.
        ("CEST", ZoneName),
        ("cet", ZoneName),
        ("PST", ZoneName),
        ("IST", ZoneName),
        ("UTC+1", ZoneName),
        ("GMT+2", ZoneName),
        ("weekend 14:00", WeekTimeText),
        ("weekday", WeekTimeText),
        ("javascript:alert(1)", Link),
        ("mailto:ops@example.com", Link),
        ("https//wiki.example.com", Link),
        ("see-the-wiki", Link),
        ("", Link),
    ],
)
def test_where_a_guess_may_mislead_there_is_none(text: str, kind: Any) -> None:
    assert better(text, kind) is None
