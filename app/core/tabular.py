"""Rows as text: CSV that is safe in spreadsheets, and JSON lines."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

_FORMULA: Final = frozenset("=+-@")
_BEGINS_WITH_CONTROL: Final = re.compile(r"[\t\r\n]")


def csv_head(columns: Sequence[str]) -> str:
    """Return the first line of CSV."""
    return ",".join(columns) + "\r\n"


def csv_text(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as CSV (RFC 4180) that is safe in spreadsheets: no cell is a formula."""
    text = io.StringIO()
    csv.writer(text).writerows([spreadsheet_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue()


def json_lines(rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as JSON, one per line."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def spreadsheet_cell(value: object) -> object:
    """Return a value for a cell; put an apostrophe before one that a spreadsheet would run as a formula.

    Spreadsheets skip invisible characters before a formula, and treat full-width characters and the like as
    the plain ones (OWASP, "CSV Injection").
    """
    if not isinstance(value, str):
        return value
    first = value[:1]
    if first.isascii() and first.isalnum():
        return value
    if _BEGINS_WITH_CONTROL.match(value):
        return f"'{value}"
    for letter in value:
        plain = unicodedata.normalize("NFKC", letter).lstrip()
        # Blanks, marks of order and direction, controls: categories Z and C.
        if plain and unicodedata.category(letter)[0] not in "ZC":
            return f"'{value}" if plain[0] in _FORMULA else value
    return value
