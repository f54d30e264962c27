"""Candidates: policies beside those in force, without a fetch."""

import pytest

from app.core.calendar_url import masked
from app.core.instant import parse_instant
from app.core.policy import Effect
from app.gate.candidate import CandidateError, load_candidate, with_events
from app.gate.in_force import InForce
from app.policies.load import load
from app.policies.source import Snapshot

URL = "https://calendar.example.com/private-1234/basic.ics"
NOW = parse_instant("2026-11-27T13:05:00Z")


def calendar(start: str, end: str) -> str:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n"
        f"DTSTART:{start}\r\nDTEND:{end}\r\nSUMMARY:Fair\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


IN_FORCE_EVENTS = calendar("20261127T120000Z", "20261127T180000Z")
OTHER_EVENTS = calendar("20261201T120000Z", "20261201T180000Z")


def policies(url: str, *, required: bool = False) -> str:
    return (
        "version: 1\npolicies:\n  - id: fair\n    title: Fair\n    reason: Busy\n    when:\n"
        f"      - icalendar: {{url: {url}, required: {str(required).lower()}}}\n"
    )


def in_force(text: str, calendars: dict[str, str]) -> InForce:
    snapshot = Snapshot.of(text, calendars=calendars)
    return InForce(load(snapshot).engine, snapshot, NOW, ())


def is_frozen(candidate: Snapshot, beside: InForce) -> bool:
    return not load_candidate(candidate, beside).engine.decide_environment("production", NOW).allowed


@pytest.mark.parametrize("written", [URL, masked(URL)])
def test_a_calendar_in_force_gives_its_events_however_its_url_is_written(written: str) -> None:
    beside = in_force(policies(URL), {masked(URL): IN_FORCE_EVENTS})
    # What is in force counts, also where other events came along.
    for calendars in ({}, {masked(URL): OTHER_EVENTS}):
        assert is_frozen(Snapshot.of(policies(written), calendars=calendars), beside)


def test_a_candidate_that_equals_what_is_in_force_has_its_revision() -> None:
    beside = in_force(policies(URL), {masked(URL): IN_FORCE_EVENTS})
    assert with_events(Snapshot.of(policies(URL)), beside).revision == beside.revision
    # Events of calendars that it doesn't name are left out.
    none = Snapshot.of("version: 1\npolicies: []\n", calendars={masked(URL): OTHER_EVENTS})
    assert with_events(none, beside).calendars == {}


def test_a_new_calendar_has_no_events_unless_they_came_along() -> None:
    beside = in_force("version: 1\npolicies: []\n", {})
    assert not is_frozen(Snapshot.of(policies(URL)), beside)
    assert is_frozen(Snapshot.of(policies(URL), calendars={masked(URL): IN_FORCE_EVENTS}), beside)


def test_a_required_calendar_that_is_unknown_freezes_at_all_times() -> None:
    beside = in_force("version: 1\npolicies: []\n", {})
    loaded = load_candidate(Snapshot.of(policies(URL, required=True)), beside)
    assert loaded.policy_set.policies[0].effect is Effect.DENY
    assert "was never loaded" in loaded.policy_set.policies[0].title
    assert is_frozen(Snapshot.of(policies(URL, required=True)), beside)


def test_a_calendar_file_must_come_along() -> None:
    beside = in_force("version: 1\npolicies: []\n", {})
    text = policies(URL).replace(f"url: {URL}", "file: fair.ics").replace(", required: false", "")
    with pytest.raises(CandidateError) as caught:
        load_candidate(Snapshot.of(text), beside)
    assert caught.value.to_json()["problems"][0]["path"] == "policies[0].when[0].icalendar.file"
    assert is_frozen(Snapshot.of(text, calendars={"fair.ics": IN_FORCE_EVENTS}), beside)


def test_failing_self_tests_do_not_keep_a_candidate_out() -> None:
    beside = in_force("version: 1\npolicies: []\n", {})
    text = "version: 1\npolicies: []\ntests: [{at: 2026-11-27 14:00, service: api, expect: deny}]\n"
    assert not is_frozen(Snapshot.of(text), beside)


def test_all_errors_are_told_with_their_places() -> None:
    beside = in_force("version: 1\npolicies: []\n", {})
    with pytest.raises(CandidateError, match="the policies have 2 errors") as caught:
        load_candidate(Snapshot.of("version: 1\npolicies:\n  - id: a\n    when: [{always: true}]\n"), beside)
    problems = caught.value.to_json()["problems"]
    assert {each["path"] for each in problems} == {"policies[0].title", "policies[0].reason"}
    assert set(problems[0]) == {"file", "line", "column", "path", "message", "severity"}
