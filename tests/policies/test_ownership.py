"""A team's file reaches its own services and nothing else, whatever it says."""

import itertools
import random
from collections.abc import Iterator

import pytest

from app.core.decision import Question
from app.core.instant import DAY, parse_instant
from app.core.policy import PolicySet
from app.policies.lint.lint import lint
from app.policies.load import load
from app.policies.loaded import LoadedPolicies
from app.policies.source import Snapshot
from app.yaml.problem import PolicyFileError, Severity

NOW = parse_instant("2026-11-23T12:00:00Z")
FRIDAY = parse_instant("2026-11-27T15:00:00Z")
MAIN = """version: 1
environments: [production, staging]
services:
  checkout: {tags: [payments, pci]}
  ledger: {tags: [payments]}
  search: {tags: [web, pci]}
  pay/api: {}
owners:
  payments.yaml: {team: Payments, tags: [payments], contact: "#payments"}
  search.yaml: {services: [search, "find-*"]}
policies:
  - {id: year-end, title: T, reason: R, when: [{yearly: {from: 12-23 18:00, to: 01-03}}]}
"""
WEEKEND = "  - {id: %s, title: T, reason: R, when: [{weekly: {from: fri 14:00, to: mon 08:00}}]%s}\n"
MAIN = MAIN.replace("  search: {", "  find-all: {}\n  search: {")


def team(*policies: tuple[str, str], head: str = "", tests: str = "") -> str:
    entries = "".join(WEEKEND % (own_id, more and f", {more}") for own_id, more in policies)
    return f"version: 1\n{head}policies:\n{entries}{tests}" if entries else f"version: 1\n{head}{tests}"


def snapshot(main: str = MAIN, **files: str) -> Snapshot:
    return Snapshot({"policies.yaml": main, **{f"{name}.yaml": text for name, text in files.items()}})


def loaded(main: str = MAIN, **files: str) -> LoadedPolicies:
    return load(snapshot(main, **files))


def refusals(main: str = MAIN, **files: str) -> list[str]:
    with pytest.raises(PolicyFileError) as caught:
        loaded(main, **files)
    return [str(each) for each in caught.value.problems if each.severity is Severity.ERROR]


def contacts(found: LoadedPolicies) -> dict[str, str | None]:
    return {each.id: each.contact for each in found.policy_set.policies}


def frozen(found: LoadedPolicies, environment: str = "production") -> set[str]:
    services = ["checkout", "ledger", "search", "find-all", "pay/api", "elsewhere", "find-new", "find-a/b"]
    return {name for name in services if not found.engine.decide(Question(name, environment), FRIDAY).allowed}


def test_a_policy_without_a_selector_reaches_the_services_of_its_file() -> None:
    assert frozen(loaded(payments=team(("p", "")))) == {"checkout", "ledger"}
    assert frozen(loaded(search=team(("s", "")))) == {"search", "find-all", "find-new"}


@pytest.mark.parametrize(
    ("selector", "reached"),
    [
        ("{environments: [production]}", {"checkout", "ledger"}),
        ("{tags: [pci]}", {"checkout"}),
        ("{tags: [pay*, pci]}", {"checkout", "ledger"}),
        ("{services: [ledger]}", {"ledger"}),
        ("[{services: [ledger]}, {tags: [web, pci]}]", {"ledger", "checkout"}),
        ("{services: [ledger, checkout], tags: [pci]}", {"checkout"}),
    ],
)
def test_a_selector_narrows_it_further_and_never_widens_it(selector: str, reached: set[str]) -> None:
    assert frozen(loaded(payments=team(("p", f"applies_to: {selector}")))) == reached
    by_default = team(("p", ""), head=f"defaults: {{applies_to: {selector}}}\n")
    assert frozen(loaded(payments=by_default)) == reached


