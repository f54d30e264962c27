"""What stands in for the world in these tests."""


class FakeClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: int) -> None:
        self.at = now
        self.elapsed_us = 0
        """Moved by tests that are about a clock which jumps; else only the instant counts."""

    def now(self) -> int:
        return self.at

    def microseconds(self) -> int:
        return self.at * 1_000_000

    def elapsed(self) -> int:
        return self.elapsed_us
