"""Which heads may be merged, and the check that each gets."""

from typing import Any

import pytest

from app.core.decision import Decision, Question
from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.instant import parse_instant
from app.core.merge_check import LONGEST_TITLE, MergeCheck, check_of
from app.core.merge_freeze import (
    Decide,
    Head,
    MergeRule,
    PullRequest,
    branch_pattern,
    heads_of,
    path_pattern,
    repository_pattern,
    rule_of,
    verdicts,
)
from app.core.policy import PolicySet, Selector

OPEN = parse_instant("2026-11-27T12:59:59Z")
FROZEN = parse_instant("2026-11-27T13:00:00Z")


def engine(effect: str = "deny") -> Engine:
    policy = {
        "id": "friday",
        "title": "No merges after Friday 14:00",
        "reason": "Nobody *watches*, says @ada in #12.",
        "contact": "#release-managers",
        "link": "https://wiki.example.com/freeze",
        "effect": effect,
        "exempt": [{"changes": ["hotfix"]}],
        "when": [{"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}],
    }
    file = {
        "version": 1,
        "timezone": "Europe/Amsterdam",
        "environments": ["production", "main"],
        "policies": [policy],
    }
    return Engine(PolicySet.model_validate(file))


EVERYTHING = Selector(environments=None, services=None, tags=None, changes=None)
RULE = MergeRule(
    repository_pattern("Acme/*"),
    branch_pattern("main"),
    "{name}",
    "main",
    labels=("Freeze-Exempt",),
    paths=path_pattern(["guide/**", "*.md"]),
    changes=(("hotfix", "hotfix"), ("revert", "rollback")),
)
ENGINE = engine()


def deciding(at: int, by: Engine = ENGINE) -> Decide:
    def decide(rule: MergeRule, change: str | None) -> Decision:
        return by.decide(Question(rule.service_of("acme/shop"), rule.environment, change or "normal"), at)

    return decide


def pull(number: int = 7, **given: Any) -> PullRequest:
    return PullRequest(**{"number": number, "head": f"{number:040x}", "base": "main", **given})


def check(*pulls: PullRequest, at: int = FROZEN, by: Engine = ENGINE, **given: Any) -> MergeCheck:
    head = Head("a" * 40, "main", pulls, **given)
    return check_of(head, verdicts([RULE], "acme/shop", head, deciding(at, by)))


def test_a_head_passes_while_its_branch_is_open_and_is_stopped_from_the_second_it_freezes() -> None:
    assert check(pull(), at=OPEN).passes
    assert check(pull(), at=OPEN).title == "Open"
    assert not check(pull()).passes


def test_a_stopped_head_says_why_whom_to_ask_and_when_it_opens() -> None:
    found = check(pull())
    assert found.title == "Frozen until Mon 30 Nov 08:00 CET: No merges after Friday 14:00"
    assert "**No merges after Friday 14:00** Nobody \\*watches\\*" in found.summary
    assert "Ask #\u200brelease\\-managers. <https://wiki.example.com/freeze>" in found.summary
    assert "Merges into `main` open Mon 30 Nov 08:00 CET (`2026-11-30T07:00:00Z`)." in found.summary
    assert "environment `main`" in found.text
    assert "the label `Freeze-Exempt`; changes of exempt paths only; the label `hotfix`" in found.text


def test_nobody_is_called_and_no_issue_linked_by_the_text_of_a_policy() -> None:
    found = check(pull())
    assert "@ada" not in found.summary
    assert "#12" not in found.summary


@pytest.mark.parametrize(
    ("facts", "title"),
    [
        ({"labels": ("freeze-exempt",)}, "Exempt: it has the label Freeze-Exempt"),
        ({"paths": ("guide/a/b.md", "README.md")}, "Exempt: it changes exempt paths only"),
        ({"labels": ("bug", "HOTFIX")}, "Open"),
    ],
)
def test_a_label_exempt_paths_and_an_exempt_kind_of_change_let_it_through(
    facts: dict[str, Any], title: str
) -> None:
    found = check(pull(**facts))
    assert (found.passes, found.title) == (True, title)


@pytest.mark.parametrize(
    "facts",
    [
        {"labels": ("exempt",)},
        {"labels": ("revert",)},
        {"paths": ("guide/a.md", "src/main.py")},
        {"paths": ("guide2/a.md",)},
        {"paths": ("src/README.md",)},
        {"paths": ()},
        {"paths": None},
    ],
)
def test_another_label_or_path_and_files_that_are_not_known_let_nothing_through(
    facts: dict[str, Any],
) -> None:
    assert not check(pull(**facts)).passes


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("guide/**", ["guide/a", "guide/a/b", "guide/a\nb"], ["guide", "aguide/a", "guidea"]),
        ("**/*.md", ["a.md", "x/y/a.md"], ["a.mdx", "x/md"]),
        ("*.md", ["a.md"], ["x/a.md"]),
        ("a.b", ["a.b"], ["aXb"]),
    ],
)
def test_a_star_stays_in_its_folder_and_two_stars_do_not(
    glob: str, matching: list[str], other: list[str]
) -> None:
    pattern = path_pattern([glob])
    assert [path for path in (*matching, *other) if pattern.fullmatch(path)] == matching


