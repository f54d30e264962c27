"""Run a policy file's own tests: ask the engine its questions and compare the answers."""

from collections.abc import Iterable
from typing import NamedTuple

from app.core.decision import Decision, Outcome, Question
from app.core.engine import Engine
from app.core.instant import DAY, MINUTE
from app.core.notation import format_time_of_day, parse_duration
from app.core.policy import SelfTest
from app.core.wallclock import Zone, calendar_date
from app.policies.loaded import LoadedPolicies, PlacedTest
from app.policies.moment import parse_moment
from app.yaml.problem import Problem


class SelfTestResult(NamedTuple):
    """The result of a self-test; `expected` and `got` begin with the outcome: ``deny by [year-end]``."""

    file: str
    name: str
    passed: bool
    expected: str
    got: str
    line: int
    column: int
    path: str

    def to_json(self) -> dict[str, object]:
        """Return the fields that ``freezegate test --json`` shows."""
        return {name: getattr(self, name) for name in ("file", "name", "passed", "expected", "got")}


def run(loaded: LoadedPolicies) -> list[SelfTestResult]:
    """Run every test of a set, in the order of its files."""
    return [_run(placed, loaded) for placed in loaded.tests]


def problems_of(results: Iterable[SelfTestResult]) -> list[Problem]:
    """Return a problem for each failing test, at its position."""
    return [
        Problem(
            result.file,
            result.line,
            result.column,
            result.path,
            f"this test fails: expected {result.expected}, got {result.got}",
        )
        for result in results
        if not result.passed
    ]


def _run(placed: PlacedTest, loaded: LoadedPolicies) -> SelfTestResult:
    test, home = placed.test, placed.zone
    decision = _ask(test, loaded.tested_by(placed.file), home)
    expected, got = _expected(test, home), _got(test, decision, home)
    passed = expected == got
    if not passed:
        got = _got(test, decision, home, names=True)
    return SelfTestResult(
        placed.file, _name(test), passed, expected, got, placed.line, placed.column, placed.path
    )


def _ask(test: SelfTest, engine: Engine, home: Zone) -> Decision:
    question = Question(test.service, test.environment, test.change, parse_duration(test.duration))
    return engine.decide(question, parse_moment(test.at, home))


def _name(test: SelfTest) -> str:
    if test.name is not None:
        return test.name
    kind = "" if test.change == "normal" else f" ({test.change})"
    return f"{test.service} to {test.environment}{kind} at {test.at}"


def _expected(test: SelfTest, home: Zone) -> str:
    """Return the expected answer, formatted like `_got`."""
    instant = None if test.next_change is None else parse_moment(test.next_change, home)
    return _say(test, test.expect, test.by, _moment(instant, home))


def _got(test: SelfTest, decision: Decision, home: Zone, *, names: bool = False) -> str:
    """Return the actual answer, as far as the test expects one; with `names`, also the policies behind it."""
    rules = decision.warnings if decision.outcome is Outcome.WARN else decision.blocking
    ids = [each.rule.id for each in rules]
    return _say(
        test,
        decision.outcome.value,
        ids if test.by is not None or (names and ids) else None,
        _moment(decision.flips_at, home),
    )


def _say(test: SelfTest, outcome: str, by: list[str] | None, next_change: str) -> str:
    text = outcome
    if by is not None:
        text += f" by [{', '.join(sorted(set(by)))}]"
    if "next_change" in test.model_fields_set:
        text += f", next change {next_change}"
    return text


def _moment(instant: int | None, home: Zone) -> str:
    """Write an instant as a test may: a local time, with the offset where it occurs twice."""
    if instant is None:
        return "none in sight"
    local = home.local(instant)
    text = f"{calendar_date(local // DAY)} {format_time_of_day(local % DAY)}"
    if len(home.showing(local)) == 1:
        return text
    ahead = home.offset(instant)
    hours, minutes = divmod(abs(ahead) // MINUTE, 60)
    return f"{text}{'-' if ahead < 0 else '+'}{hours:02}:{minutes:02}"
