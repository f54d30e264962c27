"""Exports: answers that go on for as long as there are rows, a page at a time.

The next page is read when the reader has taken the one before, so a slow reader costs a page of memory. A
reader that takes nothing is dropped by the protocol; one that takes all too little meets the deadline. What
was cut off lacks the end that HTTP gives a whole answer, so no client takes it for whole.
"""

import csv
import io
import json
import re
import unicodedata
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.server.concurrency import ConcurrencyLimit
from app.server.responses import NO_STORE

EXPORT_DEADLINE: Final = 900.0
"""Seconds that an export may take: a million rows take a tenth of it, read at full speed."""

MOST_EXPORTS: Final = 8
MOST_EXPORTS_OF_ADDRESS: Final = 4

Rows = Sequence[dict[str, Any]]

_FORMULA: Final = frozenset("=+-@")
_BEGINS_WITH_CONTROL: Final = re.compile(r"[\t\r\n]")


class Export(StreamingResponse):
    """Sends pages as they are taken; one of the exports that may go on at a time."""

    def __init__(self, pages: AsyncIterator[str], media_type: str, limit: ConcurrencyLimit) -> None:
        """Send `pages`, while it counts in `limit`."""
        super().__init__(pages, media_type=media_type, headers=NO_STORE)
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until there are no more pages.

        Raises:
            RefusedError: too many go on already; nothing has been sent.
        """
        with self._limit.held(scope):
            await super().__call__(scope, receive, send)


async def csv_pages(columns: Sequence[str], pages: AsyncIterator[Rows]) -> AsyncIterator[str]:
    """Render rows as CSV (RFC 4180) for spreadsheets: no cell is a formula."""
    yield ",".join(columns) + "\r\n"
    async for rows in pages:
        text = io.StringIO()
        csv.writer(text).writerows([spreadsheet_cell(row[column]) for column in columns] for row in rows)
        yield text.getvalue()


async def ndjson_pages(pages: AsyncIterator[Rows]) -> AsyncIterator[str]:
    """Render rows as JSON, one a line."""
    async for rows in pages:
        yield "".join(json.dumps(row) + "\n" for row in rows)


def spreadsheet_cell(value: object) -> object:
    """Return a value as it may stand in a cell: one that a spreadsheet would run begins with an apostrophe.

    Spreadsheets skip what can't be seen before a formula, and take letters of full width and the like for
    the plain ones (OWASP, "CSV Injection").
    """
    if not isinstance(value, str):
        return value
    if _BEGINS_WITH_CONTROL.match(value):
        return f"'{value}"
    for letter in value:
        plain = unicodedata.normalize("NFKC", letter).lstrip()
        # Blanks, marks of order and direction, controls: categories Z and C.
        if plain and unicodedata.category(letter)[0] not in "ZC":
            return f"'{value}" if plain[0] in _FORMULA else value
    return value
