import pytest

from app.core import wallclock
from app.policies.load import load_untested
from app.policies.moment import parse_moment
from app.policies.selftest import SelfTestResult, problems_of, run
from app.policies.source import Snapshot

POLICIES = """version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services:
  api: {timezone: Asia/Tokyo}
policies:
  - id: friday
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    applies_to: {environments: [production]}
    exempt: {changes: [rollback]}
    when:
      - weekly: {from: fri 14:00, to: mon 08:00}
  - id: weekend
    title: Nor on weekends
    reason: Nobody is there.
    applies_to: {environments: [production]}
    exempt: {changes: [rollback]}
    when:
      - weekly: {from: sat 00:00, to: mon 00:00}
  - id: late
    title: It is late
    reason: People sleep.
    effect: warn
    when:
      - weekly: {from: thu 20:00, to: fri 06:00}
tests:
"""


def results(*tests: str) -> list[SelfTestResult]:
    lines = "".join(f"  - {{{test}}}\n" for test in tests)
    return run(load_untested(Snapshot.of(POLICIES + lines)))


def result(test: str) -> SelfTestResult:
    (only,) = results(test)
    return only


@pytest.mark.parametrize(
    "test",
    [
        "at: 2026-11-27 13:59, service: web, expect: allow",
        "at: 2026-11-27 13:59:59, service: web, expect: allow, next_change: 2026-11-27 14:00",
        "at: 2026-11-27T12:59:59Z, service: web, expect: allow, next_change: 2026-11-27T14:00:00+01:00",
        "at: 2026-11-27 14:00, service: web, expect: deny",
        "at: 2026-11-27 14:00, service: web, expect: deny, by: [friday]",
        "at: 2026-11-28 14:00, service: web, expect: deny, by: [weekend, friday]",
        "at: 2026-11-28 14:00Z, service: web, expect: deny, next_change: 2026-11-30 08:00",
        "at: 2026-11-28 14:00, service: web, environment: staging, expect: allow, next_change: null",
        "at: 2026-11-28 14:00, service: web, change: rollback, expect: allow, by: []",
        "at: 2026-11-26 20:00, service: web, expect: warn, by: [late]",
        "at: 2026-11-27 05:00, service: web, expect: warn, next_change: 2026-11-27 14:00",
        "at: 2026-11-27 13:50, service: web, duration: 10m, expect: allow, next_change: 2026-11-27 13:50:01",
        "at: 2026-11-27 13:50, service: web, duration: PT10M1S, expect: deny, by: [friday]",
        "at: 2026-11-27 14:00, service: api, expect: deny",
    ],
)
def test_a_test_that_says_what_comes_out_passes(test: str) -> None:
    assert result(test).passed, result(test)


@pytest.mark.parametrize(
    ("test", "expected", "got"),
    [
        ("at: 2026-11-27 14:00, service: web, expect: allow", "allow", "deny by [friday]"),
        ("at: 2026-11-26 20:00, service: web, expect: allow", "allow", "warn by [late]"),
        (
            "at: 2026-11-28 14:00, service: web, expect: deny, by: [weekend]",
            "deny by [weekend]",
            "deny by [friday, weekend]",
        ),
        (
            "at: 2026-11-27 14:00, service: web, expect: deny, next_change: null",
            "deny, next change none in sight",
            "deny by [friday], next change 2026-11-30 08:00",
        ),
        (
            "at: 2026-11-26 20:00, service: web, expect: deny, by: [], next_change: 2026-11-27 06:00",
            "deny by [], next change 2026-11-27 06:00",
            "warn by [late], next change 2026-11-27 14:00",
        ),
    ],
)
def test_a_test_that_fails_says_what_it_expected_and_what_it_got(test: str, expected: str, got: str) -> None:
    failed = result(test)
    assert (failed.passed, failed.expected, failed.got) == (False, expected, got)


@pytest.mark.parametrize(
    ("zone", "written", "shown"),
    [
        ("Europe/Amsterdam", "2026-10-25 02:30+02:00", "2026-10-25 02:30+02:00"),
        ("Europe/Amsterdam", "2026-10-25T01:30:00Z", "2026-10-25 02:30+01:00"),
        ("Europe/Amsterdam", "2026-10-25T02:00:01Z", "2026-10-25 03:00:01"),
        ("America/St_Johns", "2026-11-01T04:15:00Z", "2026-11-01 01:45-02:30"),
    ],
)
def test_instants_are_said_as_a_test_may_write_them(zone: str, written: str, shown: str) -> None:
    test = f"  - {{at: 2026-01-01 12:00, service: web, expect: deny, next_change: {written}}}\n"
    policies = POLICIES.replace("timezone: Europe/Amsterdam", f"timezone: {zone}")
    (failed,) = run(load_untested(Snapshot.of(policies + test)))
    assert failed.expected == f"deny, next change {shown}"
    assert parse_moment(shown, wallclock.zone(zone)) == parse_moment(written, wallclock.zone(zone))


def test_a_test_that_has_no_name_is_called_by_what_it_asks() -> None:
    one, two, three = results(
        "at: 2026-11-27 14:00, service: web, expect: deny",
        "at: 2026-11-27 14:00, service: web, change: rollback, environment: staging, expect: allow",
        "at: 2026-11-27 14:00, service: web, name: Friday is closed, expect: deny",
    )
    assert one.name == "web to production at 2026-11-27 14:00"
    assert two.name == "web to staging (rollback) at 2026-11-27 14:00"
    assert three.name == "Friday is closed"


def test_results_come_in_the_order_of_the_file_with_their_lines() -> None:
    found = results(*["at: 2026-11-27 14:00, service: web, expect: deny"] * 3)
    first = POLICIES.count("\n") + 1
    assert [(each.file, each.line, each.column) for each in found] == [
        ("policies.yaml", first + index, 5) for index in range(3)
    ]


def test_only_failures_become_problems() -> None:
    test = "  - {at: 2026-11-27 14:00, service: web, expect: deny}\n"
    lines = test + test.replace("deny", "warn")
    (problem,) = problems_of(run(load_untested(Snapshot.of(POLICIES + lines))))
    assert problem.path == "tests[1]"
    assert problem.message == "this test fails: expected warn, got deny by [friday]"
