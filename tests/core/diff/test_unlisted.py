"""Every class of unlisted names that globs tell apart has a sample."""

import random
import re
from collections.abc import Iterator
from itertools import product

import pytest

from app.core.diff.unlisted import UnlistedClasses, unlisted_classes
from app.core.policy import NAME_PATTERN, glob_pattern

SHORT_NAMES = [
    name
    for length in range(1, 6)
    for name in map("".join, product("ab/x", repeat=length))
    if not name.startswith("/")
]


def matching(globs: list[str], name: str) -> tuple[str, ...]:
    return tuple(sorted(glob for glob in globs if glob_pattern([glob]).fullmatch(name)))


def classes(found: UnlistedClasses) -> dict[tuple[str, ...], str]:
    return dict(found.classes)


def some_globs(rng: random.Random) -> list[str]:
    alphabet = ("a", "b", "/", "*", "*")
    globs = {"".join(rng.choices(alphabet, k=rng.randrange(1, 5))).lstrip("/") for _ in range(5)}
    return sorted(glob for glob in globs if "*" in glob)


@pytest.mark.parametrize("seed", range(30))
def test_each_class_of_short_names_is_found_and_each_sample_is_of_its_class(seed: int) -> None:
    rng = random.Random(seed)
    globs, listed = some_globs(rng), set(rng.sample(SHORT_NAMES, 20))
    found = unlisted_classes(globs, listed)
    assert found.complete
    assert {matching(globs, name) for name in SHORT_NAMES if name not in listed} <= set(classes(found))
    for key, sample in found.classes:
        assert matching(globs, sample) == key
        assert re.fullmatch(NAME_PATTERN, sample)
        assert sample not in listed


@pytest.mark.parametrize("seed", range(10))
def test_with_needed_globs_only_classes_with_one_of_them_are_found(seed: int) -> None:
    rng = random.Random(seed)
    globs = some_globs(rng)
    needed = {glob for glob in globs if rng.random() < 0.5}
    found = classes(unlisted_classes(globs, (), needed))
    every = classes(unlisted_classes(globs, ()))
    assert found.keys() == {key for key in every if needed.intersection(key)}


def test_a_sample_is_a_name_that_one_would_choose() -> None:
    assert classes(unlisted_classes(["web-*", "*-canary"], ())) == {
        (): "x",
        ("web-*",): "web-x",
        ("*-canary",): "x-canary",
        ("*-canary", "web-*"): "web-canary",
    }


def test_a_star_in_front_does_not_make_a_name_begin_with_a_hyphen() -> None:
    assert classes(unlisted_classes(["*-"], ())) == {(): "x", ("*-",): "x-"}


def test_what_is_longer_than_a_name_may_be_has_no_class() -> None:
    fits, too_long = "a" * 127 + "*", "a" * 64 + "*" + "b" * 65
    found = classes(unlisted_classes([fits, too_long], ()))
    assert found.keys() == {(), (fits,)}


def test_a_class_whose_only_name_is_listed_is_left_out() -> None:
    globs = ["x*", *(f"x{char}*" for char in "abcdefghijklmnopqrstuvwxyz0123456789-._")]
    assert classes(unlisted_classes(globs, ()))["x*",] == "x"
    assert ("x*",) not in classes(unlisted_classes(globs, {"x"}))


def test_globs_that_overlap_in_too_many_ways_are_reported_and_each_has_a_class() -> None:
    globs = [f"*{first}{second}*" for first in "abcdefgh" for second in "ijkl"]
    found = unlisted_classes(globs, (), most_places=2_000)
    assert not found.complete
    assert {key[0] for key in classes(found) if len(key) == 1} == set(globs)


def test_thousands_of_globs_that_begin_with_letters_are_told_apart() -> None:
    found = unlisted_classes([f"team-{number}-*" for number in range(1_000)], ())
    assert found.complete
    assert len(found.classes) == 1_001


def test_globs_that_no_valid_name_begins_with_get_none_when_each_is_added_alone() -> None:
    globs = ["-*", *(f"*{first}{second}*" for first in "abcdefgh" for second in "ijkl")]
    found = unlisted_classes(globs, (), most_places=2_000)
    assert not any("-*" in key for key in classes(found))


FIRST_NAMES = [
    name
    for length in (1, 2)
    for name in map("".join, product("xyzabcdefghijklmnopqrstuvw0123456789-._/", repeat=length))
    if name[0] not in "-._/"
]
"""Those that would be samples, in about their order."""


def test_however_many_first_names_are_listed_two_walks_find_another() -> None:
    found = unlisted_classes(["team-*"], set(FIRST_NAMES), most_places=10 * len(FIRST_NAMES))
    assert found.complete
    samples = classes(found)
    assert samples.keys() == {(), ("team-*",)}
    assert len(samples[()]) == 3


def test_all_walks_share_one_budget_and_what_is_guessed_is_not_listed() -> None:
    listed = {*FIRST_NAMES, "team-x", "team-"}
    found = unlisted_classes(["team-*"], listed, most_places=len(FIRST_NAMES) // 2)
    assert not found.complete
    assert classes(found) == {(): "xyz", ("team-*",): "team-y"}


def test_a_search_can_be_given_up_in_each_walk() -> None:
    for calls in (1, 5, 500):
        left = iter(range(calls))

        def checkpoint(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise TimeoutError

        with pytest.raises(TimeoutError):
            unlisted_classes(["team-*"], set(FIRST_NAMES), checkpoint=checkpoint)


def test_guesses_are_bounded_too() -> None:
    globs = [f"*{first}{second}*" for first in "abcdefgh" for second in "ijkl"]
    found = unlisted_classes(globs, (), most_places=300)
    assert not found.complete
    assert 0 < len(found.classes) < len(globs)
