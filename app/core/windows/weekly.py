"""``weekly: {from: fri 14:00, to: mon 08:00}``: every week, on the wall clock."""

from typing import Final

from pydantic import Field

from app.core.field_types import WeekTimeText
from app.core.instant import DAY
from app.core.interval import Interval
from app.core.notation import WeekTime, format_time_of_day
from app.core.wallclock import Wall, weekday
from app.core.window import Window

_WEEK: Final = 7 * DAY
_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Weekly(Window):
    """Open from one weekday and time to another, every week; equal bounds span the whole week."""

    from_: WeekTimeText = Field(
        alias="from", description="weekday and local time at which it opens", examples=["fri 14:00"]
    )
    to: WeekTimeText = Field(description="weekday and local time at which it closes", examples=["mon 08:00"])

    def intervals(self, span: Interval, wall: Wall) -> list[Interval]:
        """Return one interval a week, from the week before the span."""
        length = (self.to.offset - self.from_.offset) % _WEEK or _WEEK
        first, last = wall.day(span[0]), wall.day(span[1])
        monday = (first - weekday(first) - 14) * DAY
        starts = range(monday + self.from_.offset, (last + 1) * DAY, _WEEK)
        return [(wall.start(local), wall.end(local + length)) for local in starts]

    def week(self) -> list[Interval]:
        """Return its one interval."""
        length = (self.to.offset - self.from_.offset) % _WEEK or _WEEK
        return [(self.from_.offset, self.from_.offset + length)]

    def words(self) -> str:
        """Return ``every week from Friday 14:00 to Monday 08:00``."""
        return f"every week from {_say(self.from_)} to {_say(self.to)}"


def _say(moment: WeekTime) -> str:
    return f"{_NAMES[moment.weekday]} {format_time_of_day(moment.time)}"
