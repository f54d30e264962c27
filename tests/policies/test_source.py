import hashlib
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.errors import MalformedValueError
from app.policies.folder import OpenFolder
from app.policies.source import POLL, Snapshot, Source
from app.yaml.problem import PolicyFileError, Severity
from app.yaml.syntax import LARGEST
from tests.api.fakes import FakeClock

TEXT = "version: 1\npolicies: []\n"
WITH_CALENDAR = """version: 1
policies:
  - id: team-days
    title: No deploys on team days
    reason: Nobody is there.
    when:
      - icalendar: {file: team/days.ics}
    except_when:
      - icalendar: {file: "except.ics"}
"""


def problems(source: Source) -> list[str]:
    return [str(problem) for problem in source.read().problems]


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_bytes("\ufeffversion: 1\r\n# é\r\n".encode())
    snapshot = Source(path).read()
    assert snapshot.policies == {"rules.yaml": "\ufeffversion: 1\r\n# é\r\n"}
    assert snapshot.problems == ()


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "notes.txt", ".hidden.yaml", "c.yaml"):
        (tmp_path / name).write_text(f"# {name}\n")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "d.yaml").write_text("# d\n")
    assert list(Source(tmp_path).read().policies) == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_file_that_seems_meant_but_is_not_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "b.yml").write_text(TEXT)
    (problem,) = Source(tmp_path).read().problems
    assert (problem.file, problem.severity) == ("b.yml", Severity.WARNING)


