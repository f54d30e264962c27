"""The row of a decision, from the parts that it is joined from: the same as from its text."""

from pathlib import Path
from typing import Any

import pytest

from app.core.audit import Link
from app.core.decision import Question
from app.core.passages import cut, filler, pieces_of
from app.gate.claim import Claim
from app.gate.decision_forms import DecisionForms
from app.gate.record import verify
from app.identity.caller import Caller, Role
from app.store.passages import Form
from app.store.records import DecisionRow
from tests.api.fakes import FakeClock
from tests.gate.conftest import AFTER, gate_on

pytestmark = pytest.mark.anyio

Recorded = list[tuple[Link, DecisionRow]]

CALLERS = (Caller("", Role.CI), Caller('"Ünï" \\ ☂', Role.CI))


def as_form(data: str) -> tuple[Form, list[str]]:
    parts = cut(data)
    order = [place + 1 for place in parts.order]
    return Form(filler(pieces_of(parts.passages), order), len(parts.values) + 1), ["form", *parts.values]


@pytest.fixture
async def recorded(tmp_path: Path, policy_file: Path) -> Recorded:
    gate = gate_on(f"sqlite:///{tmp_path / 'gate.db'}", policy_file, FakeClock(AFTER))
    for number, caller in enumerate(CALLERS):
        for environment in ("production", "staging"):
            for actor in (None, "ada", 'Ünï "☂"'):
                claim = Claim(Question("api", environment), "v1", actor, caller=caller)
                await gate.claims.claim(claim, gate.in_force)
                key = f'k"{number}{environment}{actor}'
                await gate.claims.claim(claim._replace(idempotency_key=key), gate.in_force)
    assert verify(gate.store.query).whole
    links = [
        link for link in gate.store.query(lambda view: view.events_after(0, 999)) if link.kind == "decision"
    ]
    rows = gate.store.query(lambda view: view.decision_rows(0, 999))
    await gate.store.close()
    return [(link, rows[link.seq]) for link in links if link.kind == "decision"]


async def test_the_row_of_each_decision_follows_from_its_form(
    recorded: list[tuple[Link, DecisionRow]],
) -> None:
    told = 0
    for link, row in recorded:
        form, values = as_form(link.data)
        forms = DecisionForms()
        forms.add({"form": form})
        # A quote in a text ends its value, so that the rest of it is in the form: then it is parsed.
        told += forms.is_row(link, values, (*row, link.seq))
        for name in DecisionRow._fields:
            changed: Any = 7 if isinstance(getattr(row, name), int) else "changed"
            assert not forms.is_row(link, values, (*row._replace(**{name: changed}), link.seq)), name
    assert told >= len(recorded) / 3


@pytest.mark.parametrize(
    "data",
    [
        "[]",
        "{}",
        '{"answer": {"continues": {"id": "dec_1"}, "outcome": "allow"}}',
        '{"answer": {"continues": null, "outcome": "override"}}',
        '{"answer": {"continues": null, "outcome": "allow", "services": ["a"]}}',
        '{"answer": {"continues": null, "outcome": "allow"}, "deploy_id": "x"}',
        '{"answer": {"service": "x\\"y',
    ],
)
def test_what_does_not_follow_from_a_form_is_left_to_be_parsed(data: str) -> None:
    form, values = as_form(data)
    forms = DecisionForms()
    forms.add({"form": form})
    row = DecisionRow(
        "dec_1", 1, "a", "b", "allow", "", None, None, None, None, "r", None, "c", 0, None, None
    )
    assert not forms.is_row(Link(1, 1, "decision", "", data, "", ""), values, (*row, 1))


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.gate.decision_forms._MOST", 1)
    forms = DecisionForms()
    for name in "abc":
        forms.add({name: as_form("{}")[0]})
    assert set(forms._columns) == {"c"}
