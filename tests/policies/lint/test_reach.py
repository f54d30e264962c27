from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.core.policy import Policy, PolicySet
from app.policies.lint.reach import Reach

ENVIRONMENTS = ["production", "staging"]
CHANGES = ["normal", "rollback"]
CATALOGUE = {"a": ["t1"], "b/a": ["t1", "t2"], "ab": []}

# Names that tell all globs of the tests apart, some of them in the catalogue.
NAMES = ["".join(letters) for length in (1, 2, 3) for letters in product("ab/", repeat=length)]
NAMES = [name for name in NAMES if not name.startswith("/")] + ["bbab", "a/b/a", "zz", "z/z/z"]


def policy(**fields: Any) -> Policy:
    return Policy.model_validate(
        {"id": "p", "title": "T", "reason": "R", "when": [{"always": True}], **fields}
    )


def reach(*, catalogue: bool = True, unknown: str = "allow") -> Reach:
    services = {"services": {name: {"tags": tags} for name, tags in CATALOGUE.items()}} if catalogue else {}
    top = {"version": 1, "environments": ENVIRONMENTS, "changes": CHANGES, "policies": []}
    return Reach(PolicySet.model_validate({**top, **services, "unknown_services": unknown}))


def requests(of: Reach) -> list[tuple[str, frozenset[str], str, str]]:
    names = NAMES if of.takes_unknown else list(of.catalogue)
    return [
        (name, of.catalogue.get(name, frozenset()), environment, change)
        for name in names
        for environment, change in of.scopes
    ]


_GLOBS = st.sampled_from(["a", "b", "ab", "b/a", "*", "a*", "*a", "*/*", "a*b", "b/*", "*/a", "**"])
_SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "environments": st.lists(st.sampled_from(ENVIRONMENTS), min_size=1, max_size=2),
        "changes": st.lists(st.sampled_from(CHANGES), min_size=1, max_size=2),
        "services": st.lists(_GLOBS, min_size=1, max_size=2),
        "tags": st.lists(st.sampled_from(["t1", "t2", "t*"]), min_size=1, max_size=2),
    },
).filter(bool)
_POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "applies_to": st.lists(_SELECTORS, min_size=1, max_size=2),
        "exempt": st.lists(_SELECTORS, max_size=2),
    },
).map(lambda fields: policy(**fields))
_REACHES = st.sampled_from([reach(), reach(catalogue=False), reach(unknown="refuse")])


@given(_POLICIES, _REACHES)
@settings(max_examples=150, deadline=None)
def test_a_policy_said_to_match_nothing_matches_nothing(one: Policy, of: Reach) -> None:
    if of.matches_nothing(one):
        assert not [request for request in requests(of) if one.matches(*request)]


@given(_POLICIES, _POLICIES, _REACHES)
@example(policy(applies_to={"services": ["a*b"]}), policy(applies_to={"services": ["a*"]}), reach())
@example(policy(exempt={"services": ["*"]}), policy(exempt={"services": ["a*"]}), reach())
@settings(max_examples=300, deadline=None)
def test_a_policy_said_to_reach_no_further_reaches_no_further(one: Policy, other: Policy, of: Reach) -> None:
    if of.within(one, other):
        assert not [
            request for request in requests(of) if one.matches(*request) and not other.matches(*request)
        ]


@given(_POLICIES, _REACHES)
@settings(max_examples=150, deadline=None)
def test_a_policy_said_to_match_every_unknown_service_does(one: Policy, of: Reach) -> None:
    for environment, change in of.scopes:
        if of.matches_every_unknown(one, environment, change):
            strangers = [name for name in NAMES if name not in of.catalogue]
            assert all(one.matches(name, frozenset(), environment, change) for name in strangers)


@pytest.mark.parametrize(
    ("fields", "of"),
    [
        ({"exempt": {"environments": ENVIRONMENTS, "changes": CHANGES}}, reach()),
        ({"exempt": [{"environments": ENVIRONMENTS}]}, reach()),
        ({"exempt": [{"changes": ["normal"]}, {"changes": ["rollback"]}]}, reach()),
        ({"applies_to": {"services": ["a", "ab"]}, "exempt": {"services": ["a*"]}}, reach()),
        ({"applies_to": {"services": ["a*/b"]}, "exempt": {"services": ["*/*"]}}, reach(catalogue=False)),
        ({"applies_to": {"tags": ["t1"]}}, reach(catalogue=False)),
        ({"applies_to": {"tags": ["t2"]}, "exempt": {"tags": ["t1"]}}, reach()),
        ({"applies_to": {"environments": ["staging"]}, "exempt": {"environments": ["staging"]}}, reach()),
        ({"applies_to": {"services": ["zz"]}}, reach(unknown="refuse")),
    ],
)
def test_a_policy_that_can_never_match_is_found_out(fields: dict[str, Any], of: Reach) -> None:
    assert of.matches_nothing(policy(**fields))


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ({}, {}),
        ({"applies_to": {"environments": ["production"]}}, {}),
        ({"applies_to": {"services": ["a*"]}}, {"applies_to": [{"services": ["*"]}]}),
        (
            {"applies_to": {"services": ["a/*", "zz"]}},
            {"applies_to": [{"services": ["zz"]}, {"services": ["*/*"]}]},
        ),
        (
            {"exempt": {"changes": ["rollback"]}},
            {"exempt": {"changes": ["rollback"], "environments": ["staging"]}},
        ),
        ({"exempt": {"services": ["a*"]}}, {"exempt": {"services": ["a*b"]}}),
        ({"applies_to": {"services": ["zz"]}}, {"exempt": {"services": ["a*"]}}),
        ({"applies_to": {"tags": ["t2"]}}, {"applies_to": {"services": ["b/a"]}}),
    ],
)
def test_a_policy_that_reaches_no_further_than_another_is_found_out(
    inner: dict[str, Any], outer: dict[str, Any]
) -> None:
    assert reach().within(policy(**inner), policy(**outer))


@pytest.mark.parametrize(
    "applies_to",
    [
        [{"tags": ["t2"]}, {"tags": ["t1"], "environments": ["staging"]}],
        [{"tags": ["t2", "t1"]}],
        [{"tags": ["t*"]}],
        [{"tags": ["t2"]}, {"services": ["ab"]}],
        [{"tags": ["t1"], "services": ["a"]}],
        [{"changes": ["rollback"]}, {"tags": ["t2"]}],
    ],
    ids=str,
)
def test_all_services_of_the_catalogue_that_a_policy_matches_are_found(applies_to: Any) -> None:
    of, one = reach(unknown="refuse"), policy(applies_to=applies_to)
    assert set(of.catalogued(one)) == {each for each in requests(of) if one.matches(*each)}