def test_policy_files_of_folders_below_and_of_other_endings_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "D.YAML").write_text(TEXT)
    for name in ("team/b.yaml", "calendars/c.ics", ".git/d.yaml", "empty/.e.yaml"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(TEXT)
    snapshot = Source(tmp_path).read()
    assert list(snapshot.policies) == ["a.yaml"]
    assert [(each.file, each.severity, each.message) for each in snapshot.problems] == [
        ("D.YAML", Severity.WARNING, "this file is not read: only names that end in .yaml are"),
        (
            "team",
            Severity.WARNING,
            "the *.yaml files of this folder are not read: move them up, or elsewhere",
        ),
    ]


def test_a_folder_without_policy_files_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    assert problems(Source(tmp_path)) == [f"{tmp_path.name}:1:1: there is no *.yaml file in this folder"]


def test_what_can_not_be_read_is_a_problem_not_an_exception(tmp_path: Path) -> None:
    assert problems(Source(tmp_path / "none.yaml")) == ["none.yaml:1:1: there is no such file"]
    assert problems(Source(tmp_path / "none" / "none.yaml")) == ["none.yaml:1:1: there is no such file"]
    assert problems(Source("a\0b")) == ["a\0b:1:1: there is no such file"]
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    assert "can't be read" in problems(Source(tmp_path / "loop.yaml"))[0]
    (tmp_path / "folder.yaml").mkdir()
    assert problems(Source(tmp_path)) == [
        "folder.yaml:1:1: this is not a file",
        "loop.yaml:1:1: the file can't be read: Too many levels of symbolic links",
    ]
    assert problems(Source("/dev/zero")) == ["zero:1:1: this is not a file"]


def test_a_file_in_another_encoding_is_refused_where_it_begins_to_differ(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_bytes("version: 1\n# é\n# caf".encode() + b"\xe9\n")
    assert problems(Source(path)) == ["policies.yaml:3:6: the file is not UTF-8 from here on"]
    path.write_bytes(TEXT.encode("utf-16"))
    assert problems(Source(path)) == ["policies.yaml:1:1: the file is UTF-16; save it as UTF-8"]


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_bytes(b"#" * LARGEST)
    assert problems(Source(path)) == []
    path.write_bytes(b"#" * (LARGEST + 1))
    assert problems(Source(path)) == ["policies.yaml:1:1: the file is larger than 16 MiB"]


def test_the_calendars_that_policies_name_belong_to_the_snapshot(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(WITH_CALENDAR)
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "days.ics").write_text("BEGIN:VCALENDAR")
    snapshot = Source(tmp_path / "policies.yaml").read()
    assert snapshot.calendars == {"team/days.ics": "BEGIN:VCALENDAR"}
    assert snapshot.calendar("team/days.ics") == "BEGIN:VCALENDAR"
    assert snapshot.unreadable == {"except.ics": "there is no such file"}
    with pytest.raises(MalformedValueError, match="there is no such file"):
        snapshot.calendar("except.ics")


@pytest.mark.parametrize(
    "name", ["../x.ics", "a/../../x.ics", "/etc/passwd", "a\\..\\x.ics", "c:x", "", ".", "a\0"]
)
def test_a_calendar_outside_of_the_folder_is_never_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.ics").write_text("secret")
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "policies.yaml").write_text(
        WITH_CALENDAR.replace("team/days.ics", json.dumps(name).replace("\\u0000", ""))
    )
    snapshot = Source(folder).read()
    assert snapshot.calendars == {}
    with pytest.raises(MalformedValueError):
        snapshot.calendar(name)


def test_a_calendar_that_no_policy_names_is_not_there() -> None:
    with pytest.raises(MalformedValueError, match=r'there is no file "a\.ics"'):
        Snapshot.of(TEXT).calendar("a.ics")


def test_the_revision_is_what_sha256sum_says(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("# b é\n", encoding="utf-8")
    (tmp_path / "a.yaml").write_text("\ufeff# a\r\n", encoding="utf-8")
    listing = subprocess.run(
        ["sha256sum", "a.yaml", "b.yaml"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert Source(tmp_path).read().revision == f"sha256:{hashlib.sha256(listing).hexdigest()}"


def test_every_change_to_a_file_that_is_used_changes_the_revision(tmp_path: Path) -> None:
    policies, calendar = tmp_path / "policies.yaml", tmp_path / "except.ics"
    source = Source(policies)
    seen = [source.fingerprint()]
    changes: list[Callable[[], int]] = [
        lambda: policies.write_text(TEXT),
        lambda: policies.write_text(WITH_CALENDAR),
        lambda: calendar.write_text("A"),
        lambda: calendar.write_text("B"),
        lambda: policies.write_bytes(b"\xff"),
        lambda: policies.write_text(WITH_CALENDAR + "# more\n"),
    ]
    for change in changes:
        change()
        seen.append(source.fingerprint())
        assert source.fingerprint() == seen[-1]
    assert len(set(seen)) == len(changes) + 1
    calendar.write_text("A")
    policies.write_text(WITH_CALENDAR)
    assert source.fingerprint() == seen[3]


def test_the_name_of_a_file_belongs_to_the_revision() -> None:
    assert Snapshot.of(TEXT, "a.yaml").revision != Snapshot.of(TEXT, "b.yaml").revision


def test_a_snapshot_survives_being_kept_as_json() -> None:
    snapshot = Snapshot({"b.yaml": "# é\r\n", "a.yaml": TEXT}, {"x.ics": "\u2028"})
    again = Snapshot.from_json(snapshot.to_json())
    assert again.revision == snapshot.revision
    assert (again.policies, again.calendars) == (snapshot.policies, snapshot.calendars)
    assert again.to_json() == snapshot.to_json()


def test_a_folder_deleted_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Kubernetes does it: the link is exchanged, and the files that it led to are deleted."""
    old, new = version(tmp_path, "old", {"a.yaml": "old", "b.yaml": "old"}), tmp_path / "new"
    version(tmp_path, "new", {"a.yaml": TEXT, "b.yaml": TEXT})
    folder = mounted(tmp_path, old)
    real_read = OpenFolder.read

    def read_then_swap(self: OpenFolder, name: str, most: int) -> object:
        found = real_read(self, name, most)
        if old.exists():
            swap(folder, new)
            shutil.rmtree(old)
        return found

    monkeypatch.setattr(OpenFolder, "read", read_then_swap)
    assert Source(folder).read().policies == {"a.yaml": TEXT, "b.yaml": TEXT}


def version(folder: Path, name: str, texts: dict[str, str]) -> Path:
    """A folder with these files, as one version of a ConfigMap."""
    made = folder / name
    for file, text in texts.items():
        (made / file).parent.mkdir(parents=True, exist_ok=True)
        (made / file).write_text(text)
    return made


def mounted(folder: Path, target: Path) -> Path:
    """A folder as Kubernetes mounts it: each name is a link through ``..data``."""
    mount = folder / "mount"
    mount.mkdir()
    (mount / "..data").symlink_to(target)
    for each in target.iterdir():
        (mount / each.name).symlink_to(Path("..data", each.name))
    return mount


def swap(mount: Path, target: Path, link: str = "..data") -> None:
    """Exchange a link in one step."""
    (mount / "..tmp").symlink_to(target)
    (mount / "..tmp").rename(mount / link)


@pytest.mark.parametrize(
    "layout", ["config map", "config map, one file", "link to a folder", "links of our own"]
)
def test_a_look_never_mixes_two_versions(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two files, the other version is put in place: there is one in force, or the other."""
    named = "policies: [{when: [{icalendar: {file: x/days.ics}}, {icalendar: {file: more.ics}}]}]"
    texts = {"a.yaml": named, "x/days.ics": "days", "more.ics": "more"}
    if layout in ("config map", "link to a folder"):
        texts["b.yaml"] = "#"
    versions = [
        version(tmp_path, name, {file: f"{text} # {name}" for file, text in texts.items()})
        for name in ("one", "two")
    ]
    mount, link = mounted(tmp_path, versions[0]), "..data"
    path = mount
    if layout == "config map, one file":
        path = mount / "a.yaml"
    elif layout == "link to a folder":
        mount, link, path = tmp_path, "current", tmp_path / "current"
        (mount / link).symlink_to(versions[0])
    elif layout == "links of our own":
        (mount / "..data").rename(mount / "live")
        link = "live"
        for each in ("a.yaml", "x", "more.ics"):
            (mount / each).unlink()
            (mount / each).symlink_to(Path("live", each))
    real_read, turns = OpenFolder.read, itertools.cycle(reversed(versions))

    def read_then_swap(self: OpenFolder, name: str, most: int) -> object:
        found = real_read(self, name, most)
        swap(mount, next(turns), link)
        return found

    monkeypatch.setattr(OpenFolder, "read", read_then_swap)
    source = Source(path)
    for _ in range(4):
        snapshot = source.read()
        read = {**snapshot.policies, **snapshot.calendars}
        assert set(read) == set(texts)
        assert len({text.rpartition(" ")[2] for text in read.values()}) == 1


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    assert problems(Source(tmp_path)) == ["a.yaml:1:1: this is not a file"]


def test_a_set_is_bounded_in_files_and_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.policies.source.MOST_FILES", 2)
    monkeypatch.setattr("app.policies.source.LARGEST_SET", 2**20)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_bytes(b"#" * 600_000)
    assert problems(Source(tmp_path)) == ["b.yaml:1:1: the files of this set hold more than 1 MiB together"]
    (tmp_path / "c.yaml").write_text(TEXT)
    assert problems(Source(tmp_path)) == [
        f"{tmp_path.name}:1:1: there are 3 *.yaml files in this folder; 2 are the most"
    ]


def test_a_start_takes_old_files_at_once_and_looks_twice_at_fresh_ones(tmp_path: Path) -> None:
    path, now = tmp_path / "policies.yaml", 1_795_784_700
    clock = FakeClock(now)
    pauses: list[float] = []
    path.write_text(TEXT)
    os.utime(path, (now - 1, now - 1))
    assert Source(path).read_settled(clock, pauses.append).policies == {"policies.yaml": TEXT}
    assert pauses == []
    path.write_text(TEXT[:10])

    def go_on_writing(seconds: float) -> None:
        pauses.append(seconds)
        path.write_text(TEXT[: 10 + 5 * len(pauses)])
        os.utime(path, (now, now))

    os.utime(path, (now, now))
    assert Source(path).read_settled(clock, go_on_writing).policies == {"policies.yaml": TEXT}
    assert pauses == [POLL] * 4

    def never_stop(seconds: float) -> None:
        pauses.append(seconds)
        path.write_text(f"{TEXT}# {len(pauses)}")

    with pytest.raises(PolicyFileError, match="the files have been changing for 10 seconds"):
        Source(path).read_settled(clock, never_stop)


def test_a_problem_is_shown_with_the_path_that_the_author_gave(tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "a.yaml").write_bytes(b"\xff")
    source = Source(folder)
    assert source.shown(source.read().problems[0]).file == str(folder / "a.yaml")
    source = Source(folder / "a.yaml")
    assert source.shown(source.read().problems[0]).file == str(folder / "a.yaml")
    empty = Source(tmp_path)
    assert empty.shown(empty.read().problems[0]).file == str(tmp_path)
    here = Source("no-such-file.yaml")
    assert here.shown(here.read().problems[0]).file == "no-such-file.yaml"
