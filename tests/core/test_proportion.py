"""The statistics, against published values and plain simulation."""

import random
from math import comb

import pytest

from app.core.comparison import ENOUGH, Comparison, Tally, Verdict, compare, sides
from app.core.proportion import Pair, Range, Share, chance, difference, shared_out, weighed, wilson


def rounded(found: Range, digits: int = 4) -> tuple[float, float]:
    return round(found.low, digits), round(found.high, digits)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(hits: int, total: int, low: float, high: float) -> None:
    assert rounded(wilson(Share(hits, total))) == (low, high)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_gives_the_published_intervals(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    assert rounded(difference(Share(*one), Share(*other))) == (low, high)


def test_a_difference_turned_round_is_the_same_with_the_other_sign() -> None:
    one, other = Share(7, 31), Share(12, 210)
    there, back = difference(one, other), difference(other, one)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_of_nothing_nothing_is_known() -> None:
    assert wilson(Share(0, 0)) == (0, 1)
    assert Share(0, 0).rate is None
    assert difference(Share(0, 0), Share(1, 2)) == (-1, 1)


@pytest.mark.parametrize("total", [1, 2, 10, 100_000])
def test_an_interval_stays_between_nothing_and_all(total: int) -> None:
    assert wilson(Share(0, total)).low == 0
    assert wilson(Share(total, total)).high == 1
    assert 0 < wilson(Share(0, total)).high < 1
    assert 0 < wilson(Share(total, total)).low < 1


@pytest.mark.parametrize(
    ("one", "other", "tail"),
    [
        # R. A. Fisher, The Design of Experiments (1935): the lady who tastes tea, with one pair wrong.
        ((3, 4), (1, 4), 17 / 70),
        # The same, Journal of the Royal Statistical Society 98 (1935), 39-82: convicted twins.
        ((10, 13), (2, 17), 619 / 1_330_665),
    ],
)
def test_the_exact_test_gives_the_published_chances(
    one: tuple[int, int], other: tuple[int, int], tail: float
) -> None:
    assert chance([Pair(Share(*one), Share(*other))]) == pytest.approx(2 * tail)
    assert chance([Pair(Share(*other), Share(*one))]) == pytest.approx(2 * tail)


def test_the_exact_test_takes_many_and_none() -> None:
    large = Pair(Share(10_000, 100_000), Share(100, 1_000))
    assert chance([large]) == pytest.approx(1, abs=0.06)
    assert chance([Pair(Share(20_000, 100_000), Share(10_000, 100_000))]) == pytest.approx(0, abs=1e-300)
    assert chance([Pair(Share(0, 0), Share(0, 0))]) == chance([Pair(Share(0, 9), Share(0, 9))]) == 1
    assert chance([large] * 5) == pytest.approx(1, abs=0.06)
    assert chance([]) == 1


RABBITS = [
    # A. Agresti, Categorical Data Analysis (1990), 231-237: cured of the rabbits that got penicillin at once,
    # and of those that got it later, at five doses.
    Pair(Share(0, 6), Share(0, 5)),
    Pair(Share(3, 6), Share(0, 6)),
    Pair(Share(6, 6), Share(2, 6)),
    Pair(Share(5, 6), Share(6, 6)),
    Pair(Share(2, 2), Share(5, 5)),
]


def test_the_exact_test_of_several_strata_gives_the_published_chance() -> None:
    # In the manual of R, under mantelhaen.test: 0.040 (and 0.020 one-sided).
    assert chance(RABBITS) == pytest.approx(0.040, abs=5e-4)
    assert chance([Pair(*reversed(each)) for each in RABBITS]) == pytest.approx(0.040, abs=5e-4)


def test_the_exact_test_of_several_strata_agrees_with_counting() -> None:
    rng = random.Random(4)
    for _ in range(30):
        totals = [(rng.randrange(1, 6), rng.randrange(1, 6)) for _ in range(3)]
        strata = [
            Pair(Share(rng.randint(0, one), one), Share(rng.randint(0, other), other))
            for one, other in totals
        ]
        ways: dict[int, int] = {0: 1}
        for one, other in strata:
            hits = int(one.hits + other.hits)
            ways_here = {
                number: comb(int(one.total), number) * comb(int(other.total), hits - number)
                for number in range(hits + 1)
            }
            ways = {
                sum_: sum(ways.get(sum_ - each, 0) * count for each, count in ways_here.items())
                for sum_ in range(max(ways) + hits + 1)
            }
        seen = sum(one.hits for one, _ in strata)
        up = sum(count for number, count in ways.items() if number >= seen)
        down = sum(count for number, count in ways.items() if number <= seen)
        assert chance(strata) == pytest.approx(min(1, 2 * min(up, down) / sum(ways.values())))


def test_others_are_weighed_as_if_they_were_mixed_alike() -> None:
    one = Pair(Share(3, 30), Share(40, 400))
    assert weighed([one]) == one
    assert weighed([]) == (Share(0, 0), Share(0, 0))
    # Nine of ten inside are of what fails in half of the cases; of the others, one of ten is.
    inside, others = weighed([Pair(Share(45, 90), Share(50, 100)), Pair(Share(1, 10), Share(90, 900))])
    assert inside == (46, 100)
    assert others.rate == pytest.approx(0.46)
    # Hardly more than the hundred that count.
    assert others.total == pytest.approx(100 * 100 / (90 * 90 / 100 + 10 * 10 / 900))


def test_more_confidence_makes_a_wider_interval() -> None:
    narrow, wide = wilson(Share(5, 40)), wilson(Share(5, 40), shared_out(20))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_confidence_is_shared_out_over_the_comparisons() -> None:
    assert shared_out(0) == shared_out(1) == 0.95
    assert shared_out(10) == pytest.approx(0.995)


def tally(failed: int, reported: int) -> Tally:
    return Tally(reported, 0, reported, failed)


def compared(inside: Tally, others: Tally, confidence: float) -> Comparison:
    everything = Tally()
    for tally in (inside, others):
        everything.add(tally)
    return compare(sides(everything, [(inside, everything)]), confidence)


@pytest.mark.parametrize(
    ("inside", "others", "verdict"),
    [
        (tally(12, 39), tally(30, 380), Verdict.WORSE),
        (tally(2, 390), tally(40, 380), Verdict.BETTER),
        (tally(40, 400), tally(400, 4000), Verdict.NO_DIFFERENCE),
        # An interval from -1.9 to 6.0 points: they may fail twice as often.
        (tally(9, 150), tally(200, 4000), Verdict.TOO_FEW),
        (tally(50, 1000), tally(200, 4000), Verdict.NO_DIFFERENCE),
        # Beside three in four, ten points are enough to matter; beside one in a thousand, one is not.
        (tally(300, 400), tally(3000, 4000), Verdict.NO_DIFFERENCE),
        (tally(38, 50), tally(3000, 4000), Verdict.TOO_FEW),
        (tally(1, 1000), tally(4, 4000), Verdict.NO_DIFFERENCE),
        (tally(0, 400), tally(0, 4000), Verdict.NO_DIFFERENCE),
        # Every one of nine failed, and still: nine.
        (tally(9, 9), tally(30, 3800), Verdict.TOO_FEW),
        (tally(30, 3800), tally(9, 9), Verdict.TOO_FEW),
        # Large enough, and the interval goes from "much better" to "much worse".
        (tally(2, 20), tally(30, 300), Verdict.TOO_FEW),
        (tally(0, 0), tally(0, 0), Verdict.TOO_FEW),
    ],
)
def test_verdicts(inside: Tally, others: Tally, verdict: Verdict) -> None:
    found = compared(inside, others, 0.95)
    assert found.verdict is verdict
    assert found.differs == (verdict in (Verdict.WORSE, Verdict.BETTER))
    assert (found.difference is None) == (min(inside.reported, others.reported) < ENOUGH)


def test_an_effect_in_one_comparison_is_none_among_two_hundred() -> None:
    inside, others = tally(10, 40), tally(40, 400)
    assert compared(inside, others, 0.95).verdict is Verdict.WORSE
    assert compared(inside, others, shared_out(200)).verdict is Verdict.TOO_FEW


def failing(rng: random.Random, deploys: int, rate: float) -> Tally:
    return tally(sum(rng.random() < rate for _ in range(deploys)), deploys)


@pytest.mark.parametrize(("comparisons", "rate"), [(1, 0.1), (8, 0.1), (8, 0.3), (20, 0.15)])
def test_where_there_is_no_difference_one_is_seen_in_one_list_of_twenty_at_most(
    comparisons: int, rate: float
) -> None:
    rng = random.Random(comparisons)
    confidence = shared_out(comparisons)
    wrong = 0
    for _ in range(400):
        pairs = [
            (failing(rng, rng.randrange(40, 200), rate), failing(rng, 400, rate)) for _ in range(comparisons)
        ]
        wrong += any(compared(*pair, confidence).differs for pair in pairs)
    # Of 400 lists, 20 are what is allowed; three standard deviations of that are 13.
    assert wrong <= 33
