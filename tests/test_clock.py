from app.clock import SLACK, SteadyClock, SystemClock, not_behind
from tests.api.fakes import FakeClock

NOW = 1_795_784_700
SECOND = 1_000_000


def test_a_steady_clock_tells_the_time_of_its_clock() -> None:
    clock = FakeClock(NOW)
    steady = SteadyClock(clock)
    steady.follow(NOW * SECOND)
    for at in (NOW, NOW + 5, NOW + 5):
        clock.at = at
        assert (steady.now(), steady.microseconds(), steady.behind()) == (at, at * SECOND, 0)


def test_it_never_runs_behind_the_latest_of_the_record_by_more_than_a_second() -> None:
    clock = FakeClock(NOW)
    steady = SteadyClock(clock)
    steady.follow(NOW * SECOND)
    clock.at = NOW - 1
    assert (steady.now(), steady.behind()) == (NOW - 1, 0)
    clock.at = NOW - 86_400
    assert steady.now() == NOW - 1
    assert steady.behind() == 86_399 * SECOND
    steady.follow((NOW - 86_400) * SECOND)
    assert steady.now() == NOW - 1


def test_it_runs_on_while_the_clock_is_behind() -> None:
    clock = FakeClock(NOW)
    steady = SteadyClock(clock)
    steady.follow(NOW * SECOND)
    clock.at = NOW - 86_400
    clock.elapsed_us += 3_600 * SECOND
    assert steady.now() == NOW - 1 + 3_600
    # What it knows already does not set it back.
    steady.follow((NOW + 60) * SECOND)
    assert steady.now() == NOW - 1 + 3_600
    clock.at = NOW + 86_400
    assert (steady.now(), steady.behind()) == (NOW + 86_400, 0)


def test_an_instant_is_brought_up_to_a_second_before_the_latest() -> None:
    assert not_behind(NOW, NOW + SLACK) == NOW
    assert not_behind(NOW, NOW + SLACK + 1) == NOW + 1
    assert not_behind(NOW, 0) == NOW


def test_the_machines_clock_elapses_by_a_clock_that_cannot_be_set() -> None:
    clock = SystemClock()
    assert clock.elapsed() <= clock.elapsed()
    assert abs(SteadyClock(clock).microseconds() - clock.microseconds()) < 3_600 * SECOND
