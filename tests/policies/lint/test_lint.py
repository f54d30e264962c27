from pathlib import Path

import pytest

from app.core.instant import parse_instant
from app.policies.lint.lint import lint
from app.policies.source import Snapshot, Source
from app.yaml.problem import Severity

NOW = parse_instant("2026-11-23T12:00:00Z")

TOP = "version: 1\ntimezone: Europe/Amsterdam\nenvironments: [production, staging]\n"
TESTS = "tests: [{at: 2026-11-23 12:00, service: api, environment: staging, expect: allow}]\n"


def policy(name: str, *, when: str = "{weekly: {from: fri 14:00, to: mon 08:00}}", **fields: str) -> str:
    fields = {"applies_to": "{environments: [production]}", **fields}
    extra = "".join(f"    {key}: {value}\n" for key, value in fields.items() if value)
    return f"  - id: {name}\n    title: T\n    reason: R\n{extra}    when: [{when}]\n"


def remarks(*policies: str, top: str = TOP, tests: str = TESTS) -> list[str]:
    text = f"{top}policies:\n{''.join(policies)}{tests}"
    problems = lint(Snapshot.of(text), NOW)
    assert all(problem.severity is Severity.WARNING for problem in problems), problems
    return [str(problem).replace("policies.yaml:", "").replace("warning: ", "") for problem in problems]


def test_a_set_with_nothing_suspicious_gets_no_remark() -> None:
    assert remarks(policy("friday"), policy("summer", when="{yearly: {from: 07-01, to: 08-31}}")) == []


def test_the_shipped_policies_get_no_remark() -> None:
    shipped = Path(__file__).parents[3] / "policies.yaml"
    assert lint(Source(shipped).read(), NOW) == []


def test_a_file_without_tests_is_told() -> None:
    assert remarks(policy("friday"), tests="") == [
        "1:1: there are no tests: say under tests what must come out"
    ]


def test_a_set_with_errors_gets_its_errors_alone() -> None:
    (problem,) = lint(Snapshot.of("version: 2\npolicies: []\n"), NOW)
    assert problem.severity is Severity.ERROR


def test_failing_self_tests_and_warnings_of_loading_are_among_the_remarks() -> None:
    text = f"{TOP}policies: []\n{TESTS.replace('allow', 'deny')}"
    problems = lint(Snapshot.of(text), NOW)
    assert [(problem.line, problem.severity.value) for problem in problems] == [(4, "warning"), (5, "error")]


def test_running_of_a_policy_that_warns_is_told_to_have_no_effect() -> None:
    for running in ("stop", "finish"):
        (remark,) = remarks(policy("friday", effect="warn", running=running))
        assert remark.startswith(
            "10:14: policies[0].running: has no effect: a policy that warns stops no deploy"
        )
        assert remarks(policy("friday", running=running)) == []


# Windows in the past


def test_a_window_that_is_wholly_in_the_past_is_told() -> None:
    past = "{dates: {from: 2026-11-01, to: 2026-11-22}}"
    assert remarks(policy("friday", when=f"{{weekly: {{from: fri 14:00, to: mon 08:00}}}}, {past}")) == [
        "9:64: policies[0].when[1].dates: wholly in the past: it is over since 2026-11-22T23:00:00Z"
    ]


def test_an_exception_in_the_past_is_told_too() -> None:
    text = policy("friday", except_when="[{dates: {from: 2025-12-11, to: 2025-12-11}}]")
    (remark,) = remarks(text)
    assert remark.startswith("9:27: policies[0].except_when[0].dates: wholly in the past")


@pytest.mark.parametrize(
    "window",
    [
        "{dates: {from: 2026-11-01, to: 2026-11-23}}",
        "{dates: {from: 2026-11-01 10:00, to: 2026-11-23 13:01}}",
        "{dates: {from: 2030-11-01, to: 2030-11-23}}",
    ],
)
def test_a_window_that_is_open_or_still_to_come_is_not_in_the_past(window: str) -> None:
    assert remarks(policy("friday"), policy("dates", when=window, applies_to="{services: [web]}")) == []


def test_a_window_is_in_the_past_only_when_it_is_over_in_every_zone_it_is_read_in() -> None:
    catalogue = "services: {api: {timezone: Pacific/Honolulu}, web: {timezone: Asia/Tokyo}}\n"
    tests = "tests: [{at: 2026-11-23 12:00, service: web, environment: staging, expect: allow}]\n"
    window = "{dates: {from: 2026-11-01, to: %s}}"
    for day, found in (("2026-11-23 02:01", 0), ("2026-11-23 02:00", 1)):
        # 12:00 in UTC is 02:00 in Honolulu
        text = policy("dates", when=window % day, timezone="service", applies_to="{services: [api]}")
        assert len(remarks(text, policy("friday"), top=TOP + catalogue, tests=tests)) == found, day


