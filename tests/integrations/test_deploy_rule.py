"""The names of a vendor, and what they mean in policies.yaml."""

from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from app.core.decision import Question
from app.integrations.deploy_rule import DeployRule, Glob, UnmatchedDeployError, find_question, find_rule


class Rule(DeployRule):
    """A rule of a vendor with projects and branches, which knows the last part of a project, too."""

    names: ClassVar[tuple[str, ...]] = ("project", "branch", "name")

    project: Glob | None = None
    branch: Glob | None = None


def rule(**fields: Any) -> Rule:
    return Rule.model_validate({"service": "{name}", "environment": "production", **fields})


def values(project: str = "acme/checkout", branch: str = "main") -> dict[str, str]:
    return {"project": project, "branch": branch, "name": project.rpartition("/")[2]}


def test_names_are_filled_in_in_lower_case() -> None:
    made = rule(service="eu/{project}-{name}", change="hotfix", duration="20m")
    assert made.question(values("Acme/Checkout")) == Question(
        "eu/acme/checkout-checkout", "production", "hotfix", 1200
    )


def test_every_pattern_must_match_and_case_does_not_count() -> None:
    made = rule(project="Acme/*", branch="release-*")
    assert made.matches(values("ACME/checkout", "Release-7"))
    assert not made.matches(values("acme/checkout", "main"))
    assert not made.matches(values("other/checkout", "release-7"))
    # As everywhere, a star stands for no slash; and a pattern is no regular expression.
    assert not made.matches(values("acme/group/checkout", "release-7"))
    assert not rule(project="acme.checkout").matches(values("acme/checkout"))
    assert not made.matches({})
    assert rule().matches({})


def test_the_first_rule_that_matches_counts() -> None:
    rules = [rule(project="acme/*", service="first"), rule(service="second")]
    assert find_question(rules, values(), "pager").service == "first"
    assert find_question(rules, values("b/c"), "pager").service == "second"
    assert find_rule(rules[:1], values("b/c")) is None
    with pytest.raises(UnmatchedDeployError, match="`deployments` under `pager`"):
        find_question(rules[:1], values("b/c"), "pager")


@pytest.mark.parametrize("name", ["", "x y", "ä", "x" * 129, "-x", "a\nb", "a\n", "{name}"])
def test_what_would_be_no_name_is_refused(name: str) -> None:
    with pytest.raises(UnmatchedDeployError, match="a name is 1 to 128"):
        rule().question({"name": name})


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ("{owner}", r"only these are filled in: \{project\}, \{branch\}, \{name\}"),
        ("{}", "only these are filled in"),
        ("{Name}", "only these are filled in"),
        ("{name", "a name is 1 to 128"),
        ("X-{name}", "a name is 1 to 128"),
        ("-{name}", "a name is 1 to 128"),
        ("", "at least 1"),
    ],
)
def test_a_template_that_can_make_no_name_is_an_error_of_the_file(service: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        rule(service=service)


@pytest.mark.parametrize(
    "fields", [{"environment": "Prod"}, {"change": ""}, {"duration": 5}, {"project": ""}, {"repository": "x"}]
)
def test_other_mistakes_are_errors_of_the_file(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(**fields)
