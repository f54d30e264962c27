"""The bars of a calendar: a freeze as boxes on rows of time, with stripes for the rules that overlap."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from app.core.explain import undirected
from app.core.interval import Interval
from app.core.rule_style import OTHERS, Style
from app.core.wallclock import Zone
from app.gate.calendar_lanes import Lane, Part, Run, ScopedFreeze
from app.web.calendar_words import run_id, run_in_words, scoped_id, scoped_in_words

THIN: Final = 6
"""The height of a bar of single services."""

_STRIPE: Final = 4
_MOST_STRIPES: Final = 3
_LETTER: Final = 6.1
"""The width of a letter of a title, on average; rounded up."""
_LEAST_LETTERS: Final = 6
_MOST_TITLES: Final = 3
_GAP: Final = 8
_LEAST_WIDTH: Final = 1.5
"""A freeze of minutes is drawn wider than it is, to be seen at all."""


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


class Title(NamedTuple):
    """A text at a place."""

    x: float
    y: float
    text: str


class Shape(NamedTuple):
    """Boxes in the style of a rule."""

    style: Style
    boxes: tuple[Box, ...]


class Bar(NamedTuple):
    """A freeze as it is drawn."""

    own_id: str
    """The id of its entry in the list."""
    label: str
    parts: tuple[Shape, ...]
    stripes: tuple[Shape, ...]
    titles: tuple[Title, ...]
    scoped: bool


class Row(NamedTuple):
    """A stretch of local time on one line."""

    first: int
    last: int
    y: float
    bar: float
    """The top of its bars."""
    thin: float
    """The top of its thin bars."""
    height: float


class Canvas(NamedTuple):
    """The measures of a drawing, and what it is seen by."""

    width: int
    row_seconds: int
    """Seconds of local time across the width."""
    height: int
    """Of a bar."""
    titled: bool
    """Whether titles stand above the bars."""
    where: Zone
    now: int
    styles: Mapping[str, Style]

    def x(self, row: Row, local: int) -> float:
        """Return the place of a local time on a row."""
        return round((local - row.first) / self.row_seconds * self.width, 2)

    def touched(self, lane: Lane, row: Row) -> tuple[bool, bool]:
        """Return whether a freeze of the lane is on a row, and whether one of single services is."""
        kinds: tuple[Iterable[Run | ScopedFreeze], ...] = (lane.runs, lane.scoped)
        runs, scoped = (any(self._boxes(each.start, each.end, [row], 0) for each in kind) for kind in kinds)
        return runs, scoped

    def bars(self, lane: Lane, number: int, rows: Sequence[Row]) -> tuple[Bar, ...]:
        """Return the bars of a lane; `number` is that of the lane, for the ids of its list."""
        return (*self._runs(lane, number, rows), *self._scoped(lane, number, rows))

    def _runs(self, lane: Lane, number: int, rows: Sequence[Row]) -> Iterator[Bar]:
        shown = [(run, self._boxes(run.start, run.end, rows, self.height)) for run in lane.runs]
        starts = [(box.y, box.x) for _, boxes in shown for box in boxes]
        for run, boxes in shown:
            if boxes:
                yield Bar(
                    run_id(number, run.start),
                    run_in_words(run, self.where, self.now),
                    tuple(self._body(run, rows)),
                    tuple(self._stripes(run, rows)),
                    tuple(self._titles(run, boxes, starts)),
                    scoped=False,
                )

    def _scoped(self, lane: Lane, number: int, rows: Sequence[Row]) -> Iterator[Bar]:
        """Yield thin bars below the others, for the freezes of single services."""
        thin = [row._replace(bar=row.thin) for row in rows]
        for each in lane.scoped:
            boxes = self._boxes(each.start, each.end, thin, THIN)
            if boxes:
                shape = Shape(self._style(each.stretch.rule.id), boxes)
                label = scoped_in_words(each, self.where, self.now)
                yield Bar(scoped_id(number, each), label, (shape,), (), (), scoped=True)

    def _body(self, run: Run, rows: Sequence[Row]) -> Iterator[Shape]:
        """Yield the body of a bar: neighbouring parts that the same rule leads are one."""
        for lead, group in groupby(run.parts, _lead):
            parts = list(group)
            boxes = self._boxes(parts[0].start, parts[-1].end, rows, self.height)
            yield Shape(self._style(lead), boxes)

    def _stripes(self, run: Run, rows: Sequence[Row]) -> Iterator[Shape]:
        """Yield a stripe for each rule that overlaps the one in the lead; the last place is shared."""
        found: dict[str, list[Box]] = {}
        for part in run.parts:
            for stretch in part.rules[1:]:
                kept = found.setdefault(stretch.rule.id, [])
                place = min(list(found).index(stretch.rule.id) + 1, _MOST_STRIPES)
                lowered = _lowered(rows, self.height - _STRIPE * place)
                kept += self._boxes(part.start, part.end, lowered, _STRIPE - 1)
        for own_id, boxes in found.items():
            yield Shape(self._style(own_id), tuple(boxes))

    def _titles(
        self, run: Run, boxes: Sequence[Box], starts: Sequence[tuple[float, float]]
    ) -> Iterator[Title]:
        """Yield the title above the first row that has room for it, up to the next freeze."""
        text = " + ".join(undirected(stretch.rule.title) for stretch in run.rules[:_MOST_TITLES])
        for box in boxes if self.titled else ():
            end = min([x for y, x in starts if y == box.y and x > box.x], default=self.width)
            room = int((end - box.x - _GAP) / _LETTER)
            if room >= _LEAST_LETTERS:
                yield Title(box.x, box.y - 5, _cut(text, room))
                return

    def _boxes(self, start: int, end: int, rows: Iterable[Row], height: float) -> tuple[Box, ...]:
        """Return the boxes of a time on each row that it touches, by the wall clock."""
        shown = self.where.shown(start, end)
        return tuple(self._box(each, row, height) for each in shown for row in rows if _touches(each, row))

    def _box(self, shown: Interval, row: Row, height: float) -> Box:
        x = self.x(row, max(shown[0], row.first))
        width = round(self.x(row, min(shown[1], row.last)) - x, 2)
        return Box(x, row.bar, max(width, _LEAST_WIDTH), height)

    def _style(self, rule_id: str) -> Style:
        return self.styles.get(rule_id, OTHERS)


def _lead(part: Part) -> str:
    return part.rules[0].rule.id


def _lowered(rows: Iterable[Row], by: float) -> list[Row]:
    return [row._replace(bar=row.bar + by) for row in rows]


def _touches(shown: Interval, row: Row) -> bool:
    return shown[0] < row.last and shown[1] > row.first


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1].rstrip()}…"
