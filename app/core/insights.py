"""What a period of decisions shows: when deploys fail, what policies stop, how long deploys waited."""

from typing import NamedTuple


class Decided(NamedTuple):
    """A recorded decision with the latest report on it; as little as counting needs."""

    at: int
    service: str
    environment: str
    outcome: str
    blocking: str | None
    """The ids of what vetoed, joined by commas, whether or not a token lifted it."""
    result: str | None
    """As of the latest report; None without any."""
