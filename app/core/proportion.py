"""Shares of a few, and what they say of the many: intervals around proportions and their differences.

Deploys that fail are rare and freezes are short, so the numbers are small. The textbook interval
(share ± 1.96 standard errors) is wrong just there: of 0 in 10 it says "0 %, exactly". These are not.
"""

from math import exp, lgamma, sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95

_NEGLIGIBLE: Final = 1e-12


class Share(NamedTuple):
    """So many of so many."""

    hits: int
    total: int

    @property
    def rate(self) -> float | None:
        """The share that was seen; None of nothing."""
        return self.hits / self.total if self.total else None


class Range(NamedTuple):
    """From where to where a true value lies, with the confidence that was asked for."""

    low: float
    high: float


def wilson(share: Share, confidence: float = CONFIDENCE) -> Range:
    """The score interval of one proportion, without continuity correction; of nothing, 0 to 1.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927), 209-212. Recommended for small samples by L. D. Brown,
    T. T. Cai and A. DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16
    (2001), 101-133.
    """
    hits, total = share
    if not total:
        return Range(0.0, 1.0)
    z = _quantile(confidence)
    middle = 2 * hits + z * z
    spread = z * sqrt(z * z + 4 * hits * (total - hits) / total)
    low, high = ((middle + sign * spread) / (2 * (total + z * z)) for sign in (-1, 1))
    # Exact at the ends, where rounding would leave a little more or less.
    return Range(low if hits else 0.0, high if hits < total else 1.0)


def difference(one: Share, other: Share, confidence: float = CONFIDENCE) -> Range:
    """The interval of how much greater one proportion is than another, from the score intervals of both.

    R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison
    of eleven methods", Statistics in Medicine 17 (1998), 873-890: method 10, the hybrid score interval
    without continuity correction. Where one of the shares is of nothing, it is all there can be: -1 to 1.
    """
    here, there = one.rate, other.rate
    if here is None or there is None:
        return Range(-1.0, 1.0)
    own, others = wilson(one, confidence), wilson(other, confidence)
    return Range(
        here - there - sqrt((here - own.low) ** 2 + (others.high - there) ** 2),
        here - there + sqrt((own.high - here) ** 2 + (there - others.low) ** 2),
    )


def chance(one: Share, other: Share) -> float:
    """How likely two shares differ by as much as these or more, where nothing but chance is at work.

    R. A. Fisher's exact test (Statistical Methods for Research Workers, 5th edition, 1934, section 21.02),
    two-sided by doubling the smaller tail. It is never too bold, however small the numbers. The intervals
    above are, far out: with the confidence that 168 comparisons ask for and some twenty deploys on one
    side, simulation finds three times as many of them wrong as should be.
    """
    hits = one.hits + other.hits
    first, last = max(0, hits - other.total), min(hits, one.total)
    up = _tail(one, other, range(one.hits, last + 1))
    down = _tail(one, other, range(one.hits, first - 1, -1))
    return min(1.0, 2 * min(up, down))


def _tail(one: Share, other: Share, outcomes: range) -> float:
    """The probability of outcomes from the one seen outwards, given how many hits there are in all."""
    hits, everything = one.hits + other.hits, one.total + other.total
    total = 0.0
    for seen in outcomes:
        term = exp(
            _choose(one.total, seen) + _choose(other.total, hits - seen) - _choose(everything, hits),
        )
        total += term
        # Past the middle the terms only shrink; what is left then adds nothing that counts.
        if term < total * _NEGLIGIBLE:
            break
    return total


def _choose(items: int, chosen: int) -> float:
    """The logarithm of the binomial coefficient."""
    return lgamma(items + 1) - lgamma(chosen + 1) - lgamma(items - chosen + 1)


def shared_out(comparisons: int, confidence: float = CONFIDENCE) -> float:
    """The confidence that each of many comparisons needs, so that all of them hold with `confidence`.

    Bonferroni's inequality: the chance that any is wrong is at most the sum of the chances. It takes no
    view on how the comparisons hang together, and ours do: policies overlap.
    """
    return 1 - (1 - confidence) / max(1, comparisons)


def _quantile(confidence: float) -> float:
    """How many standard errors a two-sided interval of a confidence reaches."""
    return NormalDist().inv_cdf((1 + confidence) / 2)
