"""Every file in misread/ can be used, and lint says what is easily meant otherwise, and what to write.

Beside each file stands what is expected: each warning, in order, as `line:column: path: the sentence`.
"""

from pathlib import Path

import pytest

from app.cli import run
from app.core.instant import parse_instant
from app.policies.lint.lint import lint
from app.policies.source import Source
from app.yaml.problem import Severity

NOW = parse_instant("2026-11-23T12:00:00Z")

MISREAD = Path(__file__).parent / "misread"
CASES = sorted(MISREAD.glob("*.yaml"))


def warnings_of(path: Path) -> list[str]:
    problems = lint(Source(path).read(), NOW)
    assert all(problem.severity is Severity.WARNING for problem in problems), problems
    told = [str(each).removeprefix(f"{path.name}:").replace("warning: ", "") for each in problems]
    return [each for each in told if "there are no tests" not in each]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_is_easily_meant_otherwise_is_told_with_what_to_write(path: Path) -> None:
    expected = path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    assert warnings_of(path) == expected


def test_there_are_cases() -> None:
    assert len(CASES) >= 10


def test_strict_fails_on_a_misreading_alone(tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    test = "tests: [{at: 2027-01-12 12:00, service: a, expect: deny}]\n"
    file.write_text((MISREAD / "day-of-month-or-week.yaml").read_text() + test)
    assert run(["lint", "--strict", str(file)]) == 1
    file.write_text(file.read_text().replace("8-14 * TUE", "* * TUE#2"))
    assert run(["lint", "--strict", str(file)]) == 0
