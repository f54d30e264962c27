"""The repeated parts of a timeline as SVG text: a template takes ten times as long for hundreds of numbers.

Only numbers and words of ours are written here; titles of users are escaped by the template.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from markupsafe import Markup

from app.web.timeline_svg import DAY_WIDTH, HOUR_HEIGHT, TOP, Box, Day

_HEIGHT = 24 * HOUR_HEIGHT


@lru_cache(maxsize=8)
def day_columns(days: tuple[Day, ...]) -> Markup:
    """Return the columns of the days with their names; the same for all environments on one day."""
    return Markup("".join("".join(_column(day)) for day in days))  # noqa: S704 - no text of users


def rectangles(boxes: Sequence[Box], hatching: str) -> Markup:
    """Return the boxes of a stretch, each filled and hatched; `hatching` is the id of a pattern of ours."""
    shapes = (
        (each, f'x="{each.x}" y="{each.y}" width="{each.width}" height="{each.height}"') for each in boxes
    )
    text = "".join(
        f'<rect class="fill" {shape}/><rect {shape} fill="url(#{hatching})"/>' for _, shape in shapes
    )
    return Markup(text)  # noqa: S704 - no text of users


def _column(day: Day) -> Iterator[str]:
    x, weekend, today = day.x, " weekend" if day.weekend else "", " today" if day.today else ""
    yield '<g aria-hidden="true">\n'
    if day.weekend:
        yield f'<rect class="weekend" x="{x}" y="{TOP - 17}" width="{DAY_WIDTH}" height="{_HEIGHT + 17}"/>\n'
    yield f'<rect class="day{weekend}" x="{x}" y="{TOP}" width="{DAY_WIDTH - 2}" height="{_HEIGHT}"/>\n'
    if day.monday:
        across, down = f'x1="{x - 1}" x2="{x - 1}"', f'y1="{TOP - 17}" y2="{TOP + _HEIGHT}"'
        yield f'<line class="monday" {across} {down}/>\n'
    if day.today:
        yield f'<rect class="today" x="{x - 1}" y="{TOP - 19}" width="{DAY_WIDTH}" height="17" rx="7"/>\n'
    if day.month:
        yield f'<text class="month" x="{x}" y="11">{day.month}</text>\n'
    middle = f'x="{x + DAY_WIDTH / 2 - 1}" y="{TOP - 6}" text-anchor="middle"'
    name = f'<tspan class="finer">{day.name} </tspan>{day.number}'
    yield f'<text class="label{today}" {middle}>{name}</text>\n</g>\n'
