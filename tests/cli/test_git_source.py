"""Policies in a git revision: files and folders, with their calendars, by the real program."""

import subprocess
from pathlib import Path

import click
import pytest

from app.cli import git_source
from app.cli.errors import UndecidedError
from app.cli.git_source import GitSource, Revision
from app.policies.source import Snapshot
from app.yaml.problem import Problem

EMPTY = "version: 1\npolicies: []\n"
NAMING = (
    "version: 1\npolicies:\n  - id: fair\n    title: Fair\n    reason: Busy\n    when:\n"
    "      - icalendar: {file: days/fair.ics}\n"
)


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"]
    ran = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return ran.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a file, a folder, links and a calendar; its working tree is empty."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "conf" / "days").mkdir(parents=True)
    (folder / "policies.yaml").write_text(EMPTY)
    (folder / "conf" / "a.yaml").write_text(NAMING)
    (folder / "conf" / "b.yaml").write_text(EMPTY)
    (folder / "conf" / "notes.txt").write_text("none of ours")
    (folder / "conf" / "days" / "fair.ics").write_text("BEGIN:VCALENDAR\n")
    (folder / "conf" / "wide.bin").write_bytes(b"x" * 3_000_000)
    (folder / "link.yaml").symlink_to("policies.yaml")
    (folder / "linked").symlink_to("conf")
    (folder / "outside.yaml").symlink_to("/etc/passwd")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    for each in ("policies.yaml", "link.yaml"):
        (folder / each).unlink()
    return folder


@pytest.fixture
def here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository)
    return repository


def source(text: str) -> GitSource:
    revision = Revision.parse(text)
    assert revision is not None
    return GitSource(revision)


def read(text: str) -> Snapshot:
    return source(text).read()


@pytest.mark.usefixtures("here")
def test_a_file_is_read_from_its_revision_and_not_from_the_disk() -> None:
    for text in ("git:main:policies.yaml", "git:HEAD:./policies.yaml", "git:main:link.yaml"):
        snapshot = read(text)
        assert list(snapshot.policies.values()) == [EMPTY]
        assert snapshot.problems == ()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("path", ["conf", "conf/", "./conf", "linked"])
def test_a_folder_is_read_with_its_calendars(path: str) -> None:
    snapshot = read(f"git:HEAD:{path}")
    assert dict(snapshot.policies) == {"a.yaml": NAMING, "b.yaml": EMPTY}
    assert dict(snapshot.calendars) == {"days/fair.ics": "BEGIN:VCALENDAR\n"}


def test_paths_are_those_of_git_also_below_the_root(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "conf")
    assert list(read("git:HEAD:./a.yaml").policies) == ["a.yaml"]
    assert list(read("git:HEAD:../policies.yaml").policies) == ["policies.yaml"]
    assert list(read("git:HEAD:conf/a.yaml").policies) == ["a.yaml"]
    assert len(read("git:HEAD:.").policies) == len(read("git:HEAD:").policies)
    with pytest.raises(click.UsageError, match="outside of the repository"):
        source("git:HEAD:../../policies.yaml")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("path", ["gone.yaml", "policies.yaml/x", "outside.yaml", "conf/gone/x.yaml"])
def test_what_the_revision_does_not_have_is_a_problem(path: str) -> None:
    missing = source(f"git:HEAD:{path}")
    assert not missing.exists
    (problem,) = missing.read().problems
    assert str(missing.shown(problem)) == f"git:HEAD:{path}:1:1: there is no such file"


@pytest.mark.usefixtures("here")
def test_problems_name_the_file_as_it_was_given() -> None:
    problem = Problem("a.yaml", 3, 1, "", "wrong")
    assert source("git:HEAD:conf").shown(problem).file == "git:HEAD:conf/a.yaml"
    assert source("git:HEAD:conf/a.yaml").shown(problem).file == "git:HEAD:conf/a.yaml"
    assert source("git:HEAD:conf/b.yaml").shown(problem).file == "git:HEAD:conf/a.yaml"


@pytest.mark.usefixtures("here")
def test_a_large_file_is_cut_where_the_reader_stops() -> None:
    commit = git(Path(), "rev-parse", "HEAD")
    with git_source._GitObjects(commit) as objects:
        assert objects.blob("conf/wide.bin", 10) == b"x" * 10
        assert objects.blob("policies.yaml", 1000) == EMPTY.encode()
        assert objects.blob("conf", 10) is None
        assert objects.kind("outside.yaml") == objects.kind("loop.yaml") == "missing"
        assert objects.kind("a 7 b.yaml") == objects.kind("a 7") == "missing"
        assert objects.kind("policies.yaml") == "blob"
        with pytest.raises(FileNotFoundError):
            objects.blob("a\nb", 10)


@pytest.mark.parametrize("text", ["git:main", "git::policies.yaml", "git:-x:p.yaml", "git:a\tb:p.yaml"])
def test_what_is_no_revision_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.UsageError, match="write git:REVISION:PATH"):
        Revision.parse(text)


@pytest.mark.parametrize("text", ["policies.yaml", "conf/", "./git:main:policies.yaml"])
def test_other_paths_are_left_alone(text: str) -> None:
    assert Revision.parse(text) is None


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["origin/main", "v1.0", "0" * 40, "main..HEAD", "$(touch pwned)"])
def test_a_revision_that_is_not_here_says_how_to_fetch_it(name: str, here: Path) -> None:
    with pytest.raises(click.UsageError, match="in a shallow clone, fetch it first"):
        source(f"git:{name}:policies.yaml")
    assert not (here / "pwned").exists()


def test_outside_of_a_repository_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for text in ("git:HEAD:policies.yaml", "git:HEAD:./policies.yaml"):
        with pytest.raises(click.UsageError, match="git: not a git repository"):
            source(text)


def test_without_the_program_nothing_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UndecidedError, match="git can't be run"):
        source("git:HEAD:policies.yaml")


def test_a_git_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(git_source, "_WITHIN", 0.1)
    with pytest.raises(UndecidedError, match="did not answer within"):
        source("git:HEAD:policies.yaml")


@pytest.mark.usefixtures("here")
def test_a_git_that_dies_is_no_missing_file() -> None:
    with git_source._GitObjects(git(Path(), "rev-parse", "HEAD")) as objects:
        objects._process.kill()
        objects._process.wait()
        with pytest.raises(UndecidedError, match="ended too soon"):
            objects.kind("policies.yaml")
