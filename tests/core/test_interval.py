import itertools

from hypothesis import given
from hypothesis import strategies as st

from app.core.interval import Interval, clip, complement, normalise, subtract

INTERVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)
SPAN = st.tuples(st.integers(0, 20), st.integers(21, 40))


def instants(intervals: list[Interval]) -> set[int]:
    return {at for start, end in intervals for at in range(start, end)}


@given(INTERVALS)
def test_normal_intervals_hold_the_same_instants_sorted_and_apart(intervals: list[Interval]) -> None:
    normal = normalise(intervals)
    assert instants(normal) == instants(intervals)
    assert all(start < end for start, end in normal)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(normal))


@given(INTERVALS, INTERVALS, SPAN)
def test_clip_complement_and_subtract_are_those_of_sets(
    one: list[Interval], other: list[Interval], span: Interval
) -> None:
    here, there, whole = normalise(one), normalise(other), set(range(*span))
    assert instants(clip(here, span)) == instants(one) & whole
    assert instants(complement(here, span)) == whole - instants(one)
    assert instants(subtract(here, there)) == instants(one) - instants(other)
