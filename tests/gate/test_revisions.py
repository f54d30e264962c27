"""The history of the policies, read from the record: each change once, with what it changed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.instant import parse_instant
from app.core.policy import PolicySet
from app.gate import revisions as module
from app.gate.audit_events import Kind, happened
from app.gate.errors import InvalidFieldError, UnknownRecordError
from app.gate.record import Page
from app.gate.revisions import Revisions
from app.policies.set_change import contents
from app.policies.source import Snapshot
from app.store.records import PolicyRevision
from app.store.store import Store
from app.yaml.problem import Problem
from tests.store.records import PATIENT

FRIDAY = """version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
policies:
  - id: friday
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    when:
      - weekly: {from: fri 14:00, to: mon 08:00}
"""
LATER = FRIDAY.replace("fri 14:00", "fri 15:00")
NIGHT = "  - {id: night, title: Nights, reason: Sleep., when: [{daily: {from: '22:00', to: '06:00'}}]}\n"
CALENDAR = "  - {id: calendar, title: C, reason: C., when: [{icalendar: {url: %s}}]}\n"
MASKED = "https://calendar.example.com/#3f9ac02b00112233"
EVENTS = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//%s//EN\r\nEND:VCALENDAR\r\n"
START = parse_instant("2026-11-01T12:00:00Z")
HOUR = 3_600


class History:
    """A record into which a test puts loads, an hour apart."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.at = START
        self.revisions = Revisions(store.query)

    def load(
        self, text: str, *, calendars: dict[str, str] | None = None, keep: bool = True, **data: str
    ) -> str:
        snapshot = Snapshot.of(text, calendars=calendars)
        about = {"revision": snapshot.revision, "tzdata": "2026c", "holidays": "0.84", **data}
        event = happened(self.at * 1_000_000, Kind.POLICIES_LOADED, "", **about)
        kept = PolicyRevision(snapshot.revision, self.at, snapshot.to_json())
        self.store.transact(lambda to: (keep and to.keep_policies(kept), to.append(event)))
        self.at += HOUR
        return snapshot.revision

    def page(self, before: int | None = None, most: int = 50) -> list[dict[str, Any]]:
        return self.revisions.page(before, most).items

    def of(self, policy_id: str) -> list[dict[str, Any]]:
        return self.revisions.history(policy_id, None, 50).items


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    store = Store.open(f"sqlite:///{tmp_path / 'gate.db'}", deadline=PATIENT)
    yield History(store)
    store.let_go()


def walked(page: Callable[[Any], Page]) -> list[dict[str, Any]]:
    """Every item of a paged list."""
    items: list[dict[str, Any]] = []
    found = page(None)
    while found.next is not None:
        items += found.items
        found = page(found.next)
    return items + found.items


def test_a_gate_without_loads_has_no_history(history: History) -> None:
    assert history.revisions.page(None, 50) == Page([], None)
    assert history.revisions.history("friday", None, 50) == Page([], None)


def test_each_load_says_when_it_was_in_force_and_what_put_it_there(history: History) -> None:
    first = history.load(FRIDAY)
    second = history.load(LATER, cause="change", host="gate-7f9c")
    newest, oldest = history.page()
    assert (newest["revision"], newest["since"]) == (second, first)
    assert (newest["from"], newest["until"]) == ("2026-11-01T13:00:00Z", None)
    assert (newest["cause"], newest["host"]) == ("change", "gate-7f9c")
    assert newest["files"] == [{"name": "policies.yaml", "kind": "changed"}]
    assert newest["policies"] == [{"kind": "changed", "id": "friday", "new_id": None, "fields": ["when"]}]
    assert (oldest["from"], oldest["until"]) == ("2026-11-01T12:00:00Z", "2026-11-01T13:00:00Z")
    assert (oldest["cause"], oldest["host"], oldest["since"]) == (None, None, None)
    assert [each["kind"] for each in oldest["policies"]] == ["added"]


