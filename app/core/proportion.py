"""Shares of a few, and what they say of the many: intervals around proportions and their differences.

Deploys that fail are rare and freezes are short, so the numbers are small. The textbook interval
(share ± 1.96 standard errors) is wrong just there: of 0 in 10 it says "0 %, exactly". These are not.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95

_NEGLIGIBLE: Final = 1e-18
"""Beside the likeliest outcome: what is less likely than this adds nothing to a chance that counts."""


class Share(NamedTuple):
    """So many of so many: whole numbers where they were counted, others where they were weighed."""

    hits: float
    total: float

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


class Pair(NamedTuple):
    """Two shares to be held against each other."""

    one: Share
    other: Share


def weighed(strata: Sequence[Pair]) -> Pair:
    """Both sides of several strata as two shares that are alike in all but what is compared.

    Where one side has more of what always fails, the sides differ though nothing else does. So the
    others are weighed: each stratum counts for as much of them as it does of the first side (direct
    standardisation). Weighed shares say less than counted ones; how much less says the effective
    sample size of L. Kish, "Weighting for unequal P_i", Journal of Official Statistics 8 (1992), 183-200.
    Of one stratum, both shares are as they were counted. In every stratum both sides have some.
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
    """How likely the sides differ by as much as these or more, where nothing but chance is at work.

    R. A. Fisher's exact test (Statistical Methods for Research Workers, 5th edition, 1934, section 21.02),
    two-sided by doubling the smaller tail; of several strata together, each with its own rate, as in
    C. R. Mehta, N. R. Patel and R. Gray, "Computing an exact confidence interval for the common odds
    ratio in several 2 x 2 contingency tables", Journal of the American Statistical Association 80 (1985),
    969-973. It is never too bold, however small the numbers. The intervals above are, far out: with the
    confidence that 168 comparisons ask for and some twenty deploys on one side, simulation finds three
    times as many of them wrong as should be.
    """
    spreads = [_spread(pair) for pair in strata] or [_Spread(0, [1.0])]
    while len(spreads) > 1:
        spreads = [_sum(spreads[number : number + 2]) for number in range(0, len(spreads), 2)]
    first, weights = spreads[0]
    seen = max(0, int(sum(one.hits for one, _ in strata)) - first)
    return min(1.0, 2 * min(sum(weights[seen:]), sum(weights[: seen + 1])) / sum(weights))


class _Spread(NamedTuple):
    """How likely each number of hits is, from the first one on that is not negligible; in any unit."""

    first: int
    weights: list[float]


def _spread(pair: Pair) -> _Spread:
    """Of the hits of the first side, given how many there are in all: the hypergeometric distribution."""
    (hits, one), (other_hits, other) = ((int(each.hits), int(each.total)) for each in pair)
    hits += other_hits

    def growth(number: int) -> float:
        """How much likelier one more is than this number."""
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
    """How likely each sum of the hits of two strata is; or of one."""
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
    """The confidence that each of many comparisons needs, so that all of them hold with `confidence`.

    Bonferroni's inequality: the chance that any is wrong is at most the sum of the chances. It takes no
    view on how the comparisons hang together, and ours do: policies overlap.
    """
    return 1 - (1 - confidence) / max(1, comparisons)


def _quantile(confidence: float) -> float:
    """How many standard errors a two-sided interval of a confidence reaches."""
    return NormalDist().inv_cdf((1 + confidence) / 2)
