"""The last good calendars on disk: whole, private, validated, and gone when nothing uses them."""

import json
import os
import stat
from pathlib import Path

import pytest

from app.policies.calendars.fetch import Validators
from app.policies.calendars.kept import UNUSED_FOR, CalendarFolder, Kept
from tests.policies.calendars.calendar_server import CALENDAR

URL = "https://calendar.example/private-1/basic.ics"
KEPT = Kept(CALENDAR, 1_790_000_000, 1_790_000_900, Validators('"1"', None))


def only_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_a_calendar_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = CalendarFolder(tmp_path / "data" / "calendars")
    assert folder.read(URL) is None
    folder.write(URL, KEPT)
    assert folder.read(URL) == KEPT
    assert folder.read(f"{URL}?x") is None
    folder.write(URL, KEPT._replace(checked_at=KEPT.checked_at + 900))
    assert folder.read(URL) == KEPT._replace(checked_at=KEPT.checked_at + 900)
    assert CalendarFolder(tmp_path / "data" / "calendars").read(URL) is not None


def test_a_file_is_its_owners_and_does_not_name_its_url(tmp_path: Path) -> None:
    CalendarFolder(tmp_path / "calendars").write(URL, KEPT)
    file = only_file(tmp_path / "calendars")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "private-1" not in file.name + file.read_text()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"text": CALENDAR.replace("Freeze", "Frieze")},
        {"text": None},
        {"text_sha256": "0" * 64},
        {"url_sha256": "0" * 64},
        {"fetched_at": "today"},
        {"fetched_at": True},
        {"checked_at": 10**18},
        {"etag": 5},
    ],
)
def test_a_damaged_file_counts_as_never_loaded(tmp_path: Path, change: dict[str, object]) -> None:
    CalendarFolder(tmp_path).write(URL, KEPT)
    file = only_file(tmp_path)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert CalendarFolder(tmp_path).read(URL) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b" " * 3_000_000]
)
def test_a_file_of_anything_else_counts_as_never_loaded(tmp_path: Path, content: bytes) -> None:
    CalendarFolder(tmp_path).write(URL, KEPT)
    file = only_file(tmp_path)
    whole = file.read_bytes()
    for part in (content, whole[: len(whole) // 2]):
        file.write_bytes(part)
        assert CalendarFolder(tmp_path).read(URL) is None


def test_a_kept_text_that_is_no_calendar_any_more_counts_as_never_loaded(tmp_path: Path) -> None:
    CalendarFolder(tmp_path).write(URL, KEPT._replace(text="BEGIN:VCALENDAR"))
    assert CalendarFolder(tmp_path).read(URL) is None


def test_a_file_that_can_not_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    folder = CalendarFolder(tmp_path)
    folder.write(URL, KEPT)
    with pytest.raises(UnicodeEncodeError):
        folder.write(URL, KEPT._replace(text="\ud800"))
    assert folder.read(URL) == KEPT
    only_file(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        CalendarFolder(tmp_path / "file").write(URL, KEPT)


def test_files_that_nothing_uses_are_deleted(tmp_path: Path) -> None:
    folder = CalendarFolder(tmp_path)
    folder.write(URL, KEPT)
    (tmp_path / "left.tmp").write_text("")
    (tmp_path / "other.txt").write_text("")
    now = KEPT.checked_at
    for file in tmp_path.iterdir():
        os.utime(file, (now, now))
    folder.prune(now + UNUSED_FOR)
    assert len(list(tmp_path.iterdir())) == 3
    folder.prune(now + UNUSED_FOR + 1)
    assert [file.name for file in tmp_path.iterdir()] == ["other.txt"]
    CalendarFolder(tmp_path / "none").prune(now)
