"""Proposals: edited files beside the policies in force, and the patch that is handed out."""

import pytest

from app.core.calendar_url import masked
from app.core.diff import limits
from app.core.instant import parse_instant
from app.gate.in_force import InForce
from app.gate.proposal import LARGEST_FILE, MOST_LINES, Proposal, check, is_too_large
from app.policies.load import load
from app.policies.source import Snapshot

NOW = parse_instant("2026-11-27T13:05:00Z")
URL = "https://calendar.example.com/private-1234/basic.ics"
SHOWN = masked(URL)
POLICIES = f"""\
version: 1
policies:
  - id: fair
    title: Fair
    reason: Busy
    when:
      - icalendar:
          url: {URL}
          required: true
  - id: friday
    title: Friday
    reason: Late
    when:
      - weekly: {{from: fri 14:00, to: mon 08:00}}
"""
MORE = "version: 1\r\npolicies: []\r\n"
EVENTS = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n"


@pytest.fixture(scope="module")
def in_force() -> InForce:
    snapshot = Snapshot({"a.yaml": POLICIES, "b.yaml": MORE}, {SHOWN: EVENTS})
    return InForce(load(snapshot).engine, snapshot, NOW, ())


def sent(text: str) -> str:
    """A text as a browser sends it."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def test_a_text_that_comes_back_is_no_change(in_force: InForce) -> None:
    proposal = Proposal(in_force, {"a.yaml": sent(POLICIES.replace(URL, SHOWN)), "b.yaml": sent(MORE)})
    assert proposal.changed == {}
    assert proposal.patch.text == ""
    assert proposal.candidate.revision == in_force.revision


def test_the_shown_text_holds_no_url(in_force: InForce) -> None:
    proposal = Proposal(in_force, {})
    assert URL not in proposal.text("a.yaml")
    assert proposal.masked_lines("a.yaml") == [8]
    assert proposal.masked_lines("b.yaml") == []
    assert proposal.names == ["a.yaml", "b.yaml"]


def test_a_candidate_holds_all_files_in_order_and_the_calendars(in_force: InForce) -> None:
    proposal = Proposal(in_force, {"aa.yaml": "version: 1\n", "b.yaml": "version: 2\n"})
    assert list(proposal.candidate.policies) == ["a.yaml", "aa.yaml", "b.yaml"]
    assert proposal.candidate.policies["b.yaml"] == "version: 2\r\n"
    assert proposal.candidate.calendars == in_force.snapshot.calendars


def test_a_patch_holds_every_changed_file_and_no_url(in_force: InForce) -> None:
    edits = {
        "a.yaml": POLICIES.replace(URL, SHOWN).replace("14:00", "15:00"),
        "b.yaml": sent(MORE + "tests: []\n"),
        "c.yaml": "version: 1\r\n",
    }
    patch = Proposal(in_force, edits).patch
    assert patch.text.startswith("--- a/a.yaml\n+++ b/a.yaml\n@@ -11,4 +11,4 @@\n     title: Friday\n")
    assert "+tests: []\r\n" in patch.text
    assert "--- /dev/null\n+++ b/c.yaml\n@@ -0,0 +1,1 @@\n+version: 1\n" in patch.text
    assert URL not in patch.text
    assert SHOWN not in patch.text
    assert (patch.masked, patch.needs_zero) == ((), False)


def test_a_real_url_put_in_as_it_is_in_force_is_no_change_of_the_patch(in_force: InForce) -> None:
    patch = Proposal(in_force, {"a.yaml": POLICIES}).patch
    assert patch.text == ""


def test_a_patch_that_changes_a_masked_line_says_so(in_force: InForce) -> None:
    shown = POLICIES.replace(URL, SHOWN)
    patch = Proposal(in_force, {"a.yaml": shown.replace(SHOWN, "https://other.example.com/x.ics")}).patch
    assert patch.masked == ("a.yaml:8",)
    before = shown.replace("      - icalendar:\n", "      - icalendar:\n          title: Fairs\n")
    assert Proposal(in_force, {"a.yaml": before}).patch.needs_zero


def test_an_emptied_file_is_empty(in_force: InForce) -> None:
    assert Proposal(in_force, {"a.yaml": ""}).text("a.yaml") == ""


def test_a_file_is_too_large_by_bytes_or_lines() -> None:
    assert not is_too_large("é" * (LARGEST_FILE // 2))
    assert is_too_large("é" * (LARGEST_FILE // 2 + 1))
    assert not is_too_large("\n" * MOST_LINES)
    assert is_too_large("\n" * (MOST_LINES + 1))


def test_a_check_compares_what_can_be_used(in_force: InForce) -> None:
    shown = POLICIES.replace(URL, SHOWN)
    same = check(Proposal(in_force, {}), NOW)
    assert same.diff is not None
    assert same.diff.is_empty
    tested = (
        shown
        + "tests:\n"
        + "".join(
            f"  - {{at: 2026-12-05 12:00, service: api, expect: {expect}}}\n" for expect in ("deny", "allow")
        )
    )
    checked = check(Proposal(in_force, {"a.yaml": tested.replace("14:00", "15:00")}), NOW)
    assert (checked.errors, checked.failed) == (0, 1)
    assert [each.passed for each in checked.tests] == [False, True]
    assert checked.diff is not None
    assert checked.diff.opens
    assert not checked.diff.closes
    broken = check(Proposal(in_force, {"a.yaml": shown.replace("friday", "Friday")}), NOW)
    assert (broken.errors, broken.tests, broken.diff) == (1, [], None)


def test_what_would_take_too_long_to_compare_is_said(
    in_force: InForce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_INTERVALS", 1)
    text = POLICIES.replace(URL, SHOWN).replace("14:00", "15:00")
    checked = check(Proposal(in_force, {"a.yaml": text}), NOW)
    assert checked.diff is None
    assert "shorten the period" in checked.why_no_diff
