"""Direction marks in user text must not reverse the words after it."""

from typing import Any

import pytest

from app.core.decision import Question
from app.core.engine import Engine
from app.core.explain import message, policy_in_words, state, undirected
from app.core.instant import parse_instant
from app.core.override import Override, Use, UseResult
from app.core.policy import Policy, PolicySet
from app.core.wallclock import zone

MARKS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HOME = zone("Europe/Amsterdam")
AT = parse_instant("2026-11-27T13:00:00Z")


def policy_set(title: str, window: dict[str, Any], effect: str = "deny") -> PolicySet:
    policy = {"id": "p", "title": title, "reason": "x", "effect": effect, "when": [window]}
    return PolicySet.model_validate({"version": 1, "timezone": "Europe/Amsterdam", "policies": [policy]})


def engine(title: str, effect: str = "deny") -> Engine:
    return Engine(policy_set(title, {"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}, effect))


@pytest.mark.parametrize("mark", MARKS)
def test_no_sentence_carries_a_direction_mark_of_user_text(mark: str) -> None:
    denied = engine(f"{mark}No deploys{mark}").decide(Question("api"), AT)
    assert message(denied, HOME) == (
        "api may not be deployed to production: No deploys. Opens Mon 30 Nov 08:00 CET, in 2 d 18 h."
    )
    assert mark not in state(denied, HOME)
    warned = engine(f"late{mark}", "warn").decide(Question("api"), AT)
    assert message(warned, HOME).startswith("api may be deployed to production, with a warning: late.")


def test_nor_a_policy_in_words() -> None:
    window = {"icalendar": {"file": "shut.ics", "summary": "\u202eshut*"}}
    calendar = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    policy = Policy.model_validate(
        {"id": "p", "title": "p", "reason": "x", "when": [window]}, context={"read": lambda _: calendar}
    )
    assert 'during the busy events called "shut*" of shut.ics' in policy_in_words(policy, HOME)


def test_nor_what_an_override_says() -> None:
    denied = engine("No deploys").decide(Question("api"), AT)
    granted = Override(
        "ovr_1", ("api",), ("production",), None, "fix\u202e", None, "ada\u2067", AT, AT + 60, 2, 0, 0
    )
    assert message(denied, HOME, Use(UseResult.SPENT, granted)) == (
        "api may be deployed to production by an override of ada (fix), in spite of: No deploys. 1 use left."
    )


@pytest.mark.parametrize(
    "text", ["plain", "עברית 14:00", "العربية", "a\u200eb\u200f", "👩\u200d🚀", "\u2060"]
)
def test_letters_keep_the_direction_that_is_theirs(text: str) -> None:
    assert undirected(text) == text
    assert undirected(f"{MARKS}{text}{MARKS}") == text
