"""The record: what stands in it, and that nobody changes it unseen."""

import itertools
import json
from typing import Any

import pytest

from app.core.audit import Checkpoint
from app.core.decision import Question
from app.gate.claim import Claim
from app.gate.record import decisions, events, exported, note_policies, to_json, verify
from app.store.records import StoredDecision
from tests.gate.conftest import Gate
from tests.store.records import EVERYTHING

pytestmark = pytest.mark.anyio


async def test_everything_that_happens_is_told_with_who_did_it(busy: Gate) -> None:
    page = busy.store.query(lambda view: events(view, None, 100))
    assert [(each["kind"], each["actor"]) for each in reversed(page.items)] == [
        ("policies-loaded", None),
        ("key-created", "root"),
        ("override-granted", "Alice"),
        ("override-approved", "Bob"),
        ("decision", None),
        ("override-spent", None),
        ("override-revoked", "Bob"),
        ("freeze-started", "Alice"),
        ("freeze-extended", "Alice"),
        ("freeze-lifted", "Alice"),
        ("decision", None),
        ("key-revoked", "root"),
    ]
    assert page.next is None
    loaded = page.items[-1]["data"]
    assert set(loaded) == {"revision", "tzdata", "holidays", "cause", "host"}
    granted = page.items[-3]["data"]["override"]
    assert (granted["reason"], granted["granted_by"]) == ("The fix.", "Alice")


async def test_pages_join_without_gaps_or_repeats(busy: Gate) -> None:
    seen, cursor = [], None
    while True:
        page = busy.store.query(lambda view, before=cursor: events(view, before, 5))  # type: ignore[misc]
        seen += [each["seq"] for each in page.items]
        if page.next is None:
            break
        cursor = int(page.next)
    assert seen == list(range(12, 0, -1))
    listed = busy.store.query(lambda view: decisions(view, EVERYTHING, None, 1))
    rest = busy.store.query(lambda view: decisions(view, EVERYTHING, int(listed.next or 0), 9))
    assert [each["outcome"] for each in (*listed.items, *rest.items)] == ["deny", "override"]


async def test_the_same_policies_by_the_same_data_are_told_once(busy: Gate) -> None:
    before = busy.store.query(lambda view: view.head())
    busy.store.transact(note_policies(busy.in_force, busy.clock.microseconds() + 1))
    assert busy.store.query(lambda view: view.head()) == before


async def test_a_whole_record_is_whole_also_against_an_earlier_checkpoint(busy: Gate) -> None:
    found = verify(busy.store.query)
    assert (found.events, found.fault) == (12, None)
    _, *told, last = exported(busy.store.query)
    assert last == {"checkpoint": {"seq": 12, "hash": found.head.hash}}
    for each in told:
        assert verify(busy.store.query, Checkpoint(each["seq"], each["hash"])).fault is None


