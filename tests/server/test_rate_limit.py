import pytest

from app.server import rate_limit
from app.server.rate_limit import RateLimit
from tests.api.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_795_784_700)


def test_so_many_are_let_through_and_the_next_is_told_how_long_to_wait(clock: FakeClock) -> None:
    limit = RateLimit(clock, "3/minute")
    assert [limit.wait("10.0.0.1") for _ in range(4)] == [0, 0, 0, 60]
    clock.at += 59
    assert limit.wait("10.0.0.1") == 1
    clock.at += 1
    assert limit.wait("10.0.0.1") == 0


def test_each_address_is_counted_by_itself_and_a_network_of_the_sixth_version_as_one(
    clock: FakeClock,
) -> None:
    limit = RateLimit(clock, "1/minute")
    assert [limit.wait(f"10.0.0.{number}") for number in range(5)] == [0] * 5
    assert limit.wait("2001:db8::1") == 0
    assert limit.wait("2001:db8::ffff:1") > 0
    assert limit.wait("2001:db8:0:1::1") == 0
    assert limit.wait("") == 0
    assert limit.wait("testclient") == 0


def test_memory_does_not_grow_with_the_number_of_addresses(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "MOST_ADDRESSES", 100)
    limit = RateLimit(clock, "1/minute")
    for number in range(1_000):
        limit.wait(f"10.0.{number // 256}.{number % 256}")
    assert len(limit._counts) == 100
    assert limit.wait("10.0.3.231") > 0
    assert limit.wait("10.0.0.0") == 0


def test_what_is_no_limit_is_refused(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="rate limit"):
        RateLimit(clock, "often")