# Policies that never match


def test_a_policy_that_exempts_all_that_it_applies_to_can_never_match() -> None:
    assert remarks(policy("friday", exempt="{environments: [production]}")) == [
        "5:9: policies[0].id: this policy can never match: nothing that applies_to means is left by exempt"
    ]


def test_a_policy_for_tags_without_a_catalogue_can_never_match() -> None:
    assert remarks(policy("friday", applies_to="[{tags: [tier-1]}, {tags: [pci]}]")) == [
        "5:9: policies[0].id: this policy can never match: without a catalogue no service has tags"
    ]


def test_tags_in_one_selector_of_several_match_nothing_without_a_catalogue() -> None:
    exempt = remarks(policy("friday", exempt="[{changes: [rollback]}, {tags: [static]}]"))
    assert exempt == [
        "9:44: policies[0].exempt[1].tags: matches nothing: without a catalogue no service has tags"
    ]
    alone = remarks(policy("friday", exempt="{tags: [static]}"))
    assert alone == [
        "9:20: policies[0].exempt.tags: matches nothing: without a catalogue no service has tags"
    ]
    applies_to = remarks(policy("friday", applies_to="[{services: [api]}, {tags: [static]}]"))
    assert applies_to == [
        "8:44: policies[0].applies_to[1].tags: matches nothing: without a catalogue no service has tags"
    ]


def test_a_policy_whose_selectors_no_service_fits_can_never_match() -> None:
    top = TOP + "services: {api: {tags: [x]}, web: {tags: [y]}}\nunknown_services: refuse\n"
    (remark,) = remarks(policy("friday", applies_to="{services: [api], tags: [y]}"), top=top)
    assert remark.endswith(
        "this policy can never match: no request has all that a selector of applies_to asks for"
    )


def test_a_policy_that_exempts_some_can_match_others() -> None:
    assert remarks(policy("friday", exempt="[{changes: [rollback]}, {services: [docs, docs/*]}]")) == []


# Shadows


def test_a_policy_within_another_of_the_same_effect_is_shadowed() -> None:
    inner = policy(
        "saturday", when="{weekly: {from: sat 00:00, to: sun 00:00}}", exempt="{changes: [rollback]}"
    )
    (remark,) = remarks(inner, policy("friday"))
    assert remark == (
        '5:9: policies[0].id: shadowed: for the next two years, "friday" (line 11) '
        "holds wherever and whenever this one does"
    )


def test_of_two_equal_policies_the_later_one_is_shadowed() -> None:
    (remark,) = remarks(policy("one"), policy("two"))
    assert remark.startswith('10:9: policies[1].id: shadowed: for the next two years, "one" (line 5)')


def test_a_policy_of_another_file_shadows_with_its_file_named() -> None:
    a = TOP + "policies:\n" + policy("one")
    b = "version: 1\npolicies:\n" + policy("two") + TESTS
    (problem,) = lint(Snapshot({"a.yaml": a, "b.yaml": b}), NOW)
    assert (problem.file, problem.line) == ("b.yaml", 3)
    assert '"one" (line 5 of a.yaml)' in problem.message


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ({"effect": "warn"}, {}),
        ({"applies_to": "{environments: [staging]}"}, {}),
        ({"applies_to": ""}, {}),
        ({}, {"exempt": "{changes: [rollback]}"}),
        ({}, {"exempt": "{services: [docs]}"}),
        ({"when": "{weekly: {from: fri 13:59, to: mon 08:00}}"}, {}),
        ({"when": "{weekly: {from: fri 14:00, to: mon 08:01}}"}, {}),
        ({"timezone": "Europe/London"}, {}),
        ({"override": "never"}, {}),
        ({"override": "{max_uses: 1}"}, {}),
        ({"override": "{max_uses: 1}"}, {"override": "{max_uses: 2}"}),
        ({}, {"except_when": "[{dates: {from: 2027-01-02, to: 2027-01-02}}]"}),
        ({}, {"when": "{dates: {from: 2026-11-01, to: 2028-11-18}}"}),
    ],
)
def test_a_policy_that_adds_anything_is_not_shadowed(inner: dict[str, str], outer: dict[str, str]) -> None:
    found = remarks(policy("inner", **inner), policy("outer", **outer))
    assert not [remark for remark in found if remark.startswith("5:9") and "shadowed" in remark]


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ({}, {"override": "never"}),
        ({"override": "{max_uses: 1}"}, {"override": "never"}),
        ({"override": "never"}, {"override": "never"}),
        ({"effect": "warn", "override": "never"}, {"effect": "warn"}),
        ({}, {"applies_to": ""}),
        ({}, {"when": "{dates: {from: 2026-11-01, to: 2028-12-31}}"}),
        (
            {"effect": "allow-only", "when": "{daily: {from: '09:00', to: '16:00'}}"},
            {"effect": "allow-only", "when": "{daily: {from: '10:00', to: '15:00'}}"},
        ),
    ],
)
def test_a_policy_that_adds_nothing_is_shadowed(inner: dict[str, str], outer: dict[str, str]) -> None:
    found = remarks(policy("inner", **inner), policy("outer", **outer))
    # Of two that shadow each other the later one is told.
    assert len([remark for remark in found if "id: shadowed" in remark]) == 1