def test_a_group_passes_only_if_each_of_its_pull_requests_does() -> None:
    exempt, normal = pull(1, labels=("hotfix",)), pull(2)
    assert check(exempt, pull(3, labels=("freeze-exempt",)), group=True).passes
    found = check(exempt, normal, pull(4), group=True)
    assert not found.passes
    assert "This merge group holds #2, #4, which may not be merged." in found.text


@pytest.mark.parametrize("pulls", [(), (pull(1, labels=("hotfix",)),)])
def test_a_group_whose_pull_requests_are_not_all_known_is_not_exempt(pulls: tuple[PullRequest, ...]) -> None:
    found = check(*pulls, group=True, complete=False)
    assert not found.passes
    assert "none of them counts as exempt" in found.text
    assert check(*pulls, group=True, complete=False, at=OPEN).passes


def test_pull_requests_with_the_same_commit_are_one_head_which_an_open_one_does_not_open() -> None:
    pulls = [pull(1, head="c", labels=("hotfix",)), pull(2, head="c"), pull(3)]
    heads = heads_of(pulls)
    assert [[each.number for each in head.pulls] for head in heads] == [[1, 2], [3]]
    found = check_of(heads[0], verdicts([RULE], "acme/shop", heads[0], deciding(FROZEN)))
    assert not found.passes
    assert "same head commit: #2, which" in found.text


def test_heads_that_no_rule_is_about_get_no_check() -> None:
    head = heads_of([pull(base="feature")])[0]
    assert verdicts([RULE], "acme/shop", head, deciding(FROZEN)) == []
    assert verdicts([RULE], "other/shop", heads_of([pull()])[0], deciding(FROZEN)) == []
    group = Head("a", "feature", (), group=True, complete=False)
    assert verdicts([RULE], "acme/shop", group, deciding(FROZEN)) == []


def test_the_first_rule_counts_and_repositories_have_no_case_but_branches_do() -> None:
    first = RULE._replace(branches=branch_pattern("release/*"), environment="release")
    assert rule_of([first, RULE], "ACME/Shop", "release/1") is first
    assert rule_of([first, RULE], "acme/shop", "main") is RULE
    assert rule_of([first, RULE], "acme/shop", "Main") is None
    assert rule_of([first, RULE], "acme/shop/main", "main") is None
    assert RULE._replace(service="{owner}/{name}").service_of("ACME/Shop") == "acme/shop"


def test_a_question_without_an_answer_stops_the_head_and_says_what_is_wrong() -> None:
    head = Head("a", "main", (pull(),))
    rule = RULE._replace(environment="mian")
    found = check_of(head, verdicts([rule], "acme/shop", head, deciding(OPEN)))
    assert (found.passes, found.title) == (False, "There is no answer")
    assert 'did you mean "main"?' in found.summary


def test_an_ad_hoc_freeze_says_who_started_it_and_an_open_end_gives_no_time() -> None:
    freeze = Freeze(
        "frz_1", "Database down", "We are on it.", "Bob", None, EVERYTHING, "token",
        FROZEN - 60, None, "Alice", FROZEN - 60,
    )  # fmt: skip
    found = check(pull(), at=OPEN, by=ENGINE.with_freezes([freeze._replace(starts_at=OPEN)]))
    assert found.title == "Frozen: Database down"
    assert "Started by Alice Fri 27 Nov 13:59:59 CET; ask Bob." in found.summary
    assert "don't open within two years, unless the freeze is lifted" in found.summary


def test_the_check_stays_the_same_while_nothing_changes() -> None:
    prints = {check(pull(), at=FROZEN + seconds).fingerprint for seconds in (0, 60, 86_400)}
    assert len(prints) == 1
    assert prints != {check(pull(), at=OPEN).fingerprint}
    assert check(pull(), at=OPEN).fingerprint == check(pull(), at=OPEN - 86_400).fingerprint


def test_many_rules_and_long_titles_are_cut() -> None:
    freezes = [
        Freeze(f"frz_{number}", "Long " * 40, "Because.", None, None, EVERYTHING, "token",
               OPEN, None, "", OPEN)
        for number in range(12)
    ]  # fmt: skip
    found = check(pull(), at=OPEN, by=ENGINE.with_freezes(freezes))
    assert len(found.title) == LONGEST_TITLE
    assert "- and 2 more" in found.summary
    crowd = check(*(pull(number) for number in range(1, 14)), group=True)
    assert "#10 and 3 more, which may not be merged" in crowd.text


def test_a_warning_is_told_and_lets_it_through() -> None:
    found = check(pull(), by=engine("warn"))
    assert (found.passes, found.title) == (True, "Open, with a warning: No merges after Friday 14:00")
