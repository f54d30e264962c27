"""Compare the failure rates of two groups of deploys, and say so when the sample is too small.

Comparisons are stratified. A rule that exempts rollbacks leaves mostly rollbacks in its hours; if
rollbacks fail more often at any hour, the hour is not the cause.
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
    """The result of a comparison: how the failure rate inside relates to the others'."""

    WORSE = "worse inside"
    BETTER = "better inside"
    NO_DIFFERENCE = "no difference seen"
    TOO_FEW = "too few to tell"


class Tally:
    """Counters of deploys."""

    __slots__ = ("deploys", "failed", "overrides", "reported")

    def __init__(self, deploys: int = 0, overrides: int = 0, reported: int = 0, failed: int = 0) -> None:
        """Start from these counts."""
        self.deploys = deploys
        """Claims that were allowed."""
        self.overrides = overrides
        """Of `deploys`, those allowed by an override token."""
        self.reported = reported
        """Of `deploys`, those whose outcome was reported."""
        self.failed = failed
        """Of `reported`, those that failed or were rolled back."""

    def count(self, *, overridden: bool, reported: bool, failed: bool) -> None:
        """Count one deploy."""
        self.deploys += 1
        self.overrides += overridden
        self.reported += reported
        self.failed += failed

    def add(self, other: "Tally") -> None:
        """Add the counts of another tally."""
        self.deploys += other.deploys
        self.overrides += other.overrides
        self.reported += other.reported
        self.failed += other.failed

    def without(self, other: "Tally") -> "Tally":
        """Return the tally less a part of it."""
        return Tally(
            self.deploys - other.deploys,
            self.overrides - other.overrides,
            self.reported - other.reported,
            self.failed - other.failed,
        )

    @property
    def share(self) -> Share:
        """The share of reported deploys that failed."""
        return Share(self.failed, self.reported)

    @property
    def range(self) -> Range:
        """The 95 % confidence interval of the failure rate, for this tally alone."""
        return wilson(self.share)


def telling(others: Share) -> float:
    """Return the smallest difference from the others' rate that matters."""
    return min(MOST, max(LEAST, TELLING * (others.rate or 0.0)))


class Sides(NamedTuple):
    """Deploys inside and outside of a condition, with the strata in which both are comparable."""

    everything: Tally
    inside: Tally
    others: Tally
    strata: tuple[Pair, ...]
    """Reported deploys by stratum; strata without deploys on both sides are left out."""
    like: Pair
    """All strata together, the others weighed as if as many of each were among them as inside."""

    @property
    def comparable(self) -> bool:
        """Whether both sides are large enough to be judged."""
        return all(share.total >= ENOUGH for share in self.like)


def sides(everything: Tally, strata: Iterable[tuple[Tally, Tally]]) -> Sides:
    """Return the deploys inside and the others, stratified.

    Args:
        everything: both sides together.
        strata: for each stratum, the deploys inside and all of them; strata without any inside may be
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
    """The deploys inside compared with the others."""

    inside: Tally
    others: Tally
    like: Pair
    """See `Sides.like`."""
    difference: Range | None
    """How much more often deploys inside fail than comparable others, at the confidence that all
    comparisons of the list share."""
    verdict: Verdict

    @property
    def differs(self) -> bool:
        """Whether one side was seen to fail more often."""
        return self.verdict in (Verdict.WORSE, Verdict.BETTER)


def compare(held: Sides, confidence: float) -> Comparison:
    """Return the verdict at a confidence that must already allow for all comparisons made together."""
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