def test_policies_read_in_the_zone_of_the_service_are_compared_in_every_zone() -> None:
    catalogue = "services: {web: {timezone: Asia/Tokyo}, api: {timezone: Europe/Amsterdam}}\n"
    home = policy("home", when="{weekly: {from: fri 00:00, to: mon 00:00}}")
    at_service = policy("service", when="{weekly: {from: fri 14:00, to: sun 12:00}}", timezone="service")
    early = policy("service", when="{weekly: {from: fri 07:59, to: sun 12:00}}", timezone="service")
    top = TOP + catalogue
    assert len(remarks(home, at_service, top=top)) == 1
    assert len(remarks(home, early, top=top)) == 0
    assert len(remarks(home, early, top=top.replace("Asia/Tokyo", "Europe/Berlin"))) == 1


# Nothing opens


ALWAYS = "{always: true}"


def test_an_environment_in_which_nothing_opens_for_two_weeks_is_told() -> None:
    assert remarks(policy("closed", when=ALWAYS)) == [
        '3:16: environments[0]: nothing opens in "production" for the next 14 days'
    ]


@pytest.mark.parametrize(
    ("until", "found"), [("2026-12-07 12:59:59", 0), ("2026-12-07 13:00", 1), ("2026-12-08 13:00", 1)]
)
def test_two_weeks_are_two_weeks(until: str, found: int) -> None:
    window = f"{{dates: {{from: 2026-11-23 00:00, to: {until}}}}}"
    assert len(remarks(policy("closed", when=window))) == found


def test_policies_that_close_it_together_are_told_as_well() -> None:
    days = policy("days", when="{daily: {from: '08:00', to: '20:00'}}")
    nights = policy("nights", when="{daily: {from: '20:00', to: '08:00'}}")
    assert len(remarks(days, nights)) == 1
    assert len(remarks(days, nights.replace("'08:00'", "'07:59'"))) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"exempt": "{services: [docs]}"},
        {"exempt": "{changes: [normal]}"},
        {"applies_to": "{services: ['*'], environments: [production]}"},
        {"applies_to": "{changes: [rollback]}"},
        {"effect": "warn"},
    ],
)
def test_where_anything_may_open_nothing_is_told_of_opening(fields: dict[str, str]) -> None:
    found = remarks(policy("closed", when=ALWAYS, **fields))
    assert [remark for remark in found if "nothing opens" in remark] == []


def test_with_a_closed_catalogue_every_service_is_looked_at() -> None:
    top = TOP + "services: {api: {tags: [x]}, web: {}}\nunknown_services: refuse\n"
    api = policy("api", when=ALWAYS, applies_to="{tags: [x]}")
    web = policy("web", when=ALWAYS, applies_to="{services: [web], environments: [production]}")
    assert (
        len(
            remarks(
                api,
                web,
                top=top,
                tests="tests: [{at: 2026-11-23 12:00, service: web, environment: staging, expect: allow}]\n",
            )
        )
        == 1
    )
    assert len(remarks(web, top=top)) == 0


def test_where_no_service_may_be_deployed_at_all_nothing_is_told_of_opening() -> None:
    top = TOP + "services: {}\nunknown_services: refuse\n"
    found = remarks(policy("closed", when=ALWAYS), top=top, tests="")
    assert [remark for remark in found if "nothing opens" in remark] == []


def test_without_normal_changes_the_first_kind_is_looked_at() -> None:
    top = TOP + "changes: [standard, rollback]\n"
    tests = TESTS.replace("expect", "change: standard, expect")
    found = remarks(policy("closed", when=ALWAYS, exempt="{changes: [rollback]}"), top=top, tests=tests)
    assert len([remark for remark in found if "nothing opens" in remark]) == 1


# Defaults that nobody can use


def test_a_set_without_the_usual_names_is_told_of_requests_that_leave_them_out() -> None:
    top = TOP.replace("production, staging", "staging, acceptance") + "changes: [standard, rollback]\n"
    tests = TESTS.replace("expect", "change: standard, expect")
    friday = policy("friday", applies_to="{environments: [staging]}")
    assert remarks(friday, top=top, tests=tests) == [
        '3:15: environments: "production" is not among them: requests that name no environment are refused',
        '4:10: changes: "normal" is not among them: requests that name no kind of change are refused',
    ]


