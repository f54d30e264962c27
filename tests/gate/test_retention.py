"""Retention: what is old goes into the archive, and the record stays provable."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.core.archive import ArchiveError, written
from app.core.audit import Checkpoint
from app.core.compiled import CompiledPolicies
from app.core.decision import Question
from app.core.instant import DAY, format_instant
from app.gate.archive import verify_all
from app.gate.backtest import BacktestRequest, backtest
from app.gate.backtest_json import to_json
from app.gate.claim import Claim
from app.gate.console import Console
from app.gate.errors import UnknownRecordError
from app.gate.ids import new_id
from app.gate.outcomes import Outcomes, Report
from app.gate.record import decisions, note_policies, verify
from app.gate.retention import COUNTS_OUTLIVE, PruneError
from tests.gate.conftest import ADMIN, AFTER, FRIDAY, Gate, gate_on
from tests.gate.pruning import KEEP, LONG, all_events, archived, export_to, files_of, fill, verified_by_script
from tests.store.records import EVERYTHING

pytestmark = pytest.mark.anyio

CLAIMS = 25


@pytest.fixture
async def old(gate: Gate) -> Gate:
    """A gate with a past, and a claim of today."""
    await fill(gate, CLAIMS)
    gate.clock.at += LONG
    gate.cache.load()
    await gate.claims.claim(Claim(Question("web", "staging")), gate.in_force)
    return gate


@pytest.fixture
def console(old: Gate) -> Console:
    return Console(old.store, old.clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def raw(old: Gate) -> Iterator[Any]:
    """The database, as somebody gets at it who is not the gate."""
    connection = old.store._database.connect()
    yield connection.raw
    connection.raw.close()


async def test_what_is_old_goes_into_the_archive_and_no_event_is_lost(
    old: Gate, console: Console, folder: Path, tmp_path: Path
) -> None:
    before = all_events(old.store)
    assert console.count_prunable(KEEP) == len(before) - 1
    found = console.prune(KEEP, folder, None, force=True)
    assert (found.events, len(found.files)) == (len(before) - 1, 1)
    kept = all_events(old.store)
    assert {each.kind for each in kept if each.seq < len(before)} == {
        *("key-created", "override-granted", "override-approved", "override-spent"),
        *("freeze-started", "freeze-extended", "freeze-lifted", "policies-loaded"),
    }
    whole = verify(old.store.query)
    assert whole.whole, whole
    assert whole.pruned is not None
    assert whole.pruned.seq == len(before) - 1
    assert console.verify_archive(folder, None).events == len(before) - 1
    export = export_to(old.store, tmp_path / "export.jsonl")
    events = [line for line in archived(folder) if "seq" in line]
    events += [line for line in map(json.loads, export.read_text().splitlines()) if "seq" in line]
    assert events[: len(before)] == [each._asdict() for each in before]
    assert [each["kind"] for each in events[len(before) :]] == ["record-pruned"]
    assert "names each of the files" in verified_by_script(folder, export)


async def test_what_the_gate_does_goes_on_after_a_pruning(old: Gate, console: Console, folder: Path) -> None:
    first = json.loads(all_events(old.store)[2].data)["answer"]["decision_id"]
    newest = json.loads(all_events(old.store)[-1].data)["answer"]["decision_id"]
    console.prune(KEEP, folder, None, force=True)
    await fill(old, CLAIMS)
    await Outcomes(old.store, old.clock, old.cache).report(ADMIN, Report(newest, "failed"))
    assert old.store.query(lambda view: view.decision(first)) is None
    assert old.store.query(lambda view: view.decision(newest)) is not None
    assert verify(old.store.query).whole


async def test_a_later_pruning_continues_the_archive(
    old: Gate, console: Console, folder: Path, tmp_path: Path
) -> None:
    console.prune(KEEP, folder, None, force=True)
    await fill(old, CLAIMS)
    old.clock.at += LONG
    found = console.prune(KEEP, folder, None, force=True)
    assert len(found.files) == 1
    assert verify(old.store.query).whole
    assert verify_all(folder).files == 2
    assert console.verify_archive(folder, None).files == 2
    verified_by_script(folder, export_to(old.store, tmp_path / "export.jsonl"))
    assert console.prune(KEEP, folder, None, force=True).events == 0


async def test_counts_of_insights_are_kept_ten_times_as_long(
    old: Gate, console: Console, folder: Path
) -> None:
    def counted() -> list[int]:
        return sorted(old.store.query(lambda view: view.rollup_days(0, 2**31 - 1)))

    today = old.clock.at // DAY
    console.prune(KEEP, folder, None, force=True)
    first, *_ = counted()
    assert today - first >= LONG // DAY
    old.clock.at = (first + 1) * DAY + KEEP * COUNTS_OUTLIVE - 1
    console.prune(KEEP, folder, None, force=True)
    assert counted()[0] == first
    old.clock.at += 1
    console.prune(KEEP, folder, None, force=True)
    assert counted() == [today]
    assert not old.store.query(lambda view: view.waits(0, today * DAY))
    assert verify(old.store.query).whole


async def test_names_that_nothing_counts_any_more_are_deleted(
    old: Gate, console: Console, folder: Path, policy_file: Path
) -> None:
    def named() -> list[str]:
        cells = old.store.query(lambda view: view.rollup_cells(0, 999))
        return sorted(cell.request[0] for _, cell in cells)

    async def claim(gate: Gate, *services: str) -> None:
        for service in services:
            await gate.claims.claim(Claim(Question(service, "staging")), gate.in_force)

    another = gate_on(old.store.url, policy_file, old.clock)
    await claim(old, *(f"made-up-{number}" for number in range(30)))
    await claim(another, "made-up-8")
    assert len(named()) > 30
    old.clock.at += DAY
    await claim(old, "last")
    old.clock.at += KEEP * COUNTS_OUTLIVE + 2 * DAY
    for gate in (old, another):
        gate.cache.load()
    await claim(old, "made-up-7", "new")
    console.prune(KEEP, folder, None, force=True)
    # The counts of the day of the checkpoint stay.
    assert named() == ["last", "made-up-7", "new"]
    requests = text("SELECT count(*) FROM rollup_requests")
    assert old.store.query(lambda view: view._connection.rows(requests)) == [(3,)]
    await claim(another, "made-up-8", "made-up-7")
    await claim(old, "made-up-8", "made-up-9")
    assert named() == ["last", "made-up-7", "made-up-8", "made-up-9", "new"]
    assert verify(old.store.query).whole
    await another.store.close()


async def test_a_name_that_is_used_after_it_was_looked_for_stays(old: Gate) -> None:
    before = dict(old.store.query(lambda view: view.rollup_cells(0, 99)))
    since = old.store.query(lambda view: view.head()).seq
    await old.claims.claim(Claim(Question("web", "staging")), old.in_force)
    old.store.transact(lambda transaction: transaction.drop_cells([*before], since))
    left = dict(old.store.query(lambda view: view.rollup_cells(0, 99)))
    assert {cell.request[:2] for cell in left.values()} == {("web", "staging")}
    assert len(left) < len(before)


async def test_an_outcome_that_was_reported_later_goes_with_its_decision(
    old: Gate, console: Console, folder: Path
) -> None:
    first = json.loads(all_events(old.store)[2].data)["answer"]["decision_id"]
    await Outcomes(old.store, old.clock, old.cache).report(ADMIN, Report(first, "failed"))
    console.prune(KEEP, folder, None, force=True)
    assert verify(old.store.query).whole


async def test_texts_of_policies_go_once_no_decision_names_them(
    old: Gate, console: Console, folder: Path, policy_file: Path, url: str
) -> None:
    before = old.in_force.revision
    policy_file.write_text(FRIDAY.replace("14:00", "15:00"))  # noqa: ASYNC240 - a small file
    newer = gate_on(url, policy_file, old.clock)
    assert newer.in_force.revision != before
    await newer.claims.claim(Claim(Question("web", "staging")), newer.in_force)
    assert console.prune(KEEP, folder, None, force=True).policies == 0
    assert old.store.query(lambda view: view.sources(before)) is not None
    old.clock.at += LONG
    await newer.claims.claim(Claim(Question("web", "staging")), newer.in_force)
    assert console.prune(KEEP, folder, None, force=True).policies == 1
    assert old.store.query(lambda view: view.sources(before)) is None
    assert verify(old.store.query).whole
    texts = {line["policies"] for line in archived(folder) if "policies" in line}
    assert texts == {before, newer.in_force.revision}
    old.store.transact(note_policies(old.in_force, old.clock.microseconds(), None))
    assert old.store.query(lambda view: view.sources(before)) is not None
    await newer.store.close()


async def test_a_replica_that_is_up_for_long_stores_again_what_was_pruned(
    old: Gate, policy_file: Path, url: str
) -> None:
    before = old.in_force.revision
    policy_file.write_text(FRIDAY.replace("14:00", "15:00"))  # noqa: ASYNC240 - a small file
    newer = gate_on(url, policy_file, old.clock)
    old.clock.at += LONG
    await newer.claims.claim(Claim(Question("web", "staging")), newer.in_force)
    assert Console(newer.store, old.clock).prune(KEEP, None, None, force=True).policies == 1
    await old.claims.claim(Claim(Question("web", "staging")), old.in_force)
    assert old.store.query(lambda view: view.sources(before)) is not None
    await newer.store.close()


async def test_a_clock_that_was_set_back_for_a_moment_makes_nothing_young_go(
    gate: Gate, folder: Path
) -> None:
    begun = gate.clock.at
    for at, claims in ((begun, 45), (begun - 20 * 365 * DAY, 10), (begun, 45)):
        gate.clock.at = at
        for _ in range(claims):
            await gate.claims.claim(Claim(Question("web", "staging")), gate.in_force)
    console = Console(gate.store, gate.clock)
    gate.clock.at = begun + DAY
    assert console.count_prunable(KEEP) == 0
    assert console.prune(KEEP, folder, None, force=True).events == 0
    gate.clock.at = begun + LONG
    await gate.claims.claim(Claim(Question("web", "staging")), gate.in_force)
    last = all_events(gate.store)[-1].seq
    found = console.prune(KEEP, folder, None, force=True)
    assert found.begins is not None
    assert (found.events, found.begins.until // 1_000_000) == (last - 1, begun)


async def test_a_stretch_says_until_its_youngest_event(gate: Gate, folder: Path) -> None:
    begun = gate.clock.at
    for at in (begun, begun - DAY):
        gate.clock.at = at
        await gate.claims.claim(Claim(Question("web", "staging")), gate.in_force)
    gate.clock.at = begun + LONG
    await gate.claims.claim(Claim(Question("web", "staging")), gate.in_force)
    found = Console(gate.store, gate.clock).prune(KEEP, folder, None, force=True)
    assert found.begins is not None
    assert found.begins.until // 1_000_000 == begun


async def test_without_an_archive_the_rest_stays_provable(old: Gate, console: Console, folder: Path) -> None:
    found = console.prune(KEEP, None, None, force=True)
    assert found.files == ()
    assert verify(old.store.query).whole
    with pytest.raises(ArchiveError, match="without an archive"):
        console.verify_archive(folder, None)


async def test_a_record_that_is_not_whole_is_not_pruned(
    old: Gate, console: Console, folder: Path, raw: Any
) -> None:
    raw.execute("UPDATE events SET actor = 'eve' WHERE seq = 5")
    with pytest.raises(PruneError, match="event 5 was changed"):
        console.prune(KEEP, folder, None, force=True)
    assert old.store.query(lambda view: view.latest_pruned()) is None
    assert files_of(folder) == []


async def test_one_process_prunes_at_a_time(old: Gate, console: Console, folder: Path) -> None:
    now = old.clock.now()
    old.store.transact(lambda transaction: transaction.take_named_lease("pruning", "other", now, now + 15))
    with pytest.raises(PruneError, match="another process"):
        console.prune(KEEP, folder, None, force=True)


async def test_decisions_are_kept_for_three_months_at_least(console: Console, folder: Path) -> None:
    with pytest.raises(PruneError, match="90 days"):
        console.prune(KEEP - 1, folder, None)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE events SET actor = 'eve' WHERE seq = 2", "was changed"),
        ("DELETE FROM events WHERE seq = 2", "other events that stay"),
        ("UPDATE checkpoints SET file = 'other'", "another checkpoint"),
        ("UPDATE checkpoints SET seq = seq - 1, cleared = cleared - 1", "is missing"),
        ("DELETE FROM checkpoints", "is missing"),
    ],
)
async def test_a_change_behind_the_checkpoint_is_found(
    old: Gate, console: Console, folder: Path, raw: Any, change: str, found: str
) -> None:
    console.prune(KEEP, folder, None, force=True)
    raw.execute(change)
    fault = verify(old.store.query).fault
    assert fault is not None
    assert found in fault.what


async def test_a_checkpoint_without_an_event_of_it_is_found(old: Gate, raw: Any) -> None:
    last = all_events(old.store)[-2]
    raw.execute(
        "INSERT INTO checkpoints VALUES "  # noqa: S608 - a number and a hash
        f"({last.seq}, '{last.hash}', 1, 0, 0, NULL, NULL, 0, '', 0)"
    )
    raw.execute(f"DELETE FROM events WHERE seq <= {last.seq} AND kind = 'decision'")  # noqa: S608 - a number
    fault = verify(old.store.query).fault
    assert fault is not None
    assert "no event says" in fault.what


async def test_rows_that_were_put_behind_the_checkpoint_are_found(
    old: Gate, console: Console, folder: Path, raw: Any
) -> None:
    console.prune(KEEP, folder, None, force=True)
    raw.execute("UPDATE decisions SET seq = 3")
    assert "decisions" in {each.table for each in verify(old.store.query).differences}


async def test_a_record_continues_the_checkpoints_of_its_prunings(
    old: Gate, console: Console, folder: Path
) -> None:
    before = all_events(old.store)
    found = console.prune(KEEP, folder, None, force=True)
    assert found.begins is not None
    for link in (before[found.begins.seq - 1], before[-1]):
        assert verify(old.store.query, Checkpoint(link.seq, link.hash)).whole
    fault = verify(old.store.query, Checkpoint(before[3].seq, before[3].hash)).fault
    assert fault is not None
    assert "no checkpoint" in fault.what


@pytest.mark.parametrize("spoil", ["cut", "changed", "unpackable", "gone", "other"])
async def test_a_spoilt_archive_is_found(
    old: Gate, console: Console, folder: Path, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.retention._MOST_IN_FILE", 20)
    console.prune(KEEP, folder, None, force=True)
    files = files_of(folder)
    assert len(files) > 2
    if spoil == "cut":
        files[1].write_bytes(files[1].read_bytes()[:-20])
    elif spoil == "changed":
        packed = bytearray(files[1].read_bytes())
        packed[len(packed) // 2] ^= 1
        files[1].write_bytes(packed)
    elif spoil == "unpackable":
        packed = bytearray(files[1].read_bytes())
        packed[10] |= 0b110  # a type of block that RFC 1951 reserves, right behind the header of RFC 1952
        files[1].write_bytes(packed)
    elif spoil == "gone":
        files[1].unlink()
    else:
        files[1].write_bytes(files[0].read_bytes())
    with pytest.raises(ArchiveError):
        console.verify_archive(folder, None)
    with pytest.raises(ArchiveError):
        verify_all(folder)
    said = verified_by_script(folder, exits=1)
    assert "not whole" in said
    assert "NotWholeError" not in said


async def test_a_file_that_is_not_whole_is_put_aside_and_written_again(
    old: Gate, console: Console, folder: Path, raw: Any, caplog: pytest.LogCaptureFixture
) -> None:
    console.prune(KEEP, folder, None, force=True)
    name = files_of(folder)[0].name
    other = folder.parent / "other"
    other.mkdir()
    (other / name).write_bytes(b"no archive")
    raw.execute("DELETE FROM checkpoints")
    with pytest.raises(PruneError, match="is missing"):
        console.prune(KEEP, other, None, force=True)
    assert (other / f"{name}.broken").read_bytes() == b"no archive"
    assert f"{name}.broken, and its events are written again" in caplog.text


async def test_a_file_that_cannot_be_read_just_now_stays(old: Gate, console: Console, folder: Path) -> None:
    place = folder / "events-000000000001-000000000009.jsonl.gz"
    place.mkdir(parents=True)
    with pytest.raises(ArchiveError, match="directory"):
        console.prune(KEEP, folder, None, force=True)
    assert place.is_dir()


async def test_a_file_is_read_again_before_any_row_goes(
    old: Gate, console: Console, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = all_events(old.store)
    monkeypatch.setattr(
        "app.gate.archive.written", lambda line: written(line).replace(b"staging", b"stagxng")
    )
    with pytest.raises(ArchiveError, match="was changed"):
        console.prune(KEEP, folder, None, force=True)
    assert (all_events(old.store), files_of(folder)) == (before, [])
    monkeypatch.undo()
    assert console.prune(KEEP, folder, None, force=True).events == len(before) - 1


async def test_a_file_that_lost_lines_is_not_taken(
    old: Gate, console: Console, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gate.archive.checkpoint_line", lambda _: {})
    with pytest.raises(ArchiveError, match="cut off"):
        console.prune(KEEP, folder, None, force=True)
    assert old.store.query(lambda view: view.latest_pruned()) is None


async def test_what_was_pruned_is_said_where_it_is_missed(old: Gate, console: Console, folder: Path) -> None:
    first = json.loads(all_events(old.store)[2].data)["answer"]["decision_id"]
    page = old.store.query(lambda view: decisions(view, EVERYTHING, None, 1))
    assert page.since is None
    name = console.prune(KEEP, folder, None, force=True).files[0]
    page = old.store.query(lambda view: decisions(view, EVERYTHING, None, 1))
    assert page.since == format_instant(AFTER)
    outcomes = Outcomes(old.store, old.clock, old.cache)
    for ask in (outcomes.decision(first), outcomes.report(ADMIN, Report(first, "failed"))):
        with pytest.raises(UnknownRecordError, match=f"up to .* were pruned; look for it in the file {name}"):
            await ask
    with pytest.raises(UnknownRecordError, match="were pruned"):
        console.replay(first)
    for unknown in ("dec_0", f"dec_{'z' * 26}", new_id("dec", old.clock.microseconds())):
        with pytest.raises(UnknownRecordError, match=r"that id$"):
            await outcomes.decision(unknown)


async def test_a_backtest_says_how_far_it_reaches(old: Gate, console: Console, folder: Path) -> None:
    console.prune(KEEP, folder, None, force=True)
    candidate = CompiledPolicies(old.in_force.policy_set)
    whole = BacktestRequest(AFTER - DAY, old.clock.at + 1)
    found = backtest(old.store.query, candidate, whole)
    assert (found.progress.decisions, found.since) == (1, AFTER)
    body = to_json(found, old.in_force.policy_set, None, whole)
    assert body["since"] == format_instant(AFTER)
    assert "were pruned" in body["in_words"][-1]
    rest = BacktestRequest(AFTER + DAY, old.clock.at + 1)
    assert backtest(old.store.query, candidate, rest).since is None
