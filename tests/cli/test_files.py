"""`lint` and `test`: several paths in one call, each a separate policy set."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from app.cli import run
from app.cli.report import github_annotation
from tests.cli.conftest import POLICIES

FAILING = POLICIES.replace("service: api, expect: allow", "service: api, name: 'a<b & \"c\"', expect: deny")
BROKEN = POLICIES.replace("weekly: {from: fri 14:00", "weekly: {from: fry 14:00")
SUSPICIOUS = "version: 1\ntimezone: UTC\npolicies: []\n"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return _written(tmp_path / "good.yaml", POLICIES)


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    return _written(tmp_path / "failing.yaml", FAILING)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return _written(tmp_path / "broken.yaml", BROKEN)


@pytest.fixture
def suspicious(tmp_path: Path) -> Path:
    return _written(tmp_path / "suspicious.yaml", SUSPICIOUS)


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_lint_has_nothing_against_good_policies(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lint", str(good)]) == 0
    assert capsys.readouterr().out == "OK: no problems found\n"


def test_lint_names_file_line_column_and_key(
    good: Path, broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lint", str(good), str(broken)]) == 1
    first, verdict = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{broken}:8:24: policies[0].when[0].weekly.from: ")
    assert verdict == "1 error, 0 warnings"


def test_lint_lets_warnings_pass_unless_it_is_strict(suspicious: Path) -> None:
    assert run(["lint", str(suspicious)]) == 0
    assert run(["lint", str(suspicious), "--strict"]) == 1


def test_lint_json_lists_the_problems(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lint", str(broken), "--json"]) == 1
    [problem] = json.loads(capsys.readouterr().out)
    assert problem["file"] == str(broken)
    assert (problem["line"], problem["column"], problem["severity"]) == (8, 24, "error")


def test_lint_annotates_in_github_actions(
    broken: Path, suspicious: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    run(["lint", str(broken), str(suspicious)])
    said = capsys.readouterr().out
    assert f"\n::error file={broken},line=8,col=24::policies[0].when[0].weekly.from: " in said
    assert f"\n::warning file={suspicious},line=" in said


def test_an_annotation_is_escaped_as_the_runner_reads_it() -> None:
    line = github_annotation("error", "a,b:c%.yaml", (1, 2), "50%\r\n::set-env::")
    assert line == "::error file=a%2Cb%3Ac%25.yaml,line=1,col=2::50%25%0D%0A::set-env::"


def test_a_path_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    assert run(["lint", str(tmp_path / "none.yaml")]) == 2
    assert run(["test", str(tmp_path / "none.yaml")]) == 2


def test_tests_that_pass_are_told(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", str(good)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok    api to production at 2026-11-27 13:59",
        "ok    api to production at 2026-11-27 14:00",
        "2 passed, 0 failed",
    ]


def test_a_test_that_fails_says_where_and_how(failing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", str(failing), "--github"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f'FAIL  {failing}:16:5: a<b & "c"'
    assert said[1] == "      expected deny, got allow"
    assert said[2] == f'::error file={failing},line=16,col=5::a<b & "c": expected deny, got allow'
    assert said[-1] == "1 passed, 1 failed"


def test_json_lists_every_test_of_every_path(
    good: Path, failing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["test", "--json", str(good), str(failing)]) == 1
    listed = json.loads(capsys.readouterr().out)
    assert [(each["file"], each["passed"]) for each in listed] == [
        (str(good), True),
        (str(good), True),
        (str(failing), False),
        (str(failing), True),
    ]
    assert listed[2] == {
        "file": str(failing),
        "name": 'a<b & "c"',
        "passed": False,
        "expected": "deny",
        "got": "allow",
    }


def test_policies_that_can_not_be_used_fail_as_one_test(
    good: Path, broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["test", "--json", str(broken), str(good)]) == 1
    listed = json.loads(capsys.readouterr().out)
    assert [each["passed"] for each in listed] == [False, True, True]
    assert listed[0]["got"].startswith(f"{broken}:8:24: ")
    assert run(["test", str(broken), str(good)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 1 failed"


def test_a_folder_is_one_set_and_its_files_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    _written(folder / "policies.yaml", POLICIES)
    assert run(["test", "--json", str(folder)]) == 0
    assert {each["file"] for each in json.loads(capsys.readouterr().out)} == {str(folder / "policies.yaml")}


def test_junit_has_a_suite_a_file_and_says_what_failed(good: Path, failing: Path, tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    assert run(["test", str(good), str(failing), "--junit", str(report)]) == 1
    suites = ET.parse(report).getroot()  # noqa: S314 - our own file
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in suites] == [
        (str(good), "2", "0"),
        (str(failing), "2", "1"),
    ]
    [failed] = suites.iter("failure")
    assert failed.get("message") == "expected deny, got allow"
    assert suites[1][0].get("name") == 'a<b & "c"'


def test_a_report_that_can_not_be_written_is_wrong_usage(good: Path, tmp_path: Path) -> None:
    assert run(["test", str(good), "--junit", str(tmp_path / "none" / "junit.xml")]) == 2
