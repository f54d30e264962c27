"""A window of holidays in words."""

from typing import Any

import pytest

from app.core.windows.holidays import Holidays


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"country": "NL"}, "on public holidays of NL"),
        (
            {"country": "DE", "subdivision": "BY", "remove": ["2027-03-26", "08-15"], "until": "08:00"},
            (
                "on public holidays of DE BY, without 26 March 2027 and every 15 August, until 08:00 on the "
                "working day after"
            ),
        ),
        (
            {"market": "XNYS", "add": [{"date": "2027-06-11", "title": "Company day"}]},
            "on market holidays of XNYS and Company day (11 June 2027)",
        ),
        (
            {
                "add": [{"date": f"01-0{day}", "title": f"Day {day}"} for day in range(1, 8)],
                "weekend": ["fri-sat"],
                "eve_from": "16:00",
                "eve_days": 2,
            },
            (
                "on Day 1 (every 1 January), Day 2 (every 2 January), Day 3 (every 3 January), "
                "Day 4 (every 4 January), Day 5 (every 5 January) and 2 more, with Friday and Saturday as "
                "the weekend, from 16:00, 2 working days before"
            ),
        ),
        (
            {"country": "NL", "weekend": [], "bridge_days": True},
            "on public holidays of NL, with no day as the weekend, with bridge days",
        ),
    ],
)
def test_the_words_say_which_days_and_from_when(keys: dict[str, Any], words: str) -> None:
    assert Holidays.model_validate(keys).words() == words
