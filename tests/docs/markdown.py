"""Markdown of the reference pages: tables, examples in YAML, and the blocks of a page that are generated."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_BLOCK = re.compile(r"<!-- generated: (\S+) -->\n.*?<!-- end -->", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_/.+: '-]*")
# Plain scalars that YAML 1.1 reads as a number, a truth value or nothing: other tools still do.
_MISREAD = re.compile(r"\d[\d.]*|\d\d?:\d\d(:\d\d)?|(y|n|yes|no|on|off|true|false|null|~)", re.IGNORECASE)


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """Return a page with its generated blocks written anew; all of `blocks` must be in it, and no others."""
    names = [match[1] for match in _BLOCK.finditer(page)]
    assert sorted(names) == sorted(blocks), set(names) ^ set(blocks)
    return _BLOCK.sub(lambda match: block(match[1], blocks[match[1]]), page)


def block(name: str, content: str) -> str:
    """Return a generated block between its marks."""
    return f"<!-- generated: {name} -->\n\n{content.strip()}\n\n<!-- end -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def code(text: str) -> str:
    """Return a text as code; empty if it is empty."""
    return f"`{text}`" if text else ""


def flow(value: Any) -> str:
    """Return a value as YAML on one line, quoted where YAML 1.1 or 1.2 would read it otherwise."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and not _MISREAD.fullmatch(value) and ": " not in value
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
