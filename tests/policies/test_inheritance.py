"""`timezone` and `defaults` of a file hold for its own policies and tests."""

import pytest

from app.core.decision import Question
from app.core.instant import parse_instant
from app.core.policy import Selector
from app.policies.lint.lint import lint
from app.policies.load import load
from app.policies.loaded import LoadedPolicies
from app.policies.source import Snapshot
from app.yaml.problem import PolicyFileError, Severity

NOW = parse_instant("2026-11-23T12:00:00Z")
BASE = "version: 1\ntimezone: Europe/Amsterdam\nenvironments: [production, staging]\n"
OWN = "  - {id: %s, title: T, reason: R, when: [{weekly: {from: fri 14:00, to: mon 08:00}}]%s}\n"


def policies(*entries: str) -> str:
    return "policies:\n" + "".join(entries)


def policy(own_id: str, more: str = "") -> str:
    return OWN % (own_id, more and f", {more}")


def loaded(**files: str) -> LoadedPolicies:
    return load(Snapshot({f"{name}.yaml": text for name, text in files.items()}))


def begins(found: LoadedPolicies, own_id: str) -> str:
    """The local start of the next freeze, with its zone."""
    (timeline,) = found.engine.timelines(own_id)
    start = next(timeline.stretches(NOW, NOW + 14 * 86_400)).start
    assert start is not None
    return f"{timeline.zone.local(start) % 86_400 // 3600} {timeline.zone.name}"


def remarks(**files: str) -> list[str]:
    found = lint(Snapshot({f"{name}.yaml": text for name, text in files.items()}), NOW)
    assert all(each.severity is Severity.WARNING for each in found), found
    return [str(each) for each in found if "no tests" not in str(each) and "shadowed" not in str(each)]


def refusals(**files: str) -> list[str]:
    with pytest.raises(PolicyFileError) as caught:
        loaded(**files)
    return [str(each) for each in caught.value.problems]


def test_each_file_of_a_folder_may_have_its_own_zone_for_its_policies_and_tests() -> None:
    tests = "tests:\n  - {at: 2026-11-27 14:00, environment: staging, service: a, expect: deny, "
    tests += "by: [us, tokyo, plain]}\n"
    own = policies(
        policy("us", "applies_to: {environments: [staging]}"), policy("tokyo", "timezone: Asia/Tokyo")
    )
    found = loaded(
        a="version: 1\ntimezone: America/New_York\n" + own + tests,
        b=BASE + policies(policy("nl", "applies_to: {environments: [production]}")),
        c="version: 1\n" + policies(policy("plain")).replace("14:00", "15:00"),
    )
    assert begins(found, "us") == "14 America/New_York"
    assert begins(found, "tokyo") == "14 Asia/Tokyo"
    assert begins(found, "nl") == "14 Europe/Amsterdam"
    assert begins(found, "plain") == "15 Europe/Amsterdam"
    assert found.policy_set.timezone == "Europe/Amsterdam"


def test_the_zone_of_a_single_stating_file_holds_for_all_as_before() -> None:
    found = loaded(
        a="version: 1\n" + policies(policy("one")),
        b="version: 1\ntimezone: Asia/Tokyo\n",
        c="version: 1\nenvironments: [production]\n",
    )
    assert found.policy_set.timezone == "Asia/Tokyo"
    assert begins(found, "one") == "14 Asia/Tokyo"
    assert found.warnings == ()


def test_where_no_file_speaks_for_the_set_the_first_zone_is_taken_and_told() -> None:
    files = {
        "a": "version: 1\n" + policies(policy("one")),
        "b": "version: 1\ntimezone: Asia/Tokyo\n" + policies(policy("two")),
        "c": "version: 1\ntimezone: Europe/Paris\n" + policies(policy("three")),
    }
    found = loaded(**files)
    assert found.policy_set.timezone == "Asia/Tokyo"
    (warning,) = found.warnings
    assert str(warning).startswith(
        'b.yaml:2:11: warning: timezone: the files have different zones; "Asia/Tokyo" is taken for the set'
    )
    files["c"] += "overrides: {max_uses: 2}\n"
    clear = loaded(**files)
    assert clear.policy_set.timezone == "Europe/Paris"
    assert clear.warnings == ()


def test_a_local_time_is_judged_in_the_zone_of_its_file() -> None:
    gap = "tests: [{at: 2027-03-28 02:30, service: a, expect: allow}]\n"
    us = "version: 1\ntimezone: America/New_York\n" + gap
    main = BASE + policies(policy("one"))
    assert (
        loaded(a=us.replace("expect: allow", "expect: deny"), b=main).tests[0].zone.name == "America/New_York"
    )
    (problem,) = refusals(a=us.replace("America/New_York", "Europe/Paris"), b=main)
    assert problem.startswith("a.yaml:3:14: tests[0].at: this local time does not exist in Europe/Paris")


