"""Confidence intervals and tests for proportions of small samples.

Failing deploys are rare and freezes are short, so the numbers are small. There the textbook interval
(share ± 1.96 standard errors) is wrong: for 0 of 10 it gives "0 %, exactly". The intervals here are not.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95

_NEGLIGIBLE: Final = 1e-18
"""Relative to the likeliest outcome: anything less likely adds nothing noticeable to a p-value."""


class Share(NamedTuple):
    """Hits out of a total: whole numbers if counted, fractions if weighted."""

    hits: float
    total: float

    @property
    def rate(self) -> float | None:
        """The observed share; None if the total is 0."""
        return self.hits / self.total if self.total else None


class Range(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def wilson(share: Share, confidence: float = CONFIDENCE) -> Range:
    """Return the score interval of a proportion, without continuity correction; 0 to 1 if the total is 0.

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
    """Return the interval of the difference of two proportions, from their score intervals.

    R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison
    of eleven methods", Statistics in Medicine 17 (1998), 873-890: method 10, the hybrid score interval
    without continuity correction. If a total is 0, the interval is everything: -1 to 1.
    """
    here, there = one.rate, other.rate
    if here is None or there is None:
        return Range(-1.0, 1.0)
    own, others = wilson(one, confidence), wilson(other, confidence)
    return Range(
        here - there - sqrt((here - own.low) ** 2 + (others.high - there) ** 2),
        here - there + sqrt((own.high - here) ** 2 + (there - others.low) ** 2),
    )


class Pair(NamedTuple):
    """Two shares to compare."""

    one: Share
    other: Share


def weighed(strata: Sequence[Pair]) -> Pair:
    """Combine strata into two shares that differ only in what is compared.

    A side with more of what always fails has a higher rate for that reason alone. So the other side is
    weighted: each stratum gets the share that it has on the first side (direct standardisation).
    Weighted shares carry less information than counted ones; their total is the effective sample size of
    L. Kish, "Weighting for unequal P_i", Journal of Official Statistics 8 (1992), 183-200.
    A single stratum is returned as counted. Both sides of every stratum must be non-empty.
    """
    if len(strata) == 1:
        return strata[0]
    total = sum(one.total for one, _ in strata)
    if not total:
        return Pair(Share(0, 0), Share(0, 0))
    rate = sum(one.total * other.hits / other.total for one, other in strata) / total
    size = total * total / sum(one.total * one.total / other.total for one, other in strata)
    return Pair(Share(sum(one.hits for one, _ in strata), total), Share(rate * size, size))


def chance(strata: Sequence[Pair]) -> float:
    """Return the p-value: the chance of a difference at least this large if only chance is at work.

    R. A. Fisher's exact test (Statistical Methods for Research Workers, 5th edition, 1934, section 21.02),
    two-sided by doubling the smaller tail; of several strata together, each with its own rate, as in
    C. R. Mehta, N. R. Patel and R. Gray, "Computing an exact confidence interval for the common odds
    ratio in several 2 x 2 contingency tables", Journal of the American Statistical Association 80 (1985),
    969-973. It never exceeds its error rate, however small the numbers. The intervals above do in the
    tails: at the confidence that 168 comparisons need, with some twenty deploys on one side, simulation
    finds three times as many of them wrong as should be.
    """
    spreads = [_spread(pair) for pair in strata] or [_Spread(0, [1.0])]
    while len(spreads) > 1:
        spreads = [_sum(spreads[number : number + 2]) for number in range(0, len(spreads), 2)]
    first, weights = spreads[0]
    seen = max(0, int(sum(one.hits for one, _ in strata)) - first)
    return min(1.0, 2 * min(sum(weights[seen:]), sum(weights[: seen + 1])) / sum(weights))


class _Spread(NamedTuple):
    """Relative likelihoods of each number of hits, from the first that is not negligible."""

    first: int
    weights: list[float]


def _spread(pair: Pair) -> _Spread:
    """Return the hypergeometric distribution of the first side's hits, given the hits in total."""
    (hits, one), (other_hits, other) = ((int(each.hits), int(each.total)) for each in pair)
    hits += other_hits

    def growth(number: int) -> float:
        """Return the ratio of the likelihoods of one more and of this number."""
        return (hits - number) * (one - number) / ((number + 1) * (other - hits + number + 1))

    # The likeliest outcome, and from there outwards both ways.
    middle = (one + 1) * (hits + 1) // (one + other + 2)
    up, weight = [1.0], 1.0
    for number in range(middle, min(hits, one)):
        weight *= growth(number)
        if weight < _NEGLIGIBLE:
            break
        up.append(weight)
    down, weight = [], 1.0
    for number in range(middle - 1, max(0, hits - other) - 1, -1):
        weight /= growth(number)
        if weight < _NEGLIGIBLE:
            break
        down.append(weight)
    return _Spread(middle - len(down), down[::-1] + up)


def _sum(spreads: Sequence[_Spread]) -> _Spread:
    """Return the distribution of the sum of the hits of two strata (or of one)."""
    if len(spreads) == 1:
        return spreads[0]
    (one_first, ones), (other_first, others) = spreads
    weights = [0.0] * (len(ones) + len(others) - 1)
    for place, one in enumerate(ones):
        for step, other in enumerate(others, place):
            weights[step] += one * other
    least = max(weights) * _NEGLIGIBLE
    kept = [place for place, weight in enumerate(weights) if weight > least]
    return _Spread(one_first + other_first + kept[0], weights[kept[0] : kept[-1] + 1])


def shared_out(comparisons: int, confidence: float = CONFIDENCE) -> float:
    """Return the confidence that each comparison needs, so that all hold together with `confidence`.

    Bonferroni's inequality: the chance that any is wrong is at most the sum of the chances. It holds for
    dependent comparisons, which ours are: policies overlap.
    """
    return 1 - (1 - confidence) / max(1, comparisons)


def _quantile(confidence: float) -> float:
    """Return the half-width of a two-sided interval in standard errors."""
    return NormalDist().inv_cdf((1 + confidence) / 2)
