"""How far ahead a badge says the day of the week alone."""

import pytest

from app.core.badge import badge
from app.core.engine import Engine
from app.core.instant import DAY, parse_instant
from app.core.policy import PolicySet

OPENS = parse_instant("2026-12-03T09:00:00Z")  # a Thursday
FROZEN = {
    "version": 1,
    "policies": [
        {
            "id": "freeze",
            "title": "T",
            "reason": "R",
            "when": [{"dates": {"from": "2026-11-01", "to": "2026-12-03 09:00"}}],
        }
    ],
}


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (1, "Thu 09:00 UTC"),
        (6 * DAY, "Thu 09:00 UTC"),
        # From here on the same weekday may be meant: on Thursday at noon, "Thu 09:00" would be today's.
        (6 * DAY + 1, "Thu 3 Dec 09:00 UTC"),
        (7 * DAY, "Thu 3 Dec 09:00 UTC"),
    ],
)
def test_a_badge_names_the_date_where_the_weekday_does_not_say_which(before: int, words: str) -> None:
    engine = Engine(PolicySet.model_validate(FROZEN))
    shown = badge(engine.decide_environment("production", OPENS - before))
    assert shown.message == f"frozen until {words}"
