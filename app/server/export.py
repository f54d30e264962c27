"""Exports: responses that stream all rows, a page at a time.

The next page is read after the client has taken the previous one, so a slow client costs one page of memory.
The protocol drops a client that takes nothing; a client that is too slow exceeds the deadline. An export
that was cut off lacks the terminating chunk of HTTP, so no client takes it for complete.
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
"""Seconds that an export may take: a million rows take a tenth of it at full speed."""

MOST_EXPORTS: Final = 8
MOST_EXPORTS_OF_ADDRESS: Final = 4

Rows = Sequence[dict[str, Any]]

_FORMULA: Final = frozenset("=+-@")
_BEGINS_WITH_CONTROL: Final = re.compile(r"[\t\r\n]")


class Export(StreamingResponse):
    """A response that streams pages, and counts in the limit of concurrent exports."""

    def __init__(self, pages: AsyncIterator[str], media_type: str, limit: ConcurrencyLimit) -> None:
        """Stream `pages`, within `limit`."""
        super().__init__(pages, media_type=media_type, headers=NO_STORE)
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all pages.

        Raises:
            RefusedError: too many exports are running; nothing has been sent.
        """
        with self._limit.held(scope):
            await super().__call__(scope, receive, send)


async def csv_pages(columns: Sequence[str], pages: AsyncIterator[Rows]) -> AsyncIterator[str]:
    """Render rows as CSV (RFC 4180) that is safe in spreadsheets: no cell is a formula."""
    yield ",".join(columns) + "\r\n"
    async for rows in pages:
        text = io.StringIO()
        csv.writer(text).writerows([spreadsheet_cell(row[column]) for column in columns] for row in rows)
        yield text.getvalue()


async def ndjson_pages(pages: AsyncIterator[Rows]) -> AsyncIterator[str]:
    """Render rows as JSON, one per line."""
    async for rows in pages:
        yield "".join(json.dumps(row) + "\n" for row in rows)


def spreadsheet_cell(value: object) -> object:
    """Return a value for a cell; put an apostrophe before one that a spreadsheet would run as a formula.

    Spreadsheets skip invisible characters before a formula, and treat full-width characters and the like as
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