@pytest.mark.parametrize("folder", [False, True])
def test_defaults_hold_for_the_policies_of_their_file_and_own_values_win(folder: bool) -> None:  # noqa: FBT001
    defaults = (
        'defaults: {contact: "#ops", link: https://w.example.com, applies_to: {environments: [staging]}}\n'
    )
    own = 'contact: "#dba", applies_to: {environments: [production]}'
    text = BASE + defaults + policies(policy("plain"), policy("own", own))
    more = {"b": "version: 1\n" + policies(policy("other"))} if folder else {}
    found = {each.id: each for each in loaded(a=text, **more).policy_set.policies}
    staging, production = (
        Selector.model_validate({"environments": [name]}) for name in ("staging", "production")
    )
    assert (found["plain"].contact, found["plain"].link) == ("#ops", "https://w.example.com")
    assert found["plain"].applies_to == [staging]
    assert (found["own"].contact, found["own"].applies_to) == ("#dba", [production])
    if folder:
        assert (found["other"].contact, found["other"].applies_to) == (None, None)


def test_defaults_decide() -> None:
    text = BASE + "defaults: {applies_to: [{environments: [staging]}]}\n" + policies(policy("one"))
    engine = loaded(a=text).engine
    friday = parse_instant("2026-11-27T13:00:00Z")
    assert not engine.decide(Question("a", "staging"), friday).allowed
    assert engine.decide(Question("a", "production"), friday).allowed


def test_wrong_defaults_are_refused_where_they_stand() -> None:
    head = BASE.replace("\n", "\nservices: {api: {tags: [tier-1]}}\n", 1)
    unknown = head + "defaults:\n  applies_to: {environments: [live], tags: [tier-2]}\n"
    environment, tag = refusals(a=unknown + policies(policy("one")))
    assert environment.startswith(
        'a.yaml:6:31: defaults.applies_to.environments[0]: unknown environment "live"'
    )
    assert tag.startswith("a.yaml:6:45: defaults.applies_to.tags[0]: no service of the catalogue has the tag")
    for wrong, where in (
        ("defaults: {owner: x}\n", 'a.yaml:4:12: defaults.owner: unknown key "owner"'),
        ("defaults: {applies_to: {}}\n", "a.yaml:4:24: defaults.applies_to"),
        ("defaults: {}\ndefaults: {}\n", "a.yaml:5:1: defaults"),
        ("defaults: {link: wiki}\n", "a.yaml:4:18: defaults.link"),
    ):
        assert refusals(a=BASE + wrong + policies(policy("one")))[0].startswith(where)


def test_a_default_that_nothing_uses_is_told() -> None:
    defaults = 'defaults: {contact: "#ops", link: https://w.example.com}\n'
    assert remarks(
        a=BASE + defaults + policies(policy("one", 'contact: "#own"')), b="version: 1\n" + defaults
    ) == [
        "a.yaml:4:21: warning: defaults.contact: nothing uses it: each policy of this file has its own",
        "b.yaml:2:21: warning: defaults.contact: nothing uses it: this file has no policies",
        "b.yaml:2:35: warning: defaults.link: nothing uses it: this file has no policies",
    ]


def test_remarks_on_shared_selectors_stand_at_the_defaults_once() -> None:
    text = BASE + "defaults: {applies_to: {services: ['*']}}\n" + policies(policy("one"), policy("two"))
    (remark,) = remarks(a=text)
    assert remark.startswith('a.yaml:4:36: warning: defaults.applies_to.services[0]: "*" leaves out')
    (tagged,) = remarks(a=text.replace("{services: ['*']}", "[{tags: [x]}, {environments: [staging]}]"))
    assert "warning: defaults.applies_to[0].tags: matches nothing" in tagged


def test_a_zone_that_nothing_uses_and_one_that_services_do_not_get_are_told() -> None:
    services = "services: {api: {}, web: {timezone: Asia/Tokyo}}\n"
    unused = "version: 1\ntimezone: America/New_York\n" + policies(policy("one", "timezone: service"))
    found = remarks(a=unused, b=BASE + services)
    assert found[0] == "a.yaml:2:11: warning: timezone: no policy and no test of this file uses it"
    assert (
        'the service "api" has no timezone and is read in the zone of the set, "Europe/Amsterdam"' in found[1]
    )
    assert (
        "services outside the catalogue are read in"
        in remarks(a=unused, b=BASE + services.replace("api: {}, ", ""))[1]
    )
    refusing = services.replace("api: {}, ", "") + "unknown_services: refuse\n"
    assert len(remarks(a=unused, b=BASE + refusing)) == 1
