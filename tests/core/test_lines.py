"""Which lines of two texts are the same, and the line endings of an edited text."""

import random
from itertools import pairwise

import pytest

from app.core.lines import matching, with_endings_of


def longest(old: list[str], new: list[str]) -> int:
    """The number of pairs that a longest common subsequence has."""
    row = [0] * (len(new) + 1)
    for line in old:
        before = row[:]
        for j, other in enumerate(new):
            row[j + 1] = before[j] + 1 if line == other else max(before[j + 1], row[j])
    return row[-1]


def check(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    pairs = matching(old, new)
    assert all(old[i] == new[j] for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))
    return pairs


def test_pairs_are_equal_and_ascend_and_few_are_missed() -> None:
    chance = random.Random(1)
    found = most = 0
    for _ in range(300):
        old, new = ([chance.choice("abcdefgh") for _ in range(chance.randrange(12))] for _ in range(2))
        found += len(check(old, new))
        most += longest(old, new)
    assert found > 0.9 * most


def test_equal_texts_match_wholly_and_unlike_ones_not_at_all() -> None:
    lines = ["a", "b", "a", "b"]
    assert matching(lines, lines) == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert matching(lines, ["c", "d"]) == []
    assert matching([], []) == matching(lines, []) == matching([], lines) == []


def test_a_moved_block_is_matched_once() -> None:
    assert check(list("xabcy"), list("xyabc")) == [(0, 0), (1, 2), (2, 3), (3, 4)]


def test_lines_that_occur_often_are_matched_within_bounds() -> None:
    assert len(check(list("qabab" * 10), list("ababq" * 10))) >= 40
    # Four million comparisons are too many: the block counts as changed.
    assert check(["x", *"ab" * 1_000], ["y", *"ba" * 1_000, "z"]) == []


def test_hostile_lines_are_matched_in_bounded_work() -> None:
    # Nested pairs: each split leaves a block that is only two lines shorter.
    numbers = list(map(str, range(3_000)))
    check([*numbers, *numbers], [*numbers[::-1], *numbers[::-1]])
    check([*numbers, *numbers[::-1]], [*numbers[::-1], *numbers])


@pytest.mark.parametrize(
    ("base", "edited", "expected"),
    [
        ("a\nb\n", "a\r\nb\r\nc\r\n", "a\nb\nc\n"),
        ("a\r\nb\r\n", "a\nx\nb\n", "a\r\nx\r\nb\r\n"),
        ("a\r\nb\nc\r", "a\nb\nx\nc\n", "a\r\nb\nx\nc\r"),
        ("a\r\nb", "a\nb\nc", "a\r\nb\r\nc"),
        ("a\r\nb\r\n", "a\nb", "a\r\nb"),
        ("\r\n", "", ""),
        ("a\r\nb\n", "b\n", "b\n"),
        ("a", "a\rb", "a\nb"),
        ("a\r\n", "x\ny\u2028\x0c\n", "x\r\ny\u2028\x0c\r\n"),
    ],
)
def test_an_edited_text_has_the_line_endings_of_its_base(base: str, edited: str, expected: str) -> None:
    assert with_endings_of(base, edited) == expected


def test_an_unchanged_text_comes_back_byte_for_byte() -> None:
    chance = random.Random(2)
    for _ in range(300):
        base = "".join(
            chance.choice(["a", "b", " ", "\r", "\n", "\r\n"]) for _ in range(chance.randrange(30))
        )
        sent = base.replace("\r\n", "\n").replace("\r", "\n")
        for form in (sent, sent.replace("\n", "\r\n")):
            assert with_endings_of(base, form) == base
