import json
from pathlib import Path

import pytest

from app.cli import run
from tests.cli.conftest import CannedServer

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
OF_FILE = ["--policies", "policies.yaml"]
ASKED = ["project", "argocd", *OF_FILE, "--application", "shop-*"]


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
    assert run(["project", "gitlab", *OF_FILE]) == 1
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
    assert run(["project", "argocd", *OF_FILE, "--check", "live.json"]) == 3
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
        ["argocd", "--place", "shop"],
        ["argocd", "--server", "http://127.0.0.1:1"],
    ],
)
def test_wrong_usage_is_refused(options: list[str]) -> None:
    assert run(["project", *options, *OF_FILE]) == 2


def test_octopus_gets_freezes_of_its_projects(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["--project", "Projects-1", "--environment-id", "Environments-2"]
    assert run(["project", "octopus", *OF_FILE, *names, "--days", "7"]) == 0
    freezes = json.loads(capsys.readouterr().out)
    assert freezes
    assert {json.dumps(each["ProjectEnvironmentScope"]) for each in freezes} == {
        '{"Projects-1": ["Environments-2"]}'
    }


def listed(*places: str) -> dict[str, object]:
    """Both answers of a server in one, for it gives the same to both requests."""
    return {
        "projections": [{"target": "argocd", "place": place} for place in places],
        "owner": "gate-eu",
        "windows": [WINDOW | {"description": "gate-eu: T (friday)"}],
        "remarks": [{"policy": "friday", "sentence": "it differs", "refused": False}],
    }


def test_a_server_is_asked_about_its_place(
    server: CannedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(200, listed("shop"))
    asked = ["project", "argocd", "--server", server.url]
    assert run(asked) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["spec"]["syncWindows"][0]["description"] == "gate-eu: T (friday)"
    assert printed.err == "friday: differs: it differs\n"
    theirs = WINDOW | {"description": "freezegate: T (friday)"}
    ours = WINDOW | {"description": "gate-eu: T (friday)"}
    assert run([*asked, "--place", "shop", "--check", project(tmp_path, [theirs, ours])]) == 0


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ([], "the server has no place of argocd"),
        (["shop", "tools"], 'the server has several places of argocd; --place is one of "shop", "tools"'),
    ],
)
def test_one_place_of_several_must_be_named(
    server: CannedServer, places: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(200, listed(*places))
    assert run(["project", "argocd", "--server", server.url]) == 2
    assert why in capsys.readouterr().err


def test_what_the_server_says_itself_is_not_given(server: CannedServer) -> None:
    for option in (["--days", "7"], ["--application", "x"], ["--service", "x"], ["--owner", "x"]):
        assert run(["project", "argocd", "--server", server.url, *option]) == 2


@pytest.mark.parametrize("body", [{}, {"projections": 3}, listed("shop") | {"remarks": [{"x": 1}]}])
def test_another_answer_is_no_projection(
    server: CannedServer, body: object, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply(200, body)
    assert run(["project", "argocd", "--server", server.url]) == 3
    assert "the server's response is not a projection" in capsys.readouterr().err