def test_a_production_that_is_merged_into_is_told() -> None:
    top = TOP.replace("[production, staging]", "{production: {kind: merge}, staging: {}}")
    (remark,) = remarks(policy("friday"), top=top)
    assert remark == (
        "3:35: environments.production.kind: requests that name no environment mean this one: they are about "
        'merges, not deploys. Give the branch another name, and list "production" with kind: deploy'
    )


def test_an_environment_of_a_mapping_that_never_opens_is_told_at_its_name() -> None:
    top = TOP.replace("[production, staging]", "{production: {}, staging: {release: {batch: 1}}}")
    found = remarks(policy("closed", when=ALWAYS), top=top)
    assert [remark.partition(" for the")[0] for remark in found] == [
        '3:28: environments.production: nothing opens in "production"'
    ]


# What stands in a list twice


def test_an_entry_that_is_in_its_list_twice_is_told() -> None:
    top = TOP.replace("[production, staging]", "[production, staging, production]")
    windows = "{weekly: {from: fri 14:00, to: mon 08:00}}, {weekly: {to: mon 08:00, from: fri 14:00}}"
    days = "{daily: {days: [mon, tue, mon], from: '09:00', to: '10:00'}}"
    found = remarks(
        policy("friday", when=f"{windows}, {days}", applies_to="{services: [api, web, api]}"), top=top
    )
    assert [remark.partition(": ")[2] for remark in found] == [
        "environments[2]: is in this list already",
        "policies[0].applies_to.services[2]: is in this list already",
        "policies[0].when[1]: is in this list already",
        "policies[0].when[2].daily.days[2]: is in this list already",
    ]


# Windows that are never open


@pytest.mark.parametrize(
    ("window", "found"),
    [
        ("{dates: {from: 2027-03-28 02:10, to: 2027-03-28 02:50}}", True),
        ("{dates: {from: 2027-03-28 02:00, to: 2027-03-28 03:00}}", True),
        ("{dates: {from: 2027-03-28 02:10, to: 2027-03-28 03:01}}", False),
        ("{dates: {from: 2027-03-28 01:59, to: 2027-03-28 02:50}}", False),
    ],
)
def test_dates_that_the_clocks_skip_are_told(window: str, found: bool) -> None:  # noqa: FBT001 - a parameter
    text = remarks(policy("dates", when=window))
    assert (
        text == ["9:20: policies[0].when[0].dates: never open: the clocks are put forward past all of it"]
    ) is found


def test_dates_that_only_some_zones_skip_are_open_in_the_others() -> None:
    top = TOP + "services: {api: {timezone: Asia/Tokyo}, web: {}}\n"
    window = "{dates: {from: 2027-03-28 02:10, to: 2027-03-28 02:50}}"
    assert remarks(policy("dates", when=window, timezone="service"), top=top) == []


def test_a_calendar_without_such_an_event_is_told() -> None:
    calendar = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        "DTSTART;VALUE=DATE:20261224\r\nSUMMARY:Year end\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    for summary, found in (("Freeze*", ["9:24"]), ("Year*", [])):
        text = policy("calendar", when=f"{{icalendar: {{file: a.ics, summary: '{summary}'}}}}")
        problems = lint(Snapshot.of(f"{TOP}policies:\n{text}{TESTS}", calendars={"a.ics": calendar}), NOW)
        assert [f"{each.line}:{each.column}" for each in problems] == found
        assert all("there is no busy event of this summary" in each.message for each in problems)


# Exceptions that leave nothing


@pytest.mark.parametrize("effect", ["deny", "warn", "allow-only"])
def test_exceptions_that_take_everything_away_are_told(effect: str) -> None:
    fields = {"effect": effect, "exempt": "{services: [docs]}"}
    (remark,) = remarks(
        policy("friday", except_when="[{weekly: {from: fri 12:00, to: mon 09:00}}]", **fields)
    )
    assert remark == (
        "9:18: policies[0].except_when: takes away all of when, at least for the next two years"
    )
    some = policy("friday", except_when="[{weekly: {from: fri 14:01, to: mon 09:00}}]", **fields)
    assert remarks(some) == []


def test_where_there_is_nothing_to_take_away_nothing_is_told_of_exceptions() -> None:
    past = "{dates: {from: 2025-12-11, to: 2025-12-11}}"
    found = remarks(policy("past", when=past, except_when="[{always: true}]"))
    assert [remark for remark in found if "takes away" in remark] == []
