"""``freezegate store prune``, and ``freezegate audit`` with an archive."""

import asyncio
import json
from pathlib import Path

import pytest

from app.cli import run
from app.clock import SystemClock
from app.core.instant import DAY
from app.gate.event_feed import SIEM, EventFeed
from app.store.store import Store
from tests.api.fakes import FakeClock
from tests.gate.conftest import FRIDAY, gate_on
from tests.gate.pruning import all_events, archived, files_of, fill, verified_by_script


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of events of a database of 200 days ago."""
    policies = tmp_path / "policies.yaml"
    policies.write_text(FRIDAY)
    url = f"sqlite:///{tmp_path / 'gate.db'}"
    monkeypatch.setenv("FREEZEGATE_DATABASE_URL", url)

    async def make() -> int:
        gate = gate_on(url, policies, FakeClock(SystemClock().now() - 200 * DAY))
        await fill(gate, 12)
        found = len(all_events(gate.store))
        await gate.store.close()
        return found

    return asyncio.run(make())


def said(capsys: pytest.CaptureFixture[str], command: str, *more: str, exits: int = 0) -> str:
    assert run([*command.split(), *more]) == exits
    out, err = capsys.readouterr()
    return out + err


def test_what_is_old_is_pruned_and_both_parts_are_verified(
    events: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, export = tmp_path / "archive", tmp_path / "export.jsonl"
    assert said(capsys, "store prune --keep 90d --dry-run") == f"{events} events would be pruned.\n"
    assert json.loads(said(capsys, "store prune --keep 90d --dry-run --json"))["events"] == events
    for days in ("300d", "400d", "1200d"):
        assert "Nothing to prune." in said(capsys, "store prune --keep", days)
    assert "--keep 90d" in said(capsys, "store prune --help")
    monkeypatch.setenv("FREEZEGATE_KEEP_DECISIONS", "100d")
    found = json.loads(said(capsys, "store prune --force --json"))
    assert (found["events"], found["files"]) == (events, [path.name for path in files_of(archive)])
    assert found["checkpoint"]["seq"] == events
    assert "Nothing to prune: the record begins after" in said(capsys, "store prune")
    text = said(capsys, "audit verify --archive", str(archive))
    assert f"It begins after event {events}" in text
    assert f"The archive is whole: 1 file, events 1 to {events}" in text
    assert json.loads(said(capsys, "audit verify --json --archive", str(archive)))["archive"]["files"] == 1
    assert json.loads(said(capsys, "audit verify --json"))["pruned"]["sha256"]
    said(capsys, "audit export --output", str(export))
    assert "1 file is whole: " in verified_by_script(archive, export)
    assert "there is no folder" in verified_by_script(tmp_path / "elsewhere", exits=2)
    assert "there is no file events-*.jsonl.gz" in verified_by_script(tmp_path, exits=1)
    said(capsys, "audit verify --against", str(export))
    monkeypatch.delenv("FREEZEGATE_DATABASE_URL")
    assert "The archive is whole" in said(capsys, "audit verify --offline --archive", str(archive))
    offline = said(capsys, "audit verify --offline --json --archive", str(archive))
    assert json.loads(offline)["events"] == events


def test_what_waits_for_the_siem_is_told(
    events: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'gate.db'}")
    feed = EventFeed(store, SystemClock(), SIEM, "one", from_start=True)

    async def begin() -> None:
        assert await feed.take()
        assert await feed.batch()

    asyncio.run(begin())
    store.let_go()
    command = "store prune --archive none --keep 180d"
    told = (
        f"{events} old events wait for the SIEM, which doesn't have them yet, up to 30 days longer than "
        "--keep; --force prunes them now.\n"
    )
    assert said(capsys, command) == told
    assert said(capsys, command, "--dry-run") == f"0 events would be pruned.\n{told}"
    for options in ((), ("--dry-run",)):
        found = json.loads(said(capsys, command, "--json", *options))
        assert (found["events"], found["waiting"]) == (0, events)
    assert said(capsys, command, "--dry-run", "--force") == f"{events} events would be pruned.\n"
    assert said(capsys, command, "--force").startswith(f"{events} events pruned; ")


def test_a_spoilt_archive_is_an_error_that_was_found(
    events: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "elsewhere"
    text = said(capsys, "store prune --keep 90d --force --archive", str(archive))
    assert f"{events} events pruned" in text
    begins = text.splitlines()[-1]
    assert begins.startswith(f"It begins after event {events}: {events} events went into the archive; ")
    assert begins in said(capsys, "audit verify")
    (path,) = files_of(archive)
    path.write_bytes(path.read_bytes()[:-9])
    for options in ((), ("--offline",)):
        assert path.name in said(capsys, "audit verify --archive", str(archive), *options, exits=1)


def test_policies_that_are_deleted_are_counted(
    events: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(FRIDAY.replace("14:00", "15:00"))
    later = FakeClock(SystemClock().now() - 150 * DAY)
    gate_on(f"sqlite:///{tmp_path / 'gate.db'}", policies, later).store.let_go()
    assert "1 text of policies deleted" in said(capsys, "store prune --keep 90d --force --archive none")
    store = Store.open(f"sqlite:///{tmp_path / 'gate.db'}")
    assert archived(tmp_path / "archive") == []
    assert store.query(lambda view: view.oldest_decision()) is None
    store.let_go()
    assert "were pruned without an archive" in said(capsys, "audit verify")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("store prune", "--keep 400d"),
        ("store prune --keep 30d", "--keep: must be 90d at least, not '30d'"),
        ("store prune --keep 4h", "--keep: must be like 400d, not '4h'"),
        ("audit verify --offline", "--archive"),
    ],
)
def test_what_is_missing_is_wrong_usage(
    events: int, command: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in said(capsys, command, exits=2)
