"""The look of each rule in pictures: a colour, and a hatching for people who can't distinguish the colours.

The dashboard, the picture of a year and the command line take them from here, so that a rule looks the same
in all of them.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from app.core.freeze import Freeze
from app.core.policy import Effect, Policy

COLOURS: Final = 8
HATCHINGS: Final = 9
"""Ad-hoc freezes begin with the last, so that an incident looks like nothing else."""

HATCHING_PATHS: Final = (
    "M0 6 6 0M-1 1 1-1M5 7 7 5",
    "M3 3h.01",
    "M0 3H6",
    "M0 0 6 6M-1 5 1 7M5-1 7 1",
    "M3 0V6",
    "M0 3H6M3 0V6",
    "M0 0 6 6M0 6 6 0",
    "M0 1 3 5 6 1",
    "M0 6 6 0M0 3 3 0M3 6 6 3",
)
"""The line of each hatching, in a tile of six by six."""

DOTS: Final = 1
"""The hatching of dots; its line is wider than the others'."""

_SHIFT: Final = 3
"""The shift of the hatchings each time the colours start over; 64 pairs differ before the first repeats."""


class Style(NamedTuple):
    """The look of a rule: the names of its colour and of its hatching."""

    colour: str
    hatching: str


OTHERS: Final = Style("rule-others", "hatching-6")
"""The look of several rules that are drawn as one."""


def rule_styles(policies: Sequence[Policy], freezes: Sequence[Freeze], now: int) -> dict[str, Style]:
    """Return the style of each rule that can block, by id, for all pictures and lists.

    Policies that only warn have none, so that colours repeat later. Ad-hoc freezes share a colour and
    differ by their hatching; those in force come first.
    """
    vetoing = (policy for policy in policies if policy.effect is not Effect.WARN)
    styles = {policy.id: _style(number) for number, policy in enumerate(vetoing)}
    standing = sorted(freezes, key=lambda each: (not each.stands(now), each.starts_at, each.id))
    for number, freeze in enumerate(standing):
        styles[freeze.id] = Style("rule-freeze", f"hatching-{(HATCHINGS - 1 + number) % HATCHINGS}")
    return styles


def _style(number: int) -> Style:
    turn, colour = divmod(number, COLOURS)
    return Style(f"rule-{colour}", f"hatching-{(colour + _SHIFT * turn) % COLOURS}")
