"""The base class of all window kinds. A window of policies.yaml yields its open intervals within a span."""

from pydantic import BaseModel, ConfigDict

from app.core.interval import Interval
from app.core.wallclock import Wall


class Window(BaseModel):
    """A kind of window. Its fields are its keys in policies.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """Return every interval of this window that overlaps `span`, as instants.

        They may be unordered, overlap, be empty, and reach or lie beyond the span: the caller normalises
        them. `wall` is the zone's wall clock; its `start` and `end` turn local bounds into instants.
        """
        raise NotImplementedError

    def words(self) -> str:
        """Return in words when the window is open, to follow "Deploys are refused …"."""
        raise NotImplementedError

    def week(self) -> list[Interval] | None:
        """Return its intervals in a week, if every week is the same; else None.

        In seconds of the wall clock since Monday 00:00; each interval begins within the week.
        """
        return None

    def covers(self, other: "Window") -> bool:
        """Return whether it is provably open whenever `other` is, by their definitions alone."""
        return self == other

    def per_day(self) -> int:
        """Return the most times that it opens in a day."""
        return 1

    def remarks(self) -> list[str]:
        """Return warnings about this window for `freezegate lint`."""
        return []

    def is_empty(self, wall: Wall) -> bool:  # noqa: ARG002 - most windows recur, so they open
        """Return whether it is certainly never open on a wall clock."""
        return False

    def over_by(self, wall: Wall) -> int | None:  # noqa: ARG002 - most windows recur
        """Return the instant after which it never opens again; None if it recurs."""
        return None

    def reversed_use(self, *, freezes: bool) -> str | None:  # noqa: ARG002 - most can be used both ways
        """Return why it makes no sense as a freeze (or, if not `freezes`, as an opening); None if it does."""
        return None
