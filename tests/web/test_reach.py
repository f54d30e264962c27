"""How far the record reaches: what is said of a time that was pruned, or that came before the gate."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import run
from app.core.instant import DAY, parse_instant
from app.gate.keys import KeyRequest, create
from app.gate.pruning import Pruning, Retention
from app.identity.caller import Role
from tests.api.fakes import FakeClock
from tests.cli.served import ServedGate, served
from tests.gate.conftest import FRIDAY, gate_on
from tests.gate.pruning import KEEP, fill
from tests.web.pages import Page

NOW = "2026-11-27T13:05:00Z"
UNTIL = "Mon 11 May 15:05 CEST"
PRUNED = f"Decisions up to {UNTIL} were pruned; look for older ones in the archive."


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    """A gate whose decisions of 200 days ago went into the archive."""
    folder = tmp_path_factory.mktemp("reach")
    (folder / "policies.yaml").write_text(FRIDAY)
    asyncio.run(_prune(folder))
    with served(folder, FRIDAY, NOW) as gate:
        for number in range(20):
            gate.client.post("/can-deploy", json={"service": f"s{number}", "environment": "staging"})
        yield gate


async def _prune(folder: Path) -> None:
    clock = FakeClock(parse_instant(NOW) - 200 * DAY)
    gate = gate_on(f"sqlite:///{folder / 'gate.db'}", folder / "policies.yaml", clock)
    await fill(gate, 3)
    clock.at += 198 * DAY
    # A clock without an event since would be doubted.
    create(gate.store, clock, KeyRequest("late", Role.VIEWER), "test")
    clock.at += 2 * DAY
    pruning = Pruning(gate.store, clock, "one", Retention(KEEP, folder / "archive"))
    assert await pruning.look() is not None
    pruning.stop()
    await gate.store.close()


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ("--to 2026-06-01", ["No decision matches.", PRUNED]),
        ("--from 2026-06-01 --to 2026-07-01", ["No decision matches."]),
        ("--limit 20", [PRUNED]),
        ("--limit 19", ["Older ones follow; show them with --cursor"]),
    ],
)
def test_a_list_of_decisions_says_how_far_it_reaches(
    options: str,
    lines: list[str],
    pruned: ServedGate,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FREEZEGATE_URL", pruned.url)
    monkeypatch.delenv("FREEZEGATE_API_KEY", raising=False)
    assert run(["decisions", "list", *options.split()]) == 0
    out, err = capsys.readouterr()
    said = [each for each in (out + err).splitlines() if not each.startswith(("TIME", "20", "Fri"))]
    assert len(said) == len(lines)
    assert all(found.startswith(line) for found, line in zip(said, lines, strict=True)), said


def test_the_page_of_decisions_says_how_far_it_reaches(pruned: ServedGate) -> None:
    for query, is_said in (("to=2026-06-01", True), ("", True), ("from=2026-06-01&to=2026-07-01", False)):
        text = Page(pruned.client.get(f"/dashboard/decisions?{query}").text).text
        assert (PRUNED in text) == is_said, query


def test_the_past_says_which_deploys_it_does_not_know(pruned: ServedGate) -> None:
    text = Page(pruned.client.get("/dashboard/past?from=2026-05-11").text).text
    assert f"Deploys up to {UNTIL} are not shown: their decisions were pruned" in text
    assert "nothing deployed" not in text
    assert "pruned" not in Page(pruned.client.get("/dashboard/past").text).text


def test_the_past_before_the_gate_is_not_called_open(pruned: ServedGate) -> None:
    text = Page(pruned.client.get("/dashboard/past?view=week&from=2026-05-11").text).text
    assert f"The record tells the policies from {UNTIL} on." in text
    assert "Never frozen in this time" not in text
    assert "staging 0 freezes" not in text
    assert f"Never frozen since {UNTIL}" in text


def test_the_page_of_a_service_says_where_the_record_begins(tmp_path: Path) -> None:
    with served(tmp_path, FRIDAY, NOW) as gate:
        gate.clock.at += DAY
        text = Page(gate.client.get("/services/web").text).text
    assert "The record tells the policies from Fri 27 Nov 14:05 CET on." in text