async def test_progress_is_told(busy: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.gate.record._PROGRESS_EVERY", 4)
    monkeypatch.setattr("app.gate.page_check.TOGETHER", 5)
    told: list[tuple[int, int]] = []
    assert verify(busy.store.query, progress=lambda *at: told.append(at)).fault is None
    assert told == [(4, 12), (8, 12), (12, 12)]


CHANGES = {
    "at": "at + 1",
    "kind": "'freeze-lifted '",
    "actor": "'eve'",
    "data": "data || ' '",
    "previous": f"'{'1' * 64}'",
    "hash": f"'{'2' * 64}'",
}


@pytest.mark.parametrize("column", CHANGES)
@pytest.mark.parametrize("seq", [1, 5, 12])
async def test_a_changed_column_is_found_at_its_event(busy: Gate, raw: Any, column: str, seq: int) -> None:
    raw.execute(f'UPDATE events SET "{column}" = {CHANGES[column]} WHERE seq = {seq}')  # noqa: S608 - above
    fault = verify(busy.store.query).fault
    assert fault is not None
    assert fault.seq == seq


async def test_a_moved_event_is_found_where_it_is_missing(busy: Gate, raw: Any) -> None:
    raw.execute("UPDATE events SET seq = 100 WHERE seq = 5")
    fault = verify(busy.store.query).fault
    assert fault is not None
    assert (fault.seq, "missing" in fault.what) == (5, True)


@pytest.mark.parametrize("seq", [1, 5, 11])
async def test_a_removed_event_is_found(busy: Gate, raw: Any, seq: int) -> None:
    raw.execute(f"DELETE FROM events WHERE seq = {seq}")  # noqa: S608 - a number
    fault = verify(busy.store.query).fault
    assert fault is not None
    assert (fault.seq, "missing" in fault.what) == (seq, True)


async def test_a_removed_event_is_found_though_the_others_close_up(busy: Gate, raw: Any) -> None:
    raw.execute("DELETE FROM events WHERE seq = 5")
    for seq in range(6, 13):
        raw.execute(f"UPDATE events SET seq = seq - 1 WHERE seq = {seq}")  # noqa: S608 - a number
    raw.execute("UPDATE head SET seq = 11")
    fault = verify(busy.store.query).fault
    assert fault is not None
    assert fault.seq == 5


@pytest.mark.parametrize("shown", ["copied", "made up"])
async def test_an_inserted_event_is_found(busy: Gate, raw: Any, shown: str) -> None:
    for seq in range(12, 5, -1):
        raw.execute(f"UPDATE events SET seq = seq + 1 WHERE seq = {seq}")  # noqa: S608 - a number
    links = "previous, hash" if shown == "copied" else "hash, hash"
    raw.execute(
        f"INSERT INTO events SELECT 6, at, kind, actor, data, {links} FROM events WHERE seq = 5"  # noqa: S608 - above
    )
    raw.execute("UPDATE head SET seq = 13")
    fault = verify(busy.store.query).fault
    assert fault is not None
    assert fault.seq == 6


async def test_an_event_appended_behind_the_head_is_found(busy: Gate, raw: Any) -> None:
    raw.execute("INSERT INTO events SELECT 13, at, kind, actor, data, hash, hash FROM events WHERE seq = 12")
    raw.execute("UPDATE head SET seq = 13")
    fault = verify(busy.store.query).fault
    assert fault is not None
    assert fault.seq == 13


async def test_two_swapped_events_are_found(busy: Gate, raw: Any) -> None:
    for old, new in ((5, 100), (6, 5), (100, 6)):
        raw.execute(f"UPDATE events SET seq = {new} WHERE seq = {old}")  # noqa: S608 - numbers
    fault = verify(busy.store.query).fault
    assert fault is not None
    assert fault.seq == 5


async def test_a_cut_tail_is_found_by_the_head(busy: Gate, raw: Any) -> None:
    raw.execute("DELETE FROM events WHERE seq > 9")
    fault = verify(busy.store.query).fault
    assert fault is not None
    assert (fault.seq, "missing" in fault.what) == (10, True)


def cut(busy: Gate, raw: Any, last: int) -> Checkpoint:
    """Cut the tail and set the head to fit; gives the checkpoint of before."""
    found = verify(busy.store.query)
    for table in ("events", "decisions"):
        raw.execute(f"DELETE FROM {table} WHERE seq > {last}")  # noqa: S608 - of ours
    raw.execute(
        f"UPDATE head SET seq = {last}, hash = (SELECT hash FROM events WHERE seq = {last})"  # noqa: S608 - the same
    )
    return found.head


async def test_a_tail_that_was_cut_with_its_head_is_found_by_a_checkpoint(busy: Gate, raw: Any) -> None:
    checkpoint = cut(busy, raw, 9)
    assert verify(busy.store.query).fault is None
    fault = verify(busy.store.query, checkpoint).fault
    assert fault is not None
    assert fault.seq == 10


async def test_a_record_written_anew_is_found_by_a_checkpoint(busy: Gate, raw: Any) -> None:
    checkpoint = cut(busy, raw, 9)
    for _ in range(3):
        await busy.claims.claim(Claim(Question("web")), busy.in_force)
    assert verify(busy.store.query).fault is None
    fault = verify(busy.store.query, checkpoint).fault
    assert fault is not None
    assert (fault.seq, "written anew" in fault.what) == (12, True)


async def test_exported_lines_carry_what_is_needed_to_verify_them(busy: Gate) -> None:
    _, *told, _ = exported(busy.store.query)
    assert set(told[0]) == {"seq", "at", "kind", "actor", "data", "previous", "hash"}
    assert all(one["hash"] == other["previous"] for one, other in itertools.pairwise(told))
    assert json.loads(told[-1]["data"])["name"] == "Alice"


def test_data_that_a_strict_parser_refuses_is_shown_as_it_was_given() -> None:
    rest = dict.fromkeys(("actor", "ref", "run_url", "request_id", "tzdata", "holidays"))
    data = json.dumps({"answer": {"message": "\ud800"}, **rest})
    assert to_json(StoredDecision(1, 0, "", data))["message"] == "\ud800"
    assert to_json(StoredDecision(1, 0, "", data.replace("\\ud800", "a")))["message"] == "a"
