"""Exports: whole and in order, rendered by a process of their own, which ends with them."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Final

import pytest

from app.core.decision import Question
from app.gate.claim import Claim
from app.gate.errors import StoreUnavailableError
from app.gate.export_worker import TOGETHER, Form
from app.gate.exports import Exports
from app.gate.record import find_decisions
from app.store.records import DecisionFilter
from tests.gate.conftest import Gate

pytestmark = pytest.mark.anyio

MANY: Final = 2 * TOGETHER + 50
ALL: Final = DecisionFilter()
LINES: Final = Form(None)


async def claim(gate: Gate, many: int) -> None:
    services = ("api", "web")
    claims = (Claim(Question(services[number % 2]), actor="=cmd") for number in range(many))
    await asyncio.gather(*(gate.claims.claim(each, gate.in_force) for each in claims))


async def exported(exports: Exports, form: Form = LINES, wanted: DecisionFilter = ALL) -> bytes:
    whole, cursor = b"", None
    async with exports.open():
        while True:
            part = await exports.page(wanted, cursor, form)
            whole += part.body
            if part.next is None:
                return whole
            cursor = int(part.next)


def variables(process: int) -> set[str]:
    lines = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return {line.partition(b"=")[0].decode() for line in lines}


async def test_every_decision_is_exported_once_newest_first_beside_new_claims(gate: Gate) -> None:
    await claim(gate, MANY)
    expected = find_decisions(gate.store.query, ALL, None, MANY).items
    exports = Exports(gate.store.url)
    async with exports.open():
        parts = [await exports.page(ALL, None, LINES)]
        while parts[-1].next is not None:
            await claim(gate, 3)
            parts.append(await exports.page(ALL, int(parts[-1].next), LINES))
    assert [len(part.body.splitlines()) for part in parts] == [TOGETHER, TOGETHER, MANY - 2 * TOGETHER]
    assert [json.loads(line) for part in parts for line in part.body.splitlines()] == expected


async def test_csv_runs_no_formula_and_policies_are_found_in_a_long_record(gate: Gate) -> None:
    await claim(gate, 9)
    exports = Exports(gate.store.url)
    text = await exported(exports, Form(("service", "actor", "services")), ALL._replace(policy="friday"))
    rows = list(csv.reader(io.StringIO(text.decode())))
    assert sorted(rows) == [[service, "'=cmd", service] for service in ["api"] * 5 + ["web"] * 4]
    assert await exported(exports, wanted=ALL._replace(policy="other")) == b""


async def test_exports_share_a_process_that_ends_with_the_last_of_them(gate: Gate) -> None:
    await claim(gate, MANY)
    exports = Exports(gate.store.url)
    whole = await exported(exports)
    assert exports._process is None
    async with exports.open():
        await exports.page(ALL, None, LINES)
        process = exports._process
        assert process is not None
        assert await asyncio.gather(*(exported(exports) for _ in range(3))) == [whole] * 3
        assert exports._process is process
    assert process.returncode is not None


async def test_an_export_without_its_process_is_cut_off_and_the_next_one_is_not(gate: Gate) -> None:
    await claim(gate, 2)
    exports = Exports(gate.store.url)
    async with exports.open():
        await exports.page(ALL, None, LINES)
        assert exports._process is not None
        exports._process.kill()
        with pytest.raises(StoreUnavailableError, match="can't go on"):
            await exports.page(ALL, None, LINES)
    assert len((await exported(exports)).splitlines()) == 2


async def test_a_client_that_goes_leaves_no_half_page_to_another(gate: Gate) -> None:
    await claim(gate, MANY)
    exports = Exports(gate.store.url)
    async with exports.open():
        before = await exports.page(ALL, None, LINES)
        impatient = asyncio.create_task(exports.page(ALL, 9, LINES))
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        assert await exports.page(ALL, None, LINES) == before


async def test_nothing_is_imported_from_the_working_directory(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither another package `app` nor a `json.py` beside it, also if the path names that folder."""
    await claim(gate, MANY)
    package = tmp_path / "elsewhere" / "app"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package.parent / "json.py").write_text("open('executed', 'w').close()")
    monkeypatch.chdir(package.parent)
    monkeypatch.setenv("PYTHONPATH", ".")
    monkeypatch.syspath_prepend(str(package.parent))
    assert len((await exported(Exports(gate.store.url))).splitlines()) == MANY
    assert not (package.parent / "executed").exists()


async def test_the_other_process_gets_no_secrets(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FREEZEGATE_ADMIN_KEY", "FREEZEGATE_SECRET_KEY", "SIEM_TOKEN", "PGAPPNAME"):
        monkeypatch.setenv(name, "value")
    exports = Exports(gate.store.url)
    async with exports.open():
        await exports.page(ALL, None, LINES)
        assert exports._process is not None
        names = variables(exports._process.pid)
    assert {"PATH", "PGAPPNAME", "PYTHONPATH"} <= names
    assert not [name for name in names if "FREEZEGATE" in name or "TOKEN" in name]
