"""Deploys held against other deploys: which fail more often, if that can be told at all."""

from enum import StrEnum
from typing import Final, NamedTuple

from app.core.proportion import Range, Share, chance, difference, wilson

ENOUGH: Final = 10
"""Reported deploys that either side of a comparison must have; with fewer, one failure is ten per cent."""

TELLING: Final = 0.1
"""A difference that matters. "No difference seen" is said only where the whole interval of the
difference lies within this on either side of zero: a wider one has not looked closely enough."""


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

    @property
    def enough(self) -> bool:
        """Whether it may be held against others."""
        return self.reported >= ENOUGH


class Comparison(NamedTuple):
    """Some deploys held against the others."""

    inside: Tally
    others: Tally
    difference: Range | None
    """How much more often those inside fail, with the confidence that all comparisons of the list share."""
    verdict: Verdict

    @property
    def differs(self) -> bool:
        """Whether one side was seen to fail more often."""
        return self.verdict in (Verdict.WORSE, Verdict.BETTER)


def comparable(inside: Tally, others: Tally) -> bool:
    """Whether both sides are large enough to be judged."""
    return inside.enough and others.enough


def compare(inside: Tally, others: Tally, confidence: float) -> Comparison:
    """Judge, with a confidence that must allow for all the comparisons that are made beside this one."""
    if not comparable(inside, others):
        return Comparison(inside, others, None, Verdict.TOO_FEW)
    found = difference(inside.share, others.share, confidence)
    if found.low > 0 or found.high < 0:
        # Two witnesses: the interval says how much, the exact test that it is not the small numbers.
        if chance(inside.share, others.share) > 1 - confidence:
            return Comparison(inside, others, found, Verdict.TOO_FEW)
        return Comparison(inside, others, found, Verdict.WORSE if found.low > 0 else Verdict.BETTER)
    looked_closely = found.low >= -TELLING and found.high <= TELLING
    return Comparison(inside, others, found, Verdict.NO_DIFFERENCE if looked_closely else Verdict.TOO_FEW)
