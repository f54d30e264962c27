"""The status badge: whether deploys are open, in a few words and a colour, as SVG.

The words carry the whole message for readers who can't tell the colours apart. Drawing fetches nothing.
"""

from datetime import datetime
from math import ceil
from typing import Final, NamedTuple

from app.core.decision import Decision, Outcome
from app.core.explain import local_time, zone_label
from app.core.instant import DAY
from app.core.wallclock import Zone
from app.core.xml_text import xml_text

LABEL: Final = "deploys"

GREEN: Final = "0b6b43"
AMBER: Final = "8a4b00"
BLUE: Final = "1d4ed8"
RED: Final = "b3261e"
GREY: Final = "595959"
LABEL_COLOUR: Final = "333333"
"""Those of the pages: frozen is blue, and red is kept for incidents. White text on each has a contrast of 4.5
at least (WCAG AA)."""

_SOON: Final = 6 * DAY
"""Up to this far ahead, a weekday names a day unambiguously."""

_HEIGHT: Final = 20
_PADDING: Final = 6
_NARROW, _WIDE, _CAPITAL, _OTHER, _PLAIN = 4.2, 11.0, 8.5, 12.0, 7.2
_WIDTHS: Final = {
    **dict.fromkeys("fijlrtI.,:;'|!()[] ", _NARROW),
    **dict.fromkeys("mwMW%@+", _WIDE),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&", _CAPITAL),
}
"""Pixels of letters in Verdana of 11 pixels, rounded up: the other fonts below are narrower."""


class Badge(NamedTuple):
    """The message beside the label, and its colour in hexadecimal."""

    message: str
    colour: str


def badge(decision: Decision, *, doubtful: bool = False) -> Badge:
    """Return the badge of a decision.

    Args:
        decision: the decision to show.
        doubtful: unknown freezes may exist, so "open" can't be claimed.
    """
    if decision.blocking:
        where = decision.blocking[0].zone
        opens = decision.opens_at
        colour = RED if any(each.rule.kind == "freeze" for each in decision.blocking) else BLUE
        return Badge(f"frozen until {_moment(opens, where, decision.at)}" if opens else "frozen", colour)
    if doubtful:
        return Badge("unknown", GREY)
    if decision.outcome is Outcome.WARN:
        return Badge("open, with a warning", AMBER)
    return Badge("open", GREEN)


def endpoint(shown: Badge) -> dict[str, str | int]:
    """Return the badge as JSON for the endpoint badge of shields.io."""
    return {"schemaVersion": 1, "label": LABEL, "message": shown.message, "color": shown.colour}


def svg(shown: Badge) -> str:
    """Return the badge as SVG: flat, without scripts or web fonts."""
    message = xml_text(shown.message)
    left, right = _width(LABEL), _width(shown.message)
    label = f"{LABEL}: {message}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" '
        f'viewBox="0 0 {left + right} {_HEIGHT}" role="img" aria-label="{label}">'
        f"<title>{label}</title>"
        f'<rect width="{left}" height="{_HEIGHT}" fill="#{LABEL_COLOUR}"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="#{shown.colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" '
        'text-anchor="middle" aria-hidden="true">'
        f'<text x="{left / 2:g}" y="14">{LABEL}</text>'
        f'<text x="{left + right / 2:g}" y="14">{message}</text>'
        "</g></svg>\n"
    )


def _width(text: str) -> int:
    return ceil(sum(map(_letter, text))) + 2 * _PADDING


def _letter(letter: str) -> float:
    return _WIDTHS.get(letter, _PLAIN if letter.isascii() else _OTHER)


def _moment(instant: int, where: Zone, seen_from: int) -> str:
    """Return ``Mon 08:00 CET``, with the date where the weekday alone would be ambiguous."""
    if instant - seen_from > _SOON:
        return local_time(instant, where, seen_from)
    moment = datetime.fromtimestamp(instant, where.info)
    time = moment.strftime("%H:%M:%S" if moment.second else "%H:%M")
    return f"{moment:%a} {time} {zone_label(instant, where)}"
