"""Patches, applied by git itself and by patch."""

import random
import shutil
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from app.core.patch import Patch, unified_diff

GIT = ("git", "apply", "--whitespace=nowarn", "-")
ZERO = ("git", "apply", "--whitespace=nowarn", "--unidiff-zero", "-")
PATCH = ("patch", "-p1", "-s", "--no-backup-if-mismatch")

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or shutil.which("patch") is None, reason="git or patch is missing"
)

POLICIES = "".join(f"line {number}\n" for number in range(1, 31))
REAL = "https://calendar.example.com/private/token.ics\n"
MASKED = "https://calendar.example.com/#0123456789abcdef\n"


def applied(folder: Path, files: Mapping[str, str], patch: str, command: tuple[str, ...]) -> dict[str, str]:
    """The files after a patch."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    ran = subprocess.run(
        command, check=False, cwd=folder, input=patch.encode(), capture_output=True, timeout=30
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return {each.name: each.read_bytes().decode() for each in folder.iterdir()}


def check(folder: Path, pairs: Mapping[str, tuple[str | None, str]]) -> None:
    """Each file becomes the other, by both programs."""
    patch = "".join(unified_diff(name, old, new).text for name, (old, new) in pairs.items())
    before = {name: old for name, (old, _) in pairs.items() if old is not None}
    after = {name: new for name, (_, new) in pairs.items()}
    assert applied(folder / "git", before, patch, GIT) == after
    assert applied(folder / "patch", before, patch, PATCH) == after


def test_no_difference_is_no_patch() -> None:
    assert unified_diff("policies.yaml", "a\n", "a\n") == Patch("", (), needs_zero=False)


def test_a_patch_reads_as_git_writes_it() -> None:
    new = POLICIES.replace("line 4\n", "line four\n").replace("line 20\n", "")
    assert unified_diff("policies.yaml", POLICIES, new).text == (
        "--- a/policies.yaml\n+++ b/policies.yaml\n"
        "@@ -1,7 +1,7 @@\n line 1\n line 2\n line 3\n-line 4\n+line four\n line 5\n line 6\n line 7\n"
        "@@ -17,7 +17,6 @@\n line 17\n line 18\n line 19\n-line 20\n line 21\n line 22\n line 23\n"
    )


def test_what_editors_do_is_kept_byte_for_byte(tmp_path: Path) -> None:
    check(
        tmp_path,
        {
            "new.yaml": (None, "version: 1\n"),
            "new without a newline.yaml": (None, "version: 1"),
            "windows.yaml": ("a\r\nb\r\nc\r\n", "a\r\nx\r\nb\r\nc\r\n"),
            "mixed.yaml": ("a\r\nb\nc\r", "a\nb\nc\r\r\n"),
            "unended.yaml": ("a\nb\nc", "a\nb\nc\n"),
            "unending.yaml": ("a\nb\nc\n", "a\nb\nc"),
            "both.yaml": ("a\nb", "c\nb\nd"),
            "tabs and blanks.yaml": ("\ta: 1 \n", "\ta: 1\n \n\t\n"),
            "ünïcode.yaml": ("größe: ☃\u2028\x0c\n", "größe: ☃\u2028\x0c\nnaïve: \U0001f427\n"),
            "emptied.yaml": ("a\n", "\n"),
            "empty.yaml": ("a\nb\n", ""),
            'quo"te\\.yaml': ("a\n", "b\n"),
            "marks.yaml": ("-- a\n++ b\n@@ c\n", "--- a\n+++ b\n@@ -1 +1 @@\n"),
            "\ufeffmark.yaml": ("\ufeffa\n", "\ufeffb\n"),
        },
    )


def test_random_edits_apply_in_both_programs(tmp_path: Path) -> None:
    chance = random.Random(3)
    pairs = {}
    for number in range(150):
        old = [chance.choice("abcdefghij") * 3 for _ in range(chance.randrange(1, 40))]
        new = list(old)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(new) + 1)
            new[at : at + chance.randrange(3)] = [chance.choice("klm")] * chance.randrange(1, 3)
        end = chance.choice(["\n", "\n", ""])
        pairs[f"{number}.yaml"] = ("\n".join(old) + "\n", "\n".join(new) + end)
    check(tmp_path, pairs)


def masked(lines: Collection[int]) -> tuple[str, str]:
    """A text with hidden lines, and the real one."""
    shown, real = POLICIES.splitlines(keepends=True), POLICIES.splitlines(keepends=True)
    for index in lines:
        shown[index], real[index] = MASKED, REAL
    return "".join(shown), "".join(real)


def test_a_patch_near_hidden_lines_applies_to_the_real_file(tmp_path: Path) -> None:
    for hidden in ({9}, {0}, {29}, {8, 10}, {4, 5, 12}):
        shown, real = masked(hidden)
        for at in range(31):
            lines = shown.splitlines(keepends=True)
            edits = {at} if at == 30 or at in hidden else {at, (at + 8) % 31}
            for place in sorted(edits, reverse=True):
                lines.insert(place, "new\n")
            patch = unified_diff("a.yaml", shown, "".join(lines), hidden)
            assert MASKED not in patch.text
            assert not patch.hidden
            expected = "".join(lines).replace(MASKED, REAL)
            folder = tmp_path / f"{sorted(hidden)}-{at}"
            folder.mkdir()
            git = ZERO if patch.needs_zero else GIT
            assert applied(folder / "git", {"a.yaml": real}, patch.text, git) == {"a.yaml": expected}
            assert applied(folder / "patch", {"a.yaml": real}, patch.text, PATCH) == {"a.yaml": expected}


def test_git_is_told_when_it_needs_another_option(tmp_path: Path) -> None:
    shown, real = masked({9})
    before, behind = (shown.replace(line, f"{line}new\n") for line in ("line 9\n", MASKED))
    assert unified_diff("a.yaml", shown, before, {9}).needs_zero
    patch = unified_diff("a.yaml", shown, behind, {9})
    assert not patch.needs_zero
    expected = {"a.yaml": behind.replace(MASKED, REAL)}
    assert applied(tmp_path / "git", {"a.yaml": real}, patch.text, GIT) == expected


def test_a_change_of_a_hidden_line_is_named_and_never_applies(tmp_path: Path) -> None:
    shown, real = masked({9})
    patch = unified_diff("a.yaml", shown, shown.replace(MASKED, "gone\n"), {9})
    assert patch.hidden == (10,)
    with pytest.raises(AssertionError):
        applied(tmp_path / "git", {"a.yaml": real}, patch.text, GIT)
