"""All that can be said of a set at once: problems, self-tests, and the set itself."""

import pytest

from app.core.instant import parse_instant
from app.policies.lint.lint import examine, lint
from app.policies.source import Snapshot

NOW = parse_instant("2026-11-29T12:00:00Z")
POLICIES = """\
version: 1
policies:
  - {id: a, title: t, reason: r, when: [{weekly: {from: fri 14:00, to: mon 08:00}}]}
  - {id: b, title: t, reason: r, when: [{dates: {from: 2020-01-01, to: 2020-01-02}}]}
tests:
  - {at: 2026-11-27 15:00, service: api, expect: deny}
  - {at: 2026-11-27 15:00, service: api, expect: allow}
"""


class EnoughError(Exception):
    """The work is not wanted any more."""


def test_problems_are_those_of_lint_and_the_tests_come_with_them() -> None:
    snapshot = Snapshot.of(POLICIES)
    examined = examine(snapshot, NOW)
    assert examined.problems == lint(snapshot, NOW)
    assert [each.passed for each in examined.tests] == [True, False]
    assert examined.loaded is not None
    assert examined.loaded.revision == snapshot.revision


def test_a_set_with_errors_runs_no_tests() -> None:
    examined = examine(Snapshot.of(POLICIES.replace("dates", "date")), NOW)
    assert examined.tests == []
    assert examined.loaded is None
    assert [each.line for each in examined.problems] == [4]


def test_the_work_ends_at_each_step_between_two_policies() -> None:
    for steps in range(5):
        done: list[int] = []

        def checkpoint(steps: int = steps, done: list[int] = done) -> None:
            done.append(1)
            if len(done) > steps:
                raise EnoughError

        with pytest.raises(EnoughError):
            examine(Snapshot.of(POLICIES), NOW, checkpoint)
        assert len(done) == steps + 1
