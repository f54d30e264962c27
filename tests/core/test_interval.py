import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.interval import Interval, clip, complement, edges_of, normalise, subtract

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


@given(INTERVALS)
def test_the_edges_of_normal_intervals_rise(intervals: list[Interval]) -> None:
    edges = edges_of(normalise(intervals))
    assert list(zip(edges[::2], edges[1::2], strict=True)) == normalise(intervals)


@pytest.mark.parametrize(
    "intervals",
    [[(5, 3)], [(3, 3)], [(1, 4), (3, 6)], [(1, 3), (3, 6)], [(7, 9), (1, 3)]],
    ids=["reversed", "empty", "overlapping", "touching", "unsorted"],
)
def test_edges_out_of_order_are_never_handed_out(intervals: list[Interval]) -> None:
    with pytest.raises(ValueError, match="not in order"):
        edges_of(intervals)
