"""Verification on two cores: another process verifies pages meanwhile, and finds the same."""

import gc
import io
import json
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.core.audit import Checkpoint
from app.core.rollup import Weights
from app.gate import pages_ahead
from app.gate.child_process import READY
from app.gate.decision_forms import DecisionForms
from app.gate.findings import Findings
from app.gate.page_check import PageCheck, PageFound, PageRequest
from app.gate.page_rows import PageRows, read_rows
from app.gate.pages_ahead import HelperProcess, helper_for
from app.gate.record import Verification, verify
from app.gate.rollup_check import DecisionWeights
from app.gate.verify_worker import work
from tests.gate.conftest import Gate

pytestmark = pytest.mark.anyio


KEY = b"k" * 32


class Beside:
    """A helper in this process: it verifies a page only when its answer is waited for, or at once."""

    is_free = True

    def __init__(self, gate: Gate, *, slow: bool) -> None:
        self._gate, self._slow = gate, slow
        self.pages = PageCheck(Weights(b""))
        self._asked: list[PageRequest] = []
        self.found = 0

    def ask(self, request: PageRequest) -> None:
        self._asked.append(request)
        self.is_free = len(self._asked) < 2

    def answers(self, *, wait: bool) -> dict[int, PageFound | None]:
        if not self._asked or (self._slow and not wait):
            return {}
        request = self._asked.pop(0)
        self.is_free = True
        self.found += 1
        page = self._gate.store.query(lambda view: self.pages.check_ahead(view, request))
        return {request.after: page and PageFound.from_json(json.loads(json.dumps(page.to_json())))}


@contextmanager
def lent(helper: Beside, _: int, key: bytes) -> Iterator[Any]:
    helper.pages = PageCheck(Weights(key))
    yield helper


def note(told: list[int], seq: int, _: int) -> None:
    told.append(seq)


def verified(gate: Gate, against: Checkpoint | None = None) -> Verification:
    """Verify with a helper and without; both must find the same."""
    alone = verify(gate.store.query, against)
    for slow in (False, True):
        told: list[int] = []
        helper = Beside(gate, slow=slow)
        beside = verify(gate.store.query, against, partial(note, told), partial(lent, helper))
        assert beside == alone
        assert told == [*range(1, alone.events + 1)]
        assert helper.found or not alone.whole
    return alone


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.gate.page_check.TOGETHER", 2)
    monkeypatch.setattr("app.gate.record._PROGRESS_EVERY", 1)


async def test_it_finds_the_same_in_a_whole_record(busy: Gate) -> None:
    assert verified(busy).whole


@pytest.mark.parametrize("seq", [1, 4, 5, 12])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET actor = 'eve' WHERE seq = {}",
        "UPDATE events SET previous = hash WHERE seq = {}",
        "UPDATE events SET seq = 100 WHERE seq = {}",
    ],
    ids=["changed", "not in the chain", "missing"],
)
async def test_it_finds_the_same_event_that_is_wrong(busy: Gate, raw: Any, statement: str, seq: int) -> None:
    raw.execute(statement.format(seq))
    fault = verified(busy).fault
    assert fault is not None
    assert fault.seq == seq


async def test_a_border_that_does_not_join_is_found(busy: Gate, raw: Any) -> None:
    """Each page is right by itself; the second one follows another event than the one that is there."""
    links = busy.store.query(lambda view: view.events_after(0, 99))
    raw.execute(f"UPDATE events SET previous = '{links[1].hash}' WHERE seq = 5")  # noqa: S608 - a hash
    fault = verified(busy).fault
    assert fault is not None
    assert fault.seq == 5


async def test_it_finds_the_same_differences(busy: Gate, raw: Any) -> None:
    raw.execute("UPDATE decisions SET actor = 'eve'")
    raw.execute("DELETE FROM freezes")
    raw.execute("DELETE FROM spends")
    assert {"decisions", "freezes"} <= {each.table for each in verified(busy).differences}


async def test_the_process_answers_as_one_verifies_here_and_ends_with_its_input(busy: Gate) -> None:
    asked = [json.dumps([busy.store.url, KEY.hex()]), "[0, null, 5]", '[5, [7, "0"], 5]', "[40, null, 5]"]
    said = io.BytesIO()
    work(io.BytesIO("\n".join(asked).encode()), said)
    ready, *answers = said.getvalue().splitlines(keepends=True)
    assert ready == READY
    pages = [PageFound.from_json(json.loads(answer)) for answer in answers]
    links = busy.store.query(lambda view: view.events_after(0, 99))
    assert pages[0].reached == (5, links[4].hash)
    assert pages[1].previous == links[4].hash
    assert pages[1].fault is not None
    assert pages[1].fault.seq == 7
    assert (pages[2].reached.seq, pages[2].is_full) == (40, False)


async def test_a_process_of_its_own_helps_where_it_is_worth_it(
    busy: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with helper_for(busy.store.url, 5, KEY) as none:
        assert none is None
    monkeypatch.setattr(pages_ahead, "_WORTH_IT", 5)
    monkeypatch.setattr(pages_ahead, "_cores", lambda: 1)
    with helper_for(busy.store.url, 5, KEY) as none:
        assert none is None
    monkeypatch.setattr(pages_ahead, "_cores", lambda: 2)
    with ready(busy.store.url, 5, KEY) as helper:
        assert helper.is_free
    assert verify(busy.store.query, helper=partial(ready, busy.store.url)).whole
    assert helper._process.returncode is not None


@contextmanager
def ready(url: str, events: int, key: bytes, *, killed: bool = False) -> Iterator[HelperProcess]:
    with helper_for(url, events, key) as helper:
        assert isinstance(helper, HelperProcess)
        assert key.hex() not in str(helper._process.args)
        while not helper.is_free:
            helper.answers(wait=True)
        if killed:
            os.kill(helper._process.pid, 9)
        yield helper


async def test_a_process_that_is_killed_is_done_without(busy: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages_ahead, "_WORTH_IT", 5)
    monkeypatch.setattr(pages_ahead, "_cores", lambda: 2)
    assert verify(busy.store.query, helper=partial(ready, busy.store.url, killed=True)).whole


@pytest.mark.parametrize("why", ["no process", "no thread", "no folder", "no path of Python"])
async def test_a_process_that_cannot_be_started_is_done_without(
    busy: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, why: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread") if why == "no thread" else BlockingIOError(11, "again")

    with monkeypatch.context() as patched:
        patched.setattr(pages_ahead, "_WORTH_IT", 5)
        patched.setattr(pages_ahead, "_cores", lambda: 2)
        if why == "no process":
            patched.setattr("subprocess.Popen", refuse)
        elif why == "no thread":
            patched.setattr("threading.Thread.start", refuse)
        elif why == "no folder":
            (tmp_path / "gone").mkdir()
            patched.chdir(tmp_path / "gone")
            (tmp_path / "gone").rmdir()
        else:
            patched.setattr("sys.executable", "")
        assert verify(busy.store.query, helper=partial(helper_for, busy.store.url)).whole
    assert "can be started" in caplog.text


async def test_a_page_is_let_go_of_at_once(busy: Gate) -> None:
    """The process that helps looks for cycles seldom: what it has read must not wait for that."""
    rows = busy.store.query(
        lambda view: PageRows(
            read_rows(view, [], (0, 9)), DecisionForms(), DecisionWeights(Weights(KEY)), Findings()
        )
    )
    left = weakref.ref(rows)
    gc.disable()
    del rows
    gone = left() is None
    gc.enable()
    assert gone
