"""What `freezegate history` prints, from canned answers of a server."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.cli import git_history, run
from app.policies.source import Snapshot
from tests.cli.conftest import CannedServer

LOAD: dict[str, Any] = {
    "revision": "sha256:3f9ac02b" + "0" * 56,
    "from": "2026-11-27T13:00:00Z",
    "until": None,
    "cause": "change",
    "host": "gate-7f9c",
    "since": "sha256:" + "1" * 64,
    "problem": None,
}
CHANGED = {"kind": "changed", "id": "friday", "new_id": None, "fields": ["when", "reason"]}
RENAMED = {"kind": "renamed", "id": "lunch", "new_id": "noon", "fields": []}
NOTHING: dict[str, Any] = {"policies": [], "more_policies": 0, "keys": [], "files": []}
ALL = {**LOAD, **NOTHING, "policies": [CHANGED, RENAMED], "keys": ["services"]}


class Shell:
    """Runs `freezegate history` against a canned server."""

    def __init__(self, server: CannedServer, capsys: pytest.CaptureFixture[str]) -> None:
        self._server, self._capsys = server, capsys
        self.err = ""

    def __call__(self, entries: object, *more: str, status: int = 200, next_page: str | None = None) -> str:
        self._server.reply(status, {"revisions": entries, "next": next_page})
        options = ("--server", self._server.url, "--timezone", "Europe/Amsterdam", *more)
        self.exit_status = run(["history", *options])
        out, self.err = self._capsys.readouterr()
        return out

    @property
    def asked(self) -> list[str]:
        return [each.path for each in self._server.received]


@pytest.fixture
def shell(server: CannedServer, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(server, capsys)


def test_a_line_says_what_was_in_force_who_loaded_it_and_what_changed(shell: Shell) -> None:
    older = {**ALL, "until": "2026-11-27T13:00:00Z", "cause": None, "host": None, "since": None}
    head, first, second = shell([ALL, older]).splitlines()
    assert head.split() == ["FROM", "UNTIL", "REVISION", "LOADED", "BY", "CHANGED"]
    assert first.split("  ")[0] == "2026-11-27T14:00:00+01:00"
    assert "in force" in first
    assert "sha256:3f9ac02b  change of the files, gate-7f9c  " in first
    assert first.endswith("friday changed: when, reason; lunch renamed to noon; services changed")
    assert second.endswith("the record begins")
    assert "2026-11-27T14:00:00+01:00  2026-11-27T14:00:00+01:00" in second


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"policies": [CHANGED] * 6, "more_policies": 2}, "; friday changed: when, reason; and 4 more"),
        ({"files": [{"name": "policies.yaml", "kind": "changed"}]}, "no policy (policies.yaml changed)"),
        ({}, "time zone or holiday data"),
        (
            {"problem": "this version does not accept it: \x1b[31m"},
            "not known: this version does not accept it:",
        ),
    ],
)
def test_a_line_names_few_changes_and_says_where_there_are_none(
    shell: Shell, entry: dict[str, Any], words: str
) -> None:
    line = shell([{**LOAD, **NOTHING, **entry}]).splitlines()[1]
    assert words in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("policy", "change", "words"),
    [
        ("friday", CHANGED, "changed: when, reason"),
        ("noon", RENAMED, "renamed from lunch"),
        ("lunch", {**RENAMED, "fields": ["title"]}, "renamed to noon, and changed: title"),
        ("lunch", {**CHANGED, "kind": "removed", "fields": []}, "removed"),
    ],
)
def test_the_history_of_one_policy_says_what_changed_of_it(
    shell: Shell, policy: str, change: dict[str, Any], words: str
) -> None:
    (line,) = shell([{**LOAD, "change": change}], policy).splitlines()[1:]
    assert line.endswith(f"  {words}")
    assert ("in force" in line) is (policy != "lunch")
    assert shell.asked == [f"/policies/{policy}/history?limit=20"]


def test_pages_are_followed_up_to_the_limit(shell: Shell) -> None:
    found = json.loads(shell([ALL], "--limit", "3", "--json", next_page="17"))
    assert len(found) == 3
    assert shell.asked == [
        "/policy-revisions?limit=3",
        "/policy-revisions?limit=2&cursor=17",
        "/policy-revisions?limit=1&cursor=17",
    ]
    shell([ALL], "--limit", "1", next_page="17")
    assert shell.err == "Older entries are left out; show more with --limit 2.\n"


@pytest.mark.parametrize(
    ("entries", "status", "exits"), [("none", 200, 3), ([], 404, 3), ([], 500, 3), ([], 200, 0)]
)
def test_an_answer_that_is_no_list_decides_nothing(
    shell: Shell, entries: object, status: int, exits: int
) -> None:
    shell(entries, status=status)
    assert shell.exit_status == exits


def test_a_policy_that_can_be_none_is_wrong_usage(shell: Shell) -> None:
    shell([], "NOT-AN-ID")
    assert (shell.exit_status, shell.asked) == (2, [])


LINES = ["changed: friday", "checkout in production:", "  opens Fri 4 Dec 14:00 CET to \x1b[31m15:00"]


def compared(server: CannedServer, *more: str, body: object = None) -> int:
    server.reply(200, {"in_words": LINES} if body is None else body)
    return run(["history", "--diff", "sha256:3f9ac02b", "b7d1", "--server", server.url, *more])


def test_two_revisions_are_compared_by_the_server(
    server: CannedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(server) == 0
    assert server.received[0].path == "/policy-revisions/sha256:3f9ac02b/diff/b7d1"
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == LINES[:2]
    assert out[2].startswith("  opens Fri 4 Dec 14:00 CET to ")
    assert "\x1b" not in out[2]
    assert compared(server, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"in_words": LINES}
    assert compared(server, body={"in_words": "none"}) == 3


@pytest.mark.parametrize("text", ["abc", "HEAD", "../status", "sha256:"])
def test_what_is_no_revision_is_not_asked_for(server: CannedServer, text: str) -> None:
    assert run(["history", "--diff", "sha256:3f9ac02b", text, "--server", server.url]) == 2
    assert server.received == []


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A repository whose policies were changed and put back, and the revisions of its commits."""
    folder, revisions = tmp_path_factory.mktemp("repository"), []
    git(folder, "init", "-q")
    for number, text in enumerate((FRIDAY, FRIDAY + "# x\n", FRIDAY)):
        (folder / "policies.yaml").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "-qm", f"Change {number}", date=f"2026-11-2{number}T12:00:00Z")
        revisions.append(Snapshot.of(text).revision)
    return folder, revisions


