"""What stands in for the world in these tests."""


class FakeClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: int) -> None:
        self.at = now

    def now(self) -> int:
        return self.at

    def microseconds(self) -> int:
        return self.at * 1_000_000
