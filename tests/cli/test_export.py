import json
from pathlib import Path

import pytest

from app.cli import run

POLICIES = """version: 1
policies:
  - id: friday
    title: T
    reason: R
    exempt: {changes: [rollback]}
    when: [{weekly: {from: fri 14:00, to: mon 08:00}}]
"""
BY_CHANGE = POLICIES.replace("exempt: {changes: [rollback]}", "applies_to: {changes: [hotfix]}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "policies.yaml"
    file.write_text(POLICIES)
    return file


def test_it_prints_windows_and_reports_on_standard_error(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "argocd", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("kind: deny") == 1
    assert printed.err == (
        "friday: differs: Argo CD also stops rollback, which the policy leaves alone\n1 written, 0 refused\n"
    )


def test_gitlab_gets_a_script_or_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    period = {"freeze_start": "0 14 * * 5", "freeze_end": "0 8 * * 1", "cron_timezone": "UTC"}
    assert run(["export", "gitlab", str(file)]) == 0
    assert f"create '{json.dumps(period)}'\n" in capsys.readouterr().out
    assert run(["export", "gitlab", "--json", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == [period]


def test_it_writes_a_file_again(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.ics"
    target.write_text("earlier")
    assert run(["export", "ics", str(file), "--output", str(target), "--days", "7"]) == 0
    assert target.read_bytes().startswith(b"BEGIN:VCALENDAR\r\n")


def test_with_a_refused_policy_nothing_is_written(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(BY_CHANGE)
    target = tmp_path / "out.yaml"
    assert run(["export", "argocd", str(file), "-o", str(target)]) == 1
    assert not target.exists()
    assert capsys.readouterr().err == (
        "friday: refused: it freezes only hotfix, and Argo CD knows no kinds of change\n"
        "1 refused; nothing is written without --partial\n"
    )
    assert run(["export", "argocd", str(file), "-o", str(target), "--partial"]) == 0
    assert "syncWindows: []" in target.read_text()


@pytest.mark.parametrize(
    "options",
    [
        ["export", "jenkins"],
        ["export", "argocd", "--days", "365"],
        ["export", "argocd", "--json"],
        ["export", "gitlab", "--application", "shop"],
        ["export", "ics", "--service", "Shop"],
        ["export", "argocd", "--output", "/dev/null/windows.yaml"],
    ],
)
def test_wrong_usage_is_refused(options: list[str], file: Path) -> None:
    assert run([*options, str(file)]) == 2


def test_what_cannot_be_read_is_undecided(file: Path, tmp_path: Path) -> None:
    assert run(["export", "json", str(tmp_path / "missing.yaml")]) == 3
    assert run(["export", "argocd", str(file), "--environment", "live"]) != 0
