"""A year on a sheet of A3, as an SVG document: its title, its twelve months side by side, and the legend.

It is complete without styles or fonts of others, and light: paper has no dark mode.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from app.core.rule_style import DOTS, HATCHING_PATHS, Style
from app.core.xml_text import xml_text
from app.core.year.drawing import (
    MONTH_HEIGHT,
    MONTHS,
    PITCH,
    Link,
    YearDrawing,
    filled,
    fitted,
    named_holidays,
    text_width,
)
from app.core.year.words import day_name, short_day, title_of
from app.core.year.year import Year

_WIDTH: Final = 1656
_HEIGHT: Final = 1171
_LEFT: Final = 18
_TOP: Final = 64
_LEGEND: Final = _TOP + MONTH_HEIGHT + 24
_BOTTOM: Final = _HEIGHT - 22
_COLUMNS: Final = 4
_ROWS: Final = 4
_ENTRY: Final = 18
"""The most columns and rows of the legend, and the height of a row."""
_LINE: Final = 14
_HOLIDAY_SIZE: Final = 10.5
_ROOM_FOR_MORE: Final = 70
"""The width that a line of holidays leaves for the number of those left out."""

LIGHT: Final = {
    "sheet": "#ffffff",
    "ink": "#14181f",
    "soft": "#4d5766",
    "paper": "#f6f7f9",
    "weekend": "#e4e9f0",
    "edge": "#7b8797",
    "rule-0": "#297cef",
    "rule-1": "#e85400",
    "rule-2": "#7c41ae",
    "rule-3": "#9e8155",
    "rule-4": "#ce5ba9",
    "rule-5": "#1c3c6b",
    "rule-6": "#757b7f",
    "rule-7": "#1e7359",
    "rule-freeze": "#be2517",
    "rule-others": "#14181f",
}
"""The light colours of the dashboard, by their names there; a sheet of paper has no dark mode."""


def year_svg(shown: Year, today: int, link: Link | None = None) -> str:
    """Return the picture of a year as an SVG document on a sheet of A3, with its title and legend."""
    drawing = YearDrawing(shown, today, link)
    months = "".join(
        f'<g transform="translate({_LEFT + number * PITCH} {_TOP})">{drawing.month(number + 1)}</g>'
        for number in range(MONTHS)
    )
    label = xml_text(f"Deploy freezes of {_place(shown)} in {shown.request.year}")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="420mm" height="297mm" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="{"img" if link is None else "group"}" aria-label="{label}">'
        f"<title>{label}</title><style>{_style()}</style>{_hatchings()}"
        f'<rect class="sheet" width="{_WIDTH}" height="{_HEIGHT}"/>'
        f"{_title(shown)}{months}{_legend(shown)}{_foot(shown, today)}</svg>\n"
    )


def _place(shown: Year) -> str:
    request = shown.request
    service = f"{request.service} in " if request.service else ""
    return f"{service}{request.environment}{f', {request.change}' if request.change != 'normal' else ''}"


def _title(shown: Year) -> str:
    share = shown.seconds / (sum(day.seconds for day in shown.days) or 1)
    how = "Each row is a day from 00:00 to 24:00; its coloured part is frozen."
    return (
        f'<text class="year" x="{_LEFT}" y="44">{shown.request.year}</text>'
        f'<text class="place" x="{_LEFT + 110}" y="44">{xml_text(fitted(_place(shown), 760, 24))}</text>'
        f'<text class="note" x="{_WIDTH - _LEFT - 8}" y="30" text-anchor="end">{how}</text>'
        f'<text class="note" x="{_WIDTH - _LEFT - 8}" y="47" text-anchor="end">'
        f"{share:.0%} of the year is frozen. Times are {xml_text(shown.zone.name)}.</text>"
    )


def _legend(shown: Year) -> str:
    entries = list(_entries(shown, _COLUMNS * _ROWS))
    columns = min(len(entries), _COLUMNS)
    width = (_WIDTH - 2 * _LEFT) / columns
    drawn = []
    for number, (style, text) in enumerate(entries):
        row, column = divmod(number, columns)
        x, y = _LEFT + column * width, _LEGEND + row * _ENTRY
        swatch = filled(style, f"M{x:g} {y - 10}h24v12h-24z") if style else ""
        name = xml_text(fitted(text, width - 40, 12))
        drawn.append(f'{swatch}<text class="entry" x="{x + 31:g}" y="{y}">{name}</text>')
    return "".join(drawn) + _holidays(shown, _LEGEND + -(-len(entries) // columns) * _ENTRY + 6)


def _entries(shown: Year, most: int) -> Iterator[tuple[Style | None, str]]:
    rules = shown.rules if len(shown.rules) <= most else shown.rules[: most - 1]
    for rule in rules:
        times = f", {len(rule.periods)} times" if len(rule.periods) > 1 else ""
        yield rule.style, f"{title_of(rule)}{times}"
    if len(rules) < len(shown.rules):
        yield None, f"and {len(shown.rules) - len(rules)} more"
    if not rules:
        yield None, "No freezes."


def _holidays(shown: Year, top: int) -> str:
    """Return the lines that name the holidays, as far as there is room."""
    names = [f"{short_day(day)} {name}" for day, name in named_holidays(shown)]
    if not names:
        return ""
    lines = _wrapped([f"Holidays: {names[0]}", *names[1:]], (_BOTTOM - top) // _LINE + 1)
    return "".join(
        f'<text class="holidays" x="{_LEFT}" y="{top + number * _LINE}">{xml_text(line)}</text>'
        for number, line in enumerate(lines)
    )


def _wrapped(names: Sequence[str], most: int) -> list[str]:
    """Return lines of names, at most so many; the last says how many names are left out."""
    lines, width = [names[0]], _WIDTH - 2 * _LEFT - _ROOM_FOR_MORE
    for index, name in enumerate(names[1:], 1):
        longer = f"{lines[-1]} · {name}"
        if text_width(longer, _HOLIDAY_SIZE) <= width:
            lines[-1] = longer
        elif len(lines) < most:
            lines.append(name)
        else:
            lines[-1] += f" · and {len(names) - index} more"
            break
    return lines


def _foot(shown: Year, today: int) -> str:
    revision = f" · policies {shown.revision[:19]}" if shown.revision else ""
    text = xml_text(f"freezegate{revision} · as of {day_name(today)}")
    return f'<text class="foot" x="{_WIDTH - _LEFT - 8}" y="{_HEIGHT - 8}" text-anchor="end">{text}</text>'


def _hatchings() -> str:
    patterns = (
        f'<pattern id="hatching-{number}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<path class="hatching{" dots" if number == DOTS else ""}" d="{path}"/></pattern>'
        for number, path in enumerate(HATCHING_PATHS)
    )
    return f"<defs>{''.join(patterns)}</defs>"


def _style() -> str:
    rules = "".join(f".{name}{{fill:{colour}}}" for name, colour in LIGHT.items() if name.startswith("rule"))
    return (
        "text{font-family:'Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif;"
        f"fill:{LIGHT['ink']}}}"
        ".dow,.week,.tick,.note,.foot,.holidays{fill:" + LIGHT["soft"] + "}"
        ".year{font-size:38px;font-weight:700}.place{font-size:24px}.note{font-size:12px}.foot{font-size:9px}"
        ".month{font-size:14px;font-weight:700}.dow{font-size:9px}.num{font-size:12px;font-weight:600}"
        ".num,.week{text-anchor:end}.week,.tick{font-size:8px}.name{font-size:8.5px}.entry{font-size:12px}"
        f".holidays{{font-size:{_HOLIDAY_SIZE}px}}"
        f"text.holiday{{fill:{LIGHT['rule-freeze']};font-weight:700}}text.today{{fill:{LIGHT['sheet']}}}"
        f"rect.today{{fill:{LIGHT['ink']}}}.sheet{{fill:{LIGHT['sheet']}}}.day{{fill:{LIGHT['paper']}}}"
        f".day.weekend{{fill:{LIGHT['weekend']}}}.cell{{fill:none;pointer-events:all}}.over{{pointer-events:none}}"
        f".grid{{stroke:{LIGHT['ink']};stroke-opacity:.14;stroke-width:.6}}"
        ".hatching{stroke:#fff;stroke-opacity:.6;stroke-width:1.1;fill:none}"
        ".hatching.dots{stroke-width:2.2;stroke-linecap:round}"
        f"{rules}a:focus .cell,a:hover .cell{{stroke:{LIGHT['ink']};stroke-width:1.5}}"
    )
