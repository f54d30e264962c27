"""Write imported policies as the text of a policy file, with comments on their origin and with tests.

Texts of a source are hostile until proven otherwise: in comments they are on one line without control
characters, as values they are in double quotes with everything beyond printable characters escaped.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.core.decision_text import one_line
from app.policies.importers.assemble import Assembled, Entry
from app.policies.importers.evidence import Proven
from app.policies.importers.imported import Imported, Remark

_PLAIN: Final = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)
"""Texts that need no quotes; the words of YAML itself are excluded by `_WORDS`."""

_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_LISTS: Final = frozenset({"when", "except_when", "applies_to", "exempt"})
_LONGEST_COMMENT: Final = 400
_USUAL: Final = ("production",)
"""The default of `environments`."""


def policy_text(imported: Imported, assembled: Assembled, proven: Proven, head: Sequence[str]) -> str:
    """Return the text of the file.

    Args:
        imported: what the importer returned, for the remarks.
        assembled: the values that stand above the policies.
        proven: the policies and tests to write.
        head: lines of a comment that say what the file was made from.
    """
    lines = [f"# {_comment(line)}" for line in head]
    lines += _remarks("Not imported:", imported.refused)
    lines += _remarks("Differs from the source:", imported.differences)
    lines += ["version: 1", f"timezone: {_value(assembled.timezone)}"]
    if tuple(assembled.environments) != _USUAL:
        lines.append(f"environments: {_value(list(assembled.environments))}")
    lines += ["", "policies:" if proven.entries else "policies: []"]
    for entry in proven.entries:
        lines += _policy(entry)
    if proven.tests:
        lines += ["", "tests:", *(f"  - {_value(test)}" for test in proven.tests)]
    return "".join(f"{line}\n" for line in lines)


def _policy(entry: Entry) -> Iterator[str]:
    yield ""
    for origin in entry.source.origins:
        yield f"  # {_comment(str(origin))}"
    if entry.source.wider:
        yield f"  # {_comment(entry.source.wider)}"
    lead = "  - "
    for key, value in entry.mapping.items():
        if key in _LISTS:
            yield f"{lead}{key}:"
            yield from (f"      - {_item(each)}" for each in value)
        else:
            yield f"{lead}{key}: {_value(value)}"
        lead = "    "


def _item(entry: Mapping[str, Any]) -> str:
    """Return a window as ``weekly: {…}``, and a selector as ``{…}``."""
    if len(entry) == 1 and not isinstance(next(iter(entry.values())), list):
        [(key, value)] = entry.items()
        return f"{key}: {_value(value)}"
    return _value(entry)


def _remarks(head: str, remarks: Sequence[Remark]) -> list[str]:
    return ["#", f"# {head}", *(f"# - {_comment(str(each))}" for each in remarks)] if remarks else []


def _comment(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST_COMMENT else f"{line[: _LONGEST_COMMENT - 1]}…"


def _value(value: Any) -> str:
    """Return a value in YAML's flow style."""
    match value:
        case str():
            return value if _PLAIN.fullmatch(value) and value not in _WORDS else quote(value)
        case Mapping():
            return "{" + ", ".join(f"{key}: {_value(each)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case _:
            return json.dumps(value)


def quote(text: str) -> str:
    """Return a text in double quotes, escaped so that any reader of YAML gets the same text back."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    number = ord(letter)
    return f"\\u{number:04X}" if number <= 0xFFFF else f"\\U{number:08X}"  # noqa: PLR2004 - YAML's two forms
