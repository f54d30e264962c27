import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.errors import MalformedValueError
from app.policies.source import Snapshot, Source
from app.yaml.problem import Severity
from app.yaml.syntax import LARGEST

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


def test_a_file_swapped_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Kubernetes does it: the name is a link to a folder that is replaced by another."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "policies.yaml").write_text(TEXT)
    link = tmp_path / "policies.yaml"
    link.symlink_to(tmp_path / "old" / "policies.yaml")
    real_stat = Path.stat

    def swap_then_stat(path: Path, *, follow_symlinks: bool = True) -> object:
        try:
            return real_stat(path, follow_symlinks=follow_symlinks)
        finally:
            if path == link and link.readlink().parent.name == "old":
                link.unlink()
                link.symlink_to(tmp_path / "new" / "policies.yaml")

    monkeypatch.setattr(Path, "stat", swap_then_stat)
    source = Source(link)
    link.unlink()
    link.symlink_to(tmp_path / "old" / "policies.yaml")
    assert source.read().policies == {"policies.yaml": TEXT}


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