def test_a_set_that_is_loaded_again_is_shown_once_and_one_that_comes_back_again(history: History) -> None:
    revisions = [history.load(each) for each in (FRIDAY, FRIDAY, LATER, FRIDAY)]
    found = history.page()
    assert [each["revision"] for each in found] == [revisions[3], revisions[2], revisions[0]]
    assert found[2]["from"] == "2026-11-01T12:00:00Z"
    assert [each["change"]["kind"] for each in history.of("friday")] == ["changed", "changed", "added"]


def test_a_revision_of_a_policy_ends_where_the_next_one_of_that_policy_begins(history: History) -> None:
    for text in (FRIDAY, FRIDAY + NIGHT, LATER + NIGHT, LATER):
        history.load(text)
    whole = history.of("friday")
    assert [(each["from"], each["until"]) for each in whole] == [
        ("2026-11-01T14:00:00Z", None),
        ("2026-11-01T12:00:00Z", "2026-11-01T14:00:00Z"),
    ]
    assert [(each["from"], each["until"]) for each in history.of("night")] == [
        ("2026-11-01T15:00:00Z", None),
        ("2026-11-01T13:00:00Z", "2026-11-01T15:00:00Z"),
    ]
    assert walked(lambda at: history.revisions.history("friday", at, 1)) == whole


def test_comments_and_order_are_no_change_of_a_policy(history: History) -> None:
    history.load(FRIDAY + NIGHT)
    head, tail = FRIDAY.split("policies:\n")
    history.load(f"{head}policies:\n  # The nights come first now.\n{NIGHT}{tail}")
    assert history.page()[0]["policies"] == []
    assert [each["change"]["kind"] for each in history.of("friday")] == ["added"]


def test_a_rename_is_followed_to_the_older_id_over_pages(history: History) -> None:
    history.load(FRIDAY)
    history.load(LATER)
    history.load(LATER + NIGHT)
    history.load(LATER.replace("id: friday", "id: weekend") + NIGHT)
    changes = [each["change"] for each in walked(lambda at: history.revisions.history("weekend", at, 1))]
    assert [(each["kind"], each["id"], each["new_id"]) for each in changes] == [
        ("renamed", "friday", "weekend"),
        ("changed", "friday", None),
        ("added", "friday", None),
    ]
    assert [each["change"]["kind"] for each in history.of("friday")] == ["renamed", "changed", "added"]


def test_a_removed_policy_still_has_its_history(history: History) -> None:
    history.load(FRIDAY + NIGHT)
    history.load(FRIDAY)
    assert [each["change"]["kind"] for each in history.of("night")] == ["removed", "added"]


def test_another_zone_of_the_file_changes_the_policies_that_are_read_in_it(history: History) -> None:
    history.load(FRIDAY)
    history.load(FRIDAY.replace("Europe/Amsterdam", "America/New_York"))
    newest = history.page()[0]
    assert newest["keys"] == ["timezone"]
    assert newest["policies"][0]["fields"] == ["timezone"]


def test_calendars_by_url_are_files_of_a_load_and_no_change_of_a_policy(history: History) -> None:
    text = FRIDAY + CALENDAR % MASKED
    history.load(text, calendars={MASKED: EVENTS % "a"})
    history.load(text, calendars={MASKED: EVENTS % "b"})
    newest = history.page()[0]
    assert newest["files"] == [{"name": "calendar.example.com (3f9ac02b)", "kind": "changed"}]
    assert newest["policies"] == []
    assert [each["change"]["kind"] for each in history.of("calendar")] == ["added"]


def test_files_that_come_and_go_are_named(history: History) -> None:
    text = FRIDAY + CALENDAR.replace("url: %s", "file: releases.ics")
    history.load(FRIDAY)
    history.load(text, calendars={"releases.ics": EVENTS % "a"})
    history.load(FRIDAY)
    assert [each["files"][-1]["kind"] for each in history.page()[:2]] == ["removed", "added"]


def test_sets_that_this_version_does_not_accept_are_passed_over_and_named(history: History) -> None:
    first = history.load(FRIDAY)
    history.load("version: 1\npolicies: [{id: old}]\n")
    history.load("version: 1\npolicies: []\nx: 1\n", keep=False)
    history.load(LATER)
    found = history.page()
    assert found[0]["since"] == first
    assert found[0]["policies"][0]["fields"] == ["when"]
    assert found[1]["problem"] == "the record doesn't have its text"
    assert found[2]["problem"].startswith("this version does not accept it: policies.yaml:2:")
    assert (found[2]["policies"], found[2]["files"]) == ([], [])
    told = [(each["change"] or {}).get("kind") for each in history.of("friday")]
    assert told == ["changed", None, None, "added"]


