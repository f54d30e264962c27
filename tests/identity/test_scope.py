"""A scope covers what is proven to lie within, and nothing else."""

import random

import pytest

from app.core.policy import Selector, glob_pattern
from app.identity.caller import Caller, Role
from app.identity.scope import Scope

TAGS = {"checkout": ["team-shop", "tier-1"], "cart": ["team-shop"], "docs": ["team-docs"]}


def tags_of(service: str) -> list[str]:
    return TAGS.get(service, [])


@pytest.mark.parametrize(
    ("services", "service", "within"),
    [
        (("api",), "api", True),
        (("api",), "api2", False),
        (("web/*",), "web/shop", True),
        (("web/*",), "web/shop/cart", False),
        (("a", "b"), "b", True),
        ((), "a", False),
        # Patterns: each service that they match must be within.
        (("web/*",), "web/*", True),
        (("web/*",), "web/shop-*", True),
        (("web/shop-*",), "web/*", False),
        (("web/*",), "*", False),
        (("*",), "web/*", False),
        (("web-*",), "web*", False),
        (("a*", "*b"), "a*b", True),
        # It may be all of them together, but no single one of them.
        (("a*", "b*"), "*", False),
    ],
)
def test_a_scope_of_services_covers_names_and_patterns(
    services: tuple[str, ...],
    service: str,
    within: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert Scope(services, ()).covers(service, tags_of) is within
    assert Caller("a", Role.CI, services).may_operate([service], tags_of) is within


def test_a_pattern_that_is_covered_matches_no_name_outside() -> None:
    chance = random.Random(14)
    letters = "ab/*"

    def glob() -> str:
        return "".join(chance.choices(letters, k=chance.randint(1, 4)))

    names = ["".join(chance.choices("ab/", k=chance.randint(1, 5))) for _ in range(400)]
    covered = 0
    for _ in range(3_000):
        ours, theirs = glob(), glob()
        if Scope((ours,), ()).covers(theirs, tags_of):
            covered += 1
            outside = [
                name
                for name in names
                if glob_pattern((theirs,)).fullmatch(name) and not glob_pattern((ours,)).fullmatch(name)
            ]
            assert outside == [], (ours, theirs)
    assert covered > 100


@pytest.mark.parametrize(
    ("tags", "service", "within"),
    [
        (("team-shop",), "checkout", True),
        (("team-*",), "docs", True),
        (("team-shop",), "docs", False),
        (("team-shop",), "unlisted", False),
        (("team-shop",), "check*", False),
        (("*",), "unlisted", False),
    ],
)
def test_a_scope_of_tags_covers_what_the_catalogue_says(
    tags: tuple[str, ...],
    service: str,
    within: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert Scope((), tags).covers(service, tags_of) is within


@pytest.mark.parametrize(
    ("selector", "within"),
    [
        ({"services": ["shop/api"]}, True),
        ({"services": ["shop/*"]}, True),
        ({"services": ["checkout", "shop/api"]}, True),
        ({"services": ["checkout", "docs"]}, False),
        ({"tags": ["team-shop"]}, True),
        ({"tags": ["team-shop", "team-docs"]}, False),
        ({"tags": ["team-*"]}, False),
        # Both fields must match, so what one of them covers is enough.
        ({"tags": ["tier-1"], "services": ["checkout"]}, True),
        ({"tags": ["team-shop"], "services": ["*"]}, True),
        ({"tags": ["tier-1"], "services": ["*"]}, False),
        ({"environments": ["staging"]}, False),
        ({"changes": ["hotfix"]}, False),
        ({"environments": ["production"], "services": ["checkout"]}, True),
    ],
)
def test_a_freeze_lies_within_if_all_that_it_may_stop_does(
    selector: dict[str, list[str]],
    within: bool,  # noqa: FBT001 - a column of the table
) -> None:
    scope = Scope(("shop/*",), ("team-shop",))
    assert scope.covers_selector(Selector.model_validate(selector), tags_of) is within


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (Scope(("shop/*",), ()), "the services shop/*"),
        (Scope(("a", "b", "c"), ()), "the services a, b and c"),
        (Scope((), ("team-shop",)), "the services tagged team-shop"),
        (Scope(("shop/*",), ("x", "y")), "the services shop/* and those tagged x and y"),
        (Scope((), ()), "no services"),
    ],
)
def test_a_scope_is_said_in_words(scope: Scope, words: str) -> None:
    assert scope.in_words() == words


def test_without_services_and_tags_there_is_no_scope() -> None:
    assert Caller("a", Role.OPS).scope is None
    assert Caller("a", Role.OPS).may_operate(["anything", "*"], tags_of)
    assert Caller("a", Role.OPS, tags=("t",)).scope == Scope((), ("t",))
    assert Caller("a", Role.OPS, ()).scope == Scope((), ())
