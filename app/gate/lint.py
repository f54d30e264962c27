"""Lint a candidate and run its self-tests, as ``freezegate lint`` and ``freezegate test`` do."""

from collections.abc import Callable
from typing import Any, Final

from app.gate.candidate import with_events
from app.gate.errors import BusyError
from app.gate.in_force import InForce
from app.gate.job_queue import IsUnwanted
from app.policies.lint.lint import Examined, examine
from app.policies.source import Snapshot
from app.yaml.problem import Severity

MOST_TESTS: Final = 1_000
"""Test results of a candidate that are shown, failures first."""


def examine_candidate(
    candidate: Snapshot, in_force: InForce, now: int, is_unwanted: IsUnwanted = lambda: False
) -> Examined:
    """Lint a candidate and run its tests, with the events in force of its calendars by URL.

    Raises:
        BusyError: the result is no longer wanted.
    """
    return examine(with_events(candidate, in_force), now, checkpoint_of(is_unwanted))


def checkpoint_of(is_unwanted: IsUnwanted) -> Callable[[], None]:
    """Return a function that raises `BusyError` once the result of a check is unwanted."""

    def checkpoint() -> None:
        if is_unwanted():
            raise BusyError("the check of these policies was stopped")

    return checkpoint


def lint_candidate(
    candidate: Snapshot, in_force: InForce, now: int, is_unwanted: IsUnwanted = lambda: False
) -> dict[str, Any]:
    """Return the problems and test results of a candidate as JSON.

    Raises:
        BusyError: the result is no longer wanted.
    """
    examined = examine_candidate(candidate, in_force, now, is_unwanted)
    errors = sum(each.severity is Severity.ERROR for each in examined.problems)
    shown = sorted(examined.tests, key=lambda each: each.passed)[:MOST_TESTS]
    return {
        "usable": not errors,
        "problems": [each.to_json() for each in examined.problems],
        "tests": [each.to_json() for each in shown],
        "passed": sum(each.passed for each in examined.tests),
        "failed": sum(not each.passed for each in examined.tests),
        "policy_revision": in_force.revision,
    }