def test_services_and_tags_of_an_owner_are_joined() -> None:
    both = MAIN.replace("tags: [payments], contact", 'services: ["pay/*"], tags: [payments], contact')
    assert frozen(loaded(both, payments=team(("p", "")))) == {"checkout", "ledger", "pay/api"}
    of_tag = loaded(both, payments=team(("p", "applies_to: {tags: [pci]}")))
    assert frozen(of_tag) == {"checkout"}
    (refused,) = refusals(both, payments=team(("p", "applies_to: {services: [search]}")))
    assert 'name "pay/*" and services tagged "payments", or' in refused


def test_a_file_that_speaks_for_everything_is_like_the_main_one() -> None:
    holidays = MAIN.replace("owners:\n", "owners:\n  holidays.yaml: {everything: true, contact: '#hr'}\n")
    found = loaded(holidays, holidays=team(("h", ""), tests="tests:\n  - {at: 2026-12-24 12:00, "
                   "service: search, expect: deny, by: [year-end]}\n"))  # fmt: skip
    assert len(frozen(found)) == 8
    assert contacts(found) == {"h": "#hr", "year-end": None}
    owned = found.policy_set.owner_of("h")
    assert owned is not None
    assert owned.to_json() == {"file": "holidays.yaml", "team": "holidays", "contact": "#hr"}


def test_the_contact_of_the_owner_is_the_last_resort() -> None:
    found = contacts(loaded(payments=team(("p", ""), ("q", 'contact: "#q"'))))
    assert found == {"p": "#payments", "q": "#q", "year-end": None}
    by_file = team(("p", ""), head='defaults: {contact: "#file"}\n')
    assert contacts(loaded(payments=by_file))["p"] == "#file"


def test_the_owner_of_each_policy_is_known_and_none_without_owners() -> None:
    found = loaded(payments=team(("p", ""))).policy_set
    owned = found.owner_of("p")
    assert owned is not None
    assert (owned.name, owned.team) == ("payments.yaml", "Payments")
    assert found.owner_of("year-end") is None
    plain = MAIN[: MAIN.index("owners:")] + MAIN[MAIN.index("policies:") :]
    assert loaded(plain, payments=team(("p", ""))).policy_set.owner_of("p") is None


def test_a_file_without_an_entry_is_refused_and_an_entry_without_a_file_is_told() -> None:
    (refused,) = refusals(paymens=team(("p", "")))
    assert refused == (
        'paymens.yaml:1:1: owners has no entry for this file; add "paymens.yaml: {services: […]}" in '
        "policies.yaml, line 9"
    )
    found = loaded(search=team(("s", "")))
    (warning,) = found.warnings
    assert str(warning).endswith('owners["payments.yaml"]: there is no file "payments.yaml" in this folder')


def test_the_zone_of_a_team_is_never_that_of_the_set() -> None:
    files = {"payments": team(("p", ""), head="timezone: Asia/Tokyo\n"), "search": team(("s", ""))}
    found = loaded(**files)
    assert found.policy_set.timezone == "UTC"
    assert {each.id: each.timezone for each in found.policy_set.policies}["p"] == "Asia/Tokyo"
    assert found.warnings == ()
    stated = MAIN.replace("version: 1\n", "version: 1\ntimezone: Europe/Paris\n")
    assert loaded(stated, **files).policy_set.timezone == "Europe/Paris"


def test_the_tests_of_a_team_ask_its_own_policies_so_that_no_rule_of_others_breaks_them() -> None:
    tests = "tests:\n  - {at: 2026-12-24 12:00, service: checkout, expect: allow}\n"
    tests += "  - {at: 2026-11-27 14:00, service: checkout, expect: deny, by: [p]}\n"
    found = loaded(payments=team(("p", ""), tests=tests), search=team(("s", "")))
    assert not found.engine.decide(Question("checkout"), parse_instant("2026-12-24T12:00:00Z")).allowed
    (failing,) = refusals(payments=team(("p", ""), tests=tests.replace("14:00", "13:00")))
    assert failing.startswith("payments.yaml:6:5: tests[1]: this test fails: expected deny by [p], got allow")
    alone = "tests:\n  - {at: 2026-12-24 12:00, service: checkout, expect: allow}\n"
    loaded(payments=team(tests=alone))


