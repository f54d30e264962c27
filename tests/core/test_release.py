import random

import pytest

from app.core.decision import Question
from app.core.hold import Hold, HoldState, Reporting
from app.core.release import PAUSE, Pace, is_report_due, may_report, next_batch

NOW = 1_795_784_700


def hold(number: int = 0, place: str = "production", **other: object) -> Hold:
    made = Hold(
        id=f"hld_{number:04}",
        responder="github",
        key=str(number),
        question=Question("api", place),
        ref=None,
        actor=None,
        run_url=None,
        requested_by="pipeline",
        target={},
        sealed=None,
        created_at=NOW + number,
        expires_at=NOW + 86_400,
        state=HoldState.WAITING,
        changed_at=NOW,
        opens_at=None,
        decision_id=None,
        reports=0,
    )
    return made._replace(**other)  # type: ignore[arg-type]


def test_the_longest_waiting_go_first_within_the_room_of_their_environment() -> None:
    waiting = [hold(number, place) for number in range(9) for place in ("production", "staging")]
    random.Random(1).shuffle(waiting)
    paces = {"production": Pace(4, 60), "staging": Pace(1, 60)}
    batch = next_batch(waiting, {"production": 1}, paces.__getitem__)
    assert [(each.question.environment, each.key) for each in batch] == [
        ("production", "0"),
        ("staging", "0"),
        ("production", "1"),
        ("production", "2"),
    ]


@pytest.mark.parametrize("released", [4, 5, 1_000])
def test_a_full_window_lets_none_through(released: int) -> None:
    assert next_batch([hold()], {"production": released}, lambda _: Pace(4, 60)) == []


def test_places_for_the_last_answer_are_kept() -> None:
    taken = [number for number in range(12) if may_report(hold(reports=number), Reporting(10))]
    assert taken == [0, 1, 2, 3, 4, 5, 6]
    assert not may_report(hold(), Reporting(3))


def test_progress_is_due_on_arrival_and_when_the_opening_moves() -> None:
    vendor = Reporting(10)
    told = hold(told_at=NOW, opens_at=NOW + 600, reports=1)
    assert is_report_due(hold(), None, vendor, NOW)
    assert not is_report_due(told, NOW + 600, vendor, NOW + 86_000)
    assert not is_report_due(told, NOW + 900, vendor, NOW + PAUSE - 1)
    assert is_report_due(told, NOW + 900, vendor, NOW + PAUSE)
    assert is_report_due(told, None, vendor, NOW + PAUSE)
    assert not is_report_due(told._replace(reports=7), None, vendor, NOW + PAUSE)


def test_a_platform_that_takes_silence_for_death_hears_in_half_of_its_time() -> None:
    told = hold(told_at=NOW, opens_at=NOW + 600, reports=1)
    assert not is_report_due(told, NOW + 600, Reporting(1_000, 600), NOW + 299)
    assert is_report_due(told, NOW + 600, Reporting(1_000, 600), NOW + 300)


def test_a_pace_is_said_in_words() -> None:
    assert [str(each) for each in (Pace(5, 60), Pace(1, 90))] == [
        "5 deploys every 1m",
        "1 deploy every 1m30s",
    ]
