import random

from app.core.environment import USUAL_ENVIRONMENT, Release
from app.core.turns import Waiting, turns

NOW = 1_000_000


def pace(batch: int = 2, every: str = "1m") -> Release:
    return Release.model_validate({"batch": batch, "every": every})


def waiting(number: int, opens_at: int | None = NOW, environment: str = "production") -> Waiting:
    return Waiting(f"hld_{number}", environment, number, opens_at)


def test_they_are_released_in_batches_the_longest_waiting_first() -> None:
    found = turns([waiting(3), waiting(1), waiting(2), waiting(0), waiting(4)], lambda _: pace(), NOW)
    assert found == {"hld_0": NOW, "hld_1": NOW, "hld_2": NOW + 60, "hld_3": NOW + 60, "hld_4": NOW + 120}


def test_one_that_opens_earlier_does_not_wait_for_those_that_open_later() -> None:
    later = NOW + 3_600
    found = turns(
        [waiting(0, later), waiting(1), waiting(2, later), waiting(3, later)], lambda _: pace(), NOW
    )
    assert found == {"hld_1": NOW, "hld_0": later, "hld_2": later, "hld_3": later + 60}


def test_what_opened_in_the_past_has_its_turn_now() -> None:
    assert turns([waiting(0, NOW - 60)], lambda _: pace(), NOW) == {"hld_0": NOW}


def test_what_does_not_open_has_no_turn_and_keeps_nobody_from_theirs() -> None:
    assert turns([waiting(0, None), waiting(1)], lambda _: pace(1), NOW) == {"hld_1": NOW}


def test_one_that_is_rejected_before_its_turn_has_none_and_keeps_nobody_from_theirs() -> None:
    brief = waiting(2, NOW + 90)._replace(expires_at=NOW + 90)
    found = turns([waiting(0), waiting(1), brief, waiting(3)], lambda _: pace(1), NOW)
    assert found == {"hld_0": NOW, "hld_1": NOW + 60, "hld_3": NOW + 120}


def test_one_that_is_allowed_waits_until_the_batch_under_way_has_room() -> None:
    since: list[int] = []

    def released(environment: str, after: int) -> list[int]:
        since.append(after)
        return [NOW - 10, NOW - 50] if environment == "production" else []

    held = [waiting(0), waiting(1), waiting(2), waiting(3, NOW, "staging")]
    found = turns(held, lambda _: pace(), NOW, released)
    assert found == {"hld_0": NOW + 10, "hld_1": NOW + 50, "hld_2": NOW + 70, "hld_3": NOW}
    assert since == [NOW - 60, NOW - 60]


def test_environments_do_not_wait_for_each_other() -> None:
    both = [waiting(0), waiting(1, NOW, "staging"), waiting(2), waiting(3, NOW, "staging")]
    found = turns(both, lambda name: pace(1, "2m") if name == "staging" else pace(2), NOW)
    assert found == {"hld_0": NOW, "hld_2": NOW, "hld_1": NOW, "hld_3": NOW + 120}


def test_no_more_than_a_batch_has_its_turn_in_any_pause() -> None:
    random.seed(13)
    release = USUAL_ENVIRONMENT.release
    held = [waiting(number, NOW + random.randrange(600)) for number in range(300)]
    at = sorted(turns(held, lambda _: release, NOW).values())
    assert all(late - early >= release.every for early, late in zip(at, at[release.batch :], strict=False))