def test_a_record_that_begins_with_sets_that_are_not_accepted_says_so(history: History) -> None:
    history.load("version: 1\npolicies: [{id: old}]\n")
    history.load(FRIDAY)
    found = history.page()
    assert found[0]["problem"] == "the sets before it can't be read"
    assert found[1]["problem"].startswith("this version does not accept it")


def test_pages_join_without_gaps_or_repeats(history: History) -> None:
    loaded = [history.load(text) for text in (FRIDAY, LATER, FRIDAY + NIGHT, LATER, FRIDAY)]
    found = walked(lambda at: history.revisions.page(None if at is None else int(at), 2))
    assert [each["revision"] for each in found] == loaded[::-1]
    whole = history.page()
    assert [each["until"] for each in found] == [each["until"] for each in whole]
    assert found == whole


@pytest.mark.parametrize("bound", ["PARSED", "READ", "MOST_PASSED"])
def test_a_page_ends_where_its_work_is_spent_and_the_next_one_goes_on(
    history: History, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    for text in (FRIDAY, "version: 1\npolicies: [{id: old}]\n", LATER, FRIDAY + NIGHT, FRIDAY):
        history.load(text)
    monkeypatch.setattr(module, bound, 1)
    assert len(history.page()) < 5 or bound == "MOST_PASSED"
    found = walked(lambda at: history.revisions.page(None if at is None else int(at), 50))
    assert len(found) == 5
    told = walked(lambda at: Revisions(history.store.query).history("night", at, 50))
    assert [each["change"]["kind"] for each in told if each["change"]] == ["removed", "added"]


def test_a_set_is_parsed_once_and_what_was_compared_is_remembered(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in (FRIDAY, LATER, FRIDAY + NIGHT):
        history.load(text)
    parsed: list[Snapshot] = []

    def counted(files: Snapshot) -> PolicySet | Problem:
        parsed.append(files)
        return contents(files)

    monkeypatch.setattr(module, "contents", counted)
    for _ in range(2):
        assert len(history.page()) == 3
        assert len(history.of("friday")) == 3
    assert len(parsed) == 3


def test_what_is_remembered_is_bounded(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 3)
    for number in range(9):
        history.load(FRIDAY.replace("14:00 on", f"14:0{number} on"))
    assert len(history.page()) == 9
    assert history.revisions._known._weight <= 3


def test_long_lists_of_changes_are_cut_and_counted(history: History) -> None:
    many = "".join(NIGHT.replace("id: night", f"id: night-{number}") for number in range(120))
    history.load(FRIDAY + many)
    (found,) = history.page()
    assert (len(found["policies"]), found["more_policies"]) == (100, 21)


def test_a_revision_may_be_abbreviated_while_it_is_unambiguous(history: History) -> None:
    revision = history.load(FRIDAY)
    digits = revision.removeprefix("sha256:")
    for text in (revision, digits, revision[:15], digits[:4]):
        assert history.revisions.resolve(text) == revision
    assert history.revisions.snapshot(revision).policies == {"policies.yaml": FRIDAY}
    twin = PolicyRevision(
        f"sha256:{digits[:8]}" + "0" * 56, START, json.dumps({"policies": {}, "calendars": {}})
    )
    history.store.transact(lambda to: to.keep_policies(twin))
    with pytest.raises(InvalidFieldError, match="several revisions"):
        history.revisions.resolve(digits[:8])


@pytest.mark.parametrize(
    "text", ["", "abc", "sha256:", "sha256:%%%%", "Sha256:abcd", "g" * 64, "f" * 64, "0" * 65]
)
def test_what_is_no_revision_of_the_record_is_unknown(history: History, text: str) -> None:
    history.load(FRIDAY)
    with pytest.raises(UnknownRecordError):
        history.revisions.resolve(text)
    with pytest.raises(UnknownRecordError):
        history.revisions.snapshot(text)
