"""What every kind of window is: a piece of policies.yaml that turns a span into intervals."""

from pydantic import BaseModel, ConfigDict

from app.core.interval import Interval
from app.core.wallclock import Wall


class Window(BaseModel):
    """One kind of window, its fields being its keys in policies.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """Every interval of this window that meets `span`, in instants.

        They may come in any order, overlap, be empty, and reach or even lie beyond the span:
        whoever asks puts them in order. `wall` is the zone's wall clock; its `start` and `end`
        turn local bounds into instants.
        """
        raise NotImplementedError

    def words(self) -> str:
        """Say in words when the window is open, to follow "every deploy is refused …"."""
        raise NotImplementedError

    def week(self) -> list[Interval] | None:
        """Return when it is open in a week, if that is alike in every week; None if it is not.

        In seconds of the wall clock since Monday 00:00; each interval begins within the week.
        """
        return None

    def covers(self, other: "Window") -> bool:
        """Whether it is surely open wherever `other` is, by how both are written."""
        return self == other

    def per_day(self) -> int:
        """Return how many times it opens in a day at most."""
        return 1

    def remarks(self) -> list[str]:
        """What `freezegate lint` should tell the author about this window; usually nothing."""
        return []

    def is_empty(self, wall: Wall) -> bool:  # noqa: ARG002 - most windows recur, so some of them is there
        """Whether it is never open on a wall clock; said only where that is certain."""
        return False

    def over_by(self, wall: Wall) -> int | None:  # noqa: ARG002 - most windows recur
        """The instant after which it never opens again; None if it recurs."""
        return None

    def reversed_use(self, *, freezes: bool) -> str | None:  # noqa: ARG002 - most can be used both ways
        """Why it can't be used where it freezes, or where it opens; None if it can."""
        return None
