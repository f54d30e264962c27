import json
from pathlib import Path

import pytest

from app.cli import run

POLICIES = """version: 1
policies:
  - id: friday
    title: No deploys on Friday
    reason: R
    exempt: {changes: [rollback]}
    when: [{weekly: {from: fri 14:00, to: mon 08:00}}]
"""
DIFFERS = "friday: differs: Argo CD also stops rollback, which the policy leaves alone\n"
WINDOW = {
    "kind": "deny",
    "schedule": "0 14 * * 5",
    "duration": "66h",
    "timeZone": "UTC",
    "applications": ["shop-*"],
    "description": "freezegate: No deploys on Friday (friday)",
}
ASKED = ["project", "argocd", "--application", "shop-*"]


@pytest.fixture(autouse=True)
def _policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    monkeypatch.chdir(tmp_path)


def project(tmp_path: Path, windows: object) -> str:
    file = tmp_path / "live.json"
    file.write_text(json.dumps({"kind": "AppProject", "spec": {"syncWindows": windows}}))
    return str(file)


def test_it_prints_what_the_api_takes_and_reports_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(ASKED) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"spec": {"syncWindows": [WINDOW]}}
    assert printed.err == DIFFERS


def test_a_project_as_it_should_be_passes_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = {"kind": "allow", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}
    assert run([*ASKED, "--check", project(tmp_path, [mine, WINDOW])]) == 0
    assert capsys.readouterr().out == "OK: the target is as it should be\n"


def test_what_is_missing_or_too_much_fails_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = WINDOW | {"schedule": "0 15 * * 5"}
    assert run([*ASKED, "--check", project(tmp_path, [late])]) == 1
    missing, surplus = capsys.readouterr().out.splitlines()
    assert missing.startswith("missing: {")
    assert "0 14 * * 5" in missing
    assert "0 15 * * 5" in surplus
    assert surplus.startswith("surplus: ")


def test_a_refused_policy_fails_but_the_rest_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policies.yaml").write_text(POLICIES.replace("exempt:", "applies_to:"))
    assert run(["project", "gitlab"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out) == []
    assert printed.err == "friday: refused: it freezes only rollback, and GitLab knows no kinds of change\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [("[", "the file to compare with is no JSON"), ("{}", "there is no AppProject in it")],
)
def test_something_else_can_not_be_compared(
    text: str, error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "live.json").write_text(text)
    assert run(["project", "argocd", "--check", "live.json"]) == 3
    assert error in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["jenkins"],
        ["gitlab", "--application", "shop"],
        ["octopus"],
        ["octopus", "--project", "Projects-1"],
        ["argocd", "--environment-id", "Environments-1"],
        ["argocd", "--days", "361"],
        ["argocd", "--owner", "A b"],
    ],
)
def test_wrong_usage_is_refused(options: list[str]) -> None:
    assert run(["project", *options]) == 2


def test_octopus_gets_freezes_of_its_projects(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["--project", "Projects-1", "--environment-id", "Environments-2"]
    assert run(["project", "octopus", *names, "--days", "7"]) == 0
    freezes = json.loads(capsys.readouterr().out)
    assert freezes
    assert {json.dumps(each["ProjectEnvironmentScope"]) for each in freezes} == {
        '{"Projects-1": ["Environments-2"]}'
    }
