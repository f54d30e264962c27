"""The process that renders exports: beside the gate's own, so that no question waits for the interpreter.

``python -m app.gate.export_worker`` reads requests from its input, one JSON object per line, and answers each
with a line of JSON and as many bytes as it says. It ends with its input, so it doesn't outlive its gate.
"""

import contextlib
import json
import os
import sys
from typing import Any, BinaryIO, Final, NamedTuple

from app.core.tabular import csv_text, json_lines
from app.gate.record import Page, find_decisions
from app.store.records import DecisionFilter
from app.store.store import Store

TOGETHER: Final = 200
"""Decisions that are rendered, and held, at a time."""

_PATIENCE: Final = 20.0
"""Seconds that a query may take."""

_LESS_URGENT: Final = 5
"""How much nicer the process is than the gate: with one core for both, questions go first."""


class Form(NamedTuple):
    """The text that rows are rendered as."""

    columns: tuple[str, ...] | None
    """The columns of CSV; None for JSON lines."""

    def text(self, page: Page) -> str:
        """Return the rows of a page as text."""
        if self.columns is None:
            return json_lines(page.items)
        # `services` has the names of the claim in one cell; `service` has several in words.
        named = ({**row, "services": " ".join(row.get("services") or [row["service"]])} for row in page.items)
        return csv_text(self.columns, named)


def work(source: BinaryIO, target: BinaryIO) -> None:
    """Answer requests until they end; the first line is the URL of the database."""
    store = Store(json.loads(source.readline()), _PATIENCE)
    for line in source:
        asked = json.loads(line)
        form = Form(None if asked["columns"] is None else tuple(asked["columns"]))
        head, body = _answer(store, DecisionFilter(*asked["wanted"]), asked["before"], form)
        target.write(json.dumps(head).encode() + b"\n" + body)
        target.flush()
    store.let_go()


def _answer(
    store: Store, wanted: DecisionFilter, before: int | None, form: Form
) -> tuple[dict[str, Any], bytes]:
    page = find_decisions(store.query, wanted, before, TOGETHER)
    body = form.text(page).encode()
    return {"size": len(body), "next": page.next}, body


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(_LESS_URGENT)
    with contextlib.suppress(BrokenPipeError):
        work(sys.stdin.buffer, sys.stdout.buffer)
