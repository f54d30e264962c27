"""Deploys held against other deploys: which fail more often, if that can be told at all.

Like is held against like. A rule that lets rollbacks through leaves hardly anything but rollbacks to
its hours; if those fail more often at any hour, that is not the hour's doing.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from app.core.proportion import Pair, Range, Share, chance, difference, weighed, wilson

ENOUGH: Final = 10
"""Reported deploys that either side of a comparison must have; with fewer, one failure is ten per cent."""

TELLING: Final = 0.5
"""A difference that matters, beside the rate of the others: half as often again, or half as often.

"No difference seen" is said only where the whole interval of the difference lies within it on either
side of zero: a wider one has not looked closely enough."""

LEAST: Final = 0.01
"""A smaller difference does not matter, however rarely the others fail: one deploy of a hundred."""

MOST: Final = 0.1
"""A larger one does, however often they fail."""


class Verdict(StrEnum):
    """What a comparison says of how often the deploys inside fail."""

    WORSE = "worse inside"
    BETTER = "better inside"
    NO_DIFFERENCE = "no difference seen"
    TOO_FEW = "too few to tell"


class Tally:
    """Counts deploys."""

    __slots__ = ("deploys", "failed", "overrides", "reported")

    def __init__(self, deploys: int = 0, overrides: int = 0, reported: int = 0, failed: int = 0) -> None:
        """Begin with these."""
        self.deploys = deploys
        """Claims that were allowed."""
        self.overrides = overrides
        """Of these, by a token."""
        self.reported = reported
        """Of these, those of which somebody said how they went."""
        self.failed = failed
        """Of those, the ones that failed or were rolled back."""

    def add(self, other: "Tally") -> None:
        """Count those of another one, too."""
        self.deploys += other.deploys
        self.overrides += other.overrides
        self.reported += other.reported
        self.failed += other.failed

    def without(self, other: "Tally") -> "Tally":
        """What is left without a part of it."""
        return Tally(
            self.deploys - other.deploys,
            self.overrides - other.overrides,
            self.reported - other.reported,
            self.failed - other.failed,
        )

    @property
    def share(self) -> Share:
        """The failed of the reported."""
        return Share(self.failed, self.reported)

    @property
    def range(self) -> Range:
        """Where the true rate of failures lies, with 95 % confidence by itself."""
        return wilson(self.share)


def telling(others: Share) -> float:
    """The least difference from the rate of the others that matters."""
    return min(MOST, max(LEAST, TELLING * (others.rate or 0.0)))


class Sides(NamedTuple):
    """Some deploys and the others, and those of both that can be held against each other."""

    everything: Tally
    inside: Tally
    others: Tally
    strata: tuple[Pair, ...]
    """The reported deploys, by what makes them alike; those that have nothing alike on the other side
    are left out."""
    like: Pair
    """All strata together, the others weighed as if as many of each were among them as inside."""

    @property
    def comparable(self) -> bool:
        """Whether both sides are large enough to be judged."""
        return all(share.total >= ENOUGH for share in self.like)


def sides(everything: Tally, strata: Iterable[tuple[Tally, Tally]]) -> Sides:
    """Some deploys and the others.

    Args:
        everything: both sides together.
        strata: of deploys that are alike, those inside, and all of them; those without any inside may be
            left out.
    """
    inside = Tally()
    pairs = []
    for part, whole in strata:
        inside.add(part)
        rest = whole.without(part)
        if part.reported and rest.reported:
            pairs.append(Pair(part.share, rest.share))
    return Sides(everything, inside, everything.without(inside), tuple(pairs), weighed(pairs))


class Comparison(NamedTuple):
    """Some deploys held against the others."""

    inside: Tally
    others: Tally
    like: Pair
    """See `Sides.like`."""
    difference: Range | None
    """How much more often those inside fail than their like among the others, with the confidence that all
    comparisons of the list share."""
    verdict: Verdict

    @property
    def differs(self) -> bool:
        """Whether one side was seen to fail more often."""
        return self.verdict in (Verdict.WORSE, Verdict.BETTER)


def compare(held: Sides, confidence: float) -> Comparison:
    """Judge, with a confidence that must allow for all the comparisons that are made beside this one."""
    if not held.comparable:
        return Comparison(held.inside, held.others, held.like, None, Verdict.TOO_FEW)
    found = difference(*held.like, confidence)
    return Comparison(held.inside, held.others, held.like, found, _verdict(held, found, confidence))


def _verdict(held: Sides, found: Range, confidence: float) -> Verdict:
    if found.low > 0 or found.high < 0:
        # Two witnesses: the interval says how much, the exact test that it is not the small numbers.
        if chance(held.strata) > 1 - confidence:
            return Verdict.TOO_FEW
        return Verdict.WORSE if found.low > 0 else Verdict.BETTER
    bound = telling(held.like.other)
    looked_closely = found.low >= -bound and found.high <= bound
    return Verdict.NO_DIFFERENCE if looked_closely else Verdict.TOO_FEW
