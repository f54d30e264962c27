"""The part `merges` of GitHub's section, its page, and the looks that wait."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.core.merge_freeze import rule_of
from app.gate.in_force import Policies
from app.integrations.github import checks, conclusions, merge_queries
from app.integrations.github.looks import MOST, MOST_OF_REPOSITORY, Look, Looks
from app.integrations.github.merge_events import EVENTS
from app.integrations.github.merge_section import USUAL_CHECK, Merges
from app.integrations.github.section import GitHub
from app.integrations.integrations import read_integrations_file
from app.policies.source import Source
from tests.integrations.github.conftest import NOW, section_for
from tests.integrations.github.fake import private_pem
from tests.live.gate import ROOT

PAGE = (ROOT / "docs/how-to/platforms/github-merge-freeze.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)\n\1```", PAGE, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


def test_the_policies_of_the_page_load_and_the_section_means_what_it_says(tmp_path: Path) -> None:
    policies, section_text = blocks("yaml")
    file = tmp_path / "policies.yaml"
    file.write_text(policies)
    in_force = Policies().load(Source(file), NOW)
    assert in_force.policy_set.environment("main").kind == "merge"
    (tmp_path / "key").write_text(private_pem())
    (tmp_path / "secret").write_text("the-secret-of-webhooks\n")
    text = section_text.replace("/run/secrets/github-app.pem", "key")
    (tmp_path / "integrations.yaml").write_text(text.replace("/run/secrets/github-webhook-secret", "secret"))
    section = read_integrations_file(tmp_path / "integrations.yaml", {})["github"]
    assert isinstance(section, GitHub)
    assert section.merges is not None
    assert section.merges.check == USUAL_CHECK
    rule = rule_of(section.merges.rules, "acme/Shop", "main")
    assert rule is not None
    assert (rule.service_of("acme/Shop"), rule.environment) == ("shop", "main")
    assert rule.changes == (("hotfix", "hotfix"),)


def test_the_ruleset_of_the_page_pins_the_check_to_the_app() -> None:
    text = next(each for each in blocks("sh") if "rulesets" in each)
    ruleset = json.loads(text[text.index("{") : text.index("\nEND")])
    (rule,) = ruleset["rules"]
    assert rule["parameters"]["required_status_checks"] == [{"context": USUAL_CHECK, "integration_id": 12345}]
    assert "bypass_actors" not in ruleset


def test_the_page_names_permissions_events_and_numbers_as_they_are() -> None:
    named = re.findall(r"^ +\| ([A-Z][a-z ]+): (read-only|read and write) \|", PAGE, re.MULTILINE)
    levels = {"read-only": "read", "read and write": "write"}
    asked = {name.lower().replace(" ", "_"): levels[level] for name, level in named}
    assert asked == conclusions.PERMISSIONS
    line = re.search(r"Events: (.*)\.", PAGE)
    assert line is not None
    events = {each.strip("* ").lower().replace(" ", "_") for each in line[1].split(",")}
    assert events == {each for each in EVENTS if not each.startswith("installation")}
    assert f"{merge_queries.BATCH} in one request" in PAGE
    assert f"more than {merge_queries.MOST_FILES}" in PAGE
    assert (checks.SWEEP_INTERVAL, checks.SHARE, conclusions.SPREAD) == (60, 1 / 5, 1)
    assert f"{checks.HOURLY_BUDGET:,} points" in PAGE


def merges(**given: Any) -> Merges:
    branch = {"repository": "a/b", "branch": "main", "environment": "main", **given}
    return Merges.model_validate({"branches": [branch]})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"service": "{repository}"}, "only {owner} and {name} are filled in"),
        ({"service": "{name} "}, "begins with a letter or digit"),
        ({"repository": "shop"}, "repository"),
        ({"exempt": {"label": ["x"]}}, "label"),
        ({"changes": {"hotfix": "Hot Fix"}}, "changes"),
    ],
)
def test_a_mistake_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        merges(**given)


def test_files_are_read_only_where_a_rule_needs_them() -> None:
    assert not merges().needs_paths
    assert merges(exempt={"paths": ["docs/**"]}).needs_paths


def test_the_graphql_api_is_beside_the_other_one_on_an_own_server() -> None:
    assert section_for("https://api.github.com").graphql == "https://api.github.com/graphql"
    own = section_for("https://github.example.com/api/v3")
    assert own.graphql == "https://github.example.com/api/graphql"


def test_looks_that_wait_are_one_for_each_head_and_few_for_a_repository() -> None:
    looks = Looks()
    looks.add(Look(1, "a/b", pull=7, heads=frozenset("x")))
    looks.add(Look(1, "a/b", pull=7, heads=frozenset("y")))
    assert looks.take(0) == [Look(1, "a/b", pull=7, heads=frozenset("xy"))]
    looks.add(Look(1, "a/b", pull=7, due_at=5))
    assert (looks.take(4), len(looks.take(5))) == ([], 1)
    for number in range(MOST_OF_REPOSITORY + 1):
        looks.add(Look(1, "a/b", pull=number, heads=frozenset(str(number % 2))))
    assert looks.take(0) == [Look(1, "a/b", heads=frozenset("01"))]
    for number in range(MOST + 5):
        looks.add(Look(1, f"a/{number}", pull=number))
    assert {each.pull is None for each in looks.take(0)[-5:]} == {True}