def test_tags_that_reach_services_of_others_are_told() -> None:
    text = team(
        ("p", "applies_to: [{services: [ledger]}, {tags: [pci]}]"), ("q", "applies_to: {tags: [web]}")
    )
    found = [str(each) for each in lint(snapshot(payments=text), NOW) if "no tests" not in str(each)]
    told = [each for each in found if "of the services with these tags" in each]
    assert told[0].startswith("payments.yaml:3:128: warning: policies[0].applies_to[1].tags: of the services")
    assert 'this file doesn\'t reach "search"; name services beside the tags' in told[0]
    assert any("policies[1].id: this policy can never match" in each for each in found)
    named = text.replace("{tags: [pci]}", "{tags: [pci], services: [checkout]}")
    assert "tags[0]" not in str(lint(snapshot(payments=named), NOW)[0])


def test_remarks_on_the_selector_that_an_owner_gives_stand_at_the_policy() -> None:
    wide = MAIN.replace('"find-*"', '"*"')
    found = [str(each) for each in lint(snapshot(wide, search=team(("s", ""))), NOW)]
    assert any(
        each.startswith("search.yaml:3:10: warning: policies[0].id") and "leaves out" in each
        for each in found
    )


def _hostile(chance: random.Random) -> Iterator[str]:
    """Yield texts of a team's file that try to reach others in every way that the format has."""
    names = ["search", "*", "check*", "checkout", "ledger", "find-*", "elsewhere", "**", "pay/api", "*/*"]
    tags = ["pci", "web", "payments", "*", "pay*"]
    keys = [
        "services: {search: {tags: [payments]}}\n",
        "owners: {payments.yaml: {everything: true}}\n",
        "environments: [production, staging, other]\n",
        "changes: [normal]\n",
        "unknown_services: allow\n",
        "overrides: {max_ttl: 300h}\n",
        "timezone: Asia/Tokyo\n",
    ]
    while True:
        fields = [
            f"services: [{', '.join(map(repr, chance.sample(names, chance.randint(1, 3))))}]",
            f"tags: [{', '.join(map(repr, chance.sample(tags, chance.randint(1, 3))))}]",
            "environments: [production]",
        ]
        parts = [", ".join(chance.sample(fields, chance.randint(1, 3))) for _ in range(chance.randint(1, 3))]
        selectors = [f"{{{each}}}" for each in parts]
        written = f"applies_to: [{', '.join(selectors)}]" if chance.random() < 0.8 else ""
        effect = chance.choice(["effect: deny", "effect: allow-only", "effect: warn", "override: never"])
        policy = ("p", ", ".join(filter(None, [written, effect])))
        head = chance.choice(keys) if chance.random() < 0.2 else ""
        if chance.random() < 0.3:
            head += f"defaults: {{{written or 'contact: x'}}}\n"
            policy = ("p", effect)
        yield team(policy, head=head)


def test_no_file_of_a_team_changes_any_answer_about_services_of_others() -> None:
    chance = random.Random(14)
    before = loaded()
    others = ["search", "find-all", "find-new", "pay/api", "elsewhere", "a/b"]
    questions = [Question(name, place) for name in others for place in ("production", "staging")]
    instants = [FRIDAY, FRIDAY + DAY, NOW, parse_instant("2026-12-24T12:00:00Z")]
    accepted = 0
    for text in itertools.islice(_hostile(chance), 400):
        try:
            after = loaded(payments=text)
        except PolicyFileError:
            continue
        accepted += 1
        assert _set_wide(after.policy_set) == _set_wide(before.policy_set)
        for question, instant in itertools.product(questions, instants):
            was, now = before.engine.decide(question, instant), after.engine.decide(question, instant)
            assert (was.outcome, was.blocking, was.warnings) == (now.outcome, now.blocking, now.warnings), (
                text
            )
    assert accepted > 60


def _set_wide(policy_set: PolicySet) -> object:
    return policy_set.model_dump(exclude={"policies", "tests"})