FRIDAY = "version: 1\npolicies: []\n"


def git(folder: Path, *arguments: str, date: str = "") -> None:
    settings = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    environment = {**os.environ, "GIT_COMMITTER_DATE": date} if date else None
    subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, env=environment)


def test_the_commit_of_each_load_is_named_with_its_author(
    shell: Shell, commits: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, (first, second, _) = commits
    monkeypatch.chdir(folder)
    entries = [
        {**ALL, "revision": first, "from": "2026-11-23T12:00:00Z"},
        {**ALL, "revision": second, "from": "2026-11-21T12:00:10Z"},
        {**ALL, "revision": first, "from": "2026-11-20T12:00:10Z"},
        {**ALL, "revision": first, "from": "2026-11-01T12:00:00Z"},
        {**ALL, "revision": "sha256:" + "0" * 64},
    ]
    head, *lines = shell(entries, "--git", "policies.yaml").splitlines()
    assert "COMMIT" in head
    told = [line.split("  ")[3].partition(" ")[2] for line in lines]
    assert told == ["Ada: Change 2", "Ada: Change 1", "Ada: Change 0", "Ada: Change 0", "in git"]
    found = json.loads(shell(entries[1:2], "--git", "policies.yaml", "--json"))[0]["commit"]
    assert (found["author"], found["at"], len(found["hash"])) == ("Ada", "2026-11-21T12:00:00Z", 40)
    assert json.loads(shell(entries[4:], "--git", "policies.yaml", "--json"))[0]["commit"] is None


def test_a_subject_may_hold_what_ends_a_line_elsewhere(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "policies.yaml").write_text(FRIDAY)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "One\x0ctwo\u2028three", date="2026-11-20T12:00:00Z")
    git(tmp_path, "config", "log.showSignature", "true")
    monkeypatch.chdir(tmp_path)
    entry = {**ALL, "revision": Snapshot.of(FRIDAY).revision}
    found = json.loads(shell([entry], "--git", "policies.yaml", "--json"))[0]["commit"]
    assert found["subject"] == "One\x0ctwo\u2028three"


def test_files_put_back_are_of_the_commit_before_each_load(
    shell: Shell, commits: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, (first, *_) = commits
    monkeypatch.chdir(folder)
    entries = [{**ALL, "revision": first, "from": f"2026-11-2{day}T12:00:10Z"} for day in (5, 0)]
    lines = shell(entries, "--git", str(folder / "policies.yaml")).splitlines()[1:]
    assert ["Change 2" in lines[0], "Change 0" in lines[1]] == [True, True]


def test_only_so_many_commits_are_read_and_none_that_is_not_needed(
    shell: Shell, commits: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, (first, *_) = commits
    monkeypatch.chdir(folder)
    monkeypatch.setattr(git_history, "MOST_COMMITS", 2)
    entry = {**ALL, "revision": first, "from": "2026-11-01T12:00:00Z"}
    assert "Ada: Change 2" in shell([entry], "--git", "policies.yaml")
    assert "Ada: Change 2" in shell([entry], "--git", ".")


def test_files_outside_of_a_repository_are_wrong_usage(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies.yaml").write_text(FRIDAY)
    shell([ALL], "--git", "policies.yaml")
    assert shell.exit_status == 2
    assert "git: not a git repository" in shell.err
