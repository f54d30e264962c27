"""Cron expressions in words."""

import pytest

from app.core.windows import WindowEntry


def words(**spec: str) -> str:
    return WindowEntry.model_validate({"cron": spec}).window.words()


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("0 18 * * FRI", "from 18:00 every Friday"),
        ("30 2 * * 7", "from 02:30 every Sunday"),
        ("0 9,17 * * SAT,SUN", "from 09:00 and 17:00 every Saturday and Sunday"),
        ("0 0 * * 1-5", "from 00:00 every Monday to Friday"),
        ("0 0 * * FRI/2", "from 00:00 every Friday and Sunday"),
        ("0 0 8-14 * TUE", "from 00:00 on the 8th to 14th of the month and every Tuesday"),
        ("0 0 1,22 * *", "from 00:00 on the 1st and 22nd of the month"),
        ("0 0 11,13,23 6,12 *", "from 00:00 on the 11th, 13th and 23rd of June and December"),
        ("0 22 L * *", "from 22:00 on the last day of the month"),
        ("0 22 LW 3-5 *", "from 22:00 on the last day that is no Saturday or Sunday of March to May"),
        ("0 0 * 12 *", "from 00:00 every day in December"),
        ("0 0 * * TUE#2", "from 00:00 on the second Tuesday of the month"),
        ("0 0 * 1 5L", "from 00:00 on the last Friday of January"),
        ("0 0 * * MON,FRI#2", "from 00:00 every Monday and on the second Friday of the month"),
        ("0 0 1-31 * MON", "from 00:00 every day"),
        ("0 0 * * 0-6", "from 00:00 every day"),
        ("* * * * *", "beginning every minute"),
        ("*/90 * * * *", "beginning every hour"),
        ("30 * * * *", "beginning every hour, from 00:30 on"),
        ("*/15 8-17 * * MON-FRI", "beginning every 15 minutes from 08:00 to 17:45, every Monday to Friday"),
        ("0 */2 * 12 *", "beginning every 2 hours in December"),
        ("0 8-18 L * *", "beginning every hour from 08:00 to 18:00, on the last day of the month"),
        # Where words would be long, or two fields must both match, the expression itself is clearer.
        ("*/45 * * * *", 'beginning each time cron "*/45 * * * *" fires'),
        ("0 0 */2 * *", 'beginning each time cron "0 0 */2 * *" fires'),
        ("0 0 */2 * MON", 'beginning each time cron "0 0 */2 * MON" fires'),
    ],
)
def test_an_expression_says_in_words_when_it_fires(start: str, said: str) -> None:
    assert words(start=start, duration="10h") == f"for 10h {said}"


def test_an_end_is_said_in_words_as_well() -> None:
    assert (
        words(start="0 18 * * FRI", end="0 8 * * MON") == "from 18:00 every Friday until 08:00 every Monday"
    )
    assert words(start="0 18 * * FRI", end="*/15 * * * *") == (
        "beginning at 18:00 every Friday, ending every 15 minutes"
    )
    assert words(start="0 0 */2 * *", end="0 8 * * MON") == (
        'beginning each time cron "0 0 */2 * *" fires, ending at 08:00 every Monday'
    )
