"""Errors of the YAML parsers, in our own sentences.

libyaml and PyYAML's own parser word their errors differently; both are covered, and an error that is not
in the table is passed on unchanged.
"""

import re
from typing import Final, NamedTuple

import yaml

LARGEST: Final = 16 * 1024 * 1024
"""The size limit of one file, in bytes."""


class Position(NamedTuple):
    """A place in a text; line and column count from 1, the column in characters."""

    line: int
    column: int


class SyntaxFault(Exception):  # noqa: N818 - it never leaves this package: it becomes a Problem
    """A text is not valid YAML 1.2; carries the position and a sentence."""

    def __init__(self, position: Position, sentence: str) -> None:
        self.position = position
        self.sentence = sentence
        super().__init__(sentence)


_FORBIDDEN: Final = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_NAMED: Final = {
    "\0": "a NUL character",
    "\ufeff": "a byte order mark in the middle of the file",
    "\x85": "the line break U+0085",
    "\u2028": "the line break U+2028",
    "\u2029": "the line break U+2029",
}
_LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")

_PIECE: Final = 256 * 1024

_UNCLOSED: Final = "the quotes opened here are never closed"
_MISFIT: Final = "this line does not fit the lines before it; check the indentation and the quotes"
_NO_LIST_HERE: Final = 'a "- " is out of place here; a list begins on a line of its own'
_BAD_ESCAPE: Final = r'a "\" escape that does not exist; write "\\", or use single quotes'
_NO_TAGS: Final = "tags such as !name have no meaning here; leave it out"

_NEED_QUOTES: Final = ("@", "`", "%")

_TOLD_WHERE_IT_BEGAN: Final = (
    "unexpected end of stream",
    "unexpected document separator",
    "unexpected document indicator",
    "could not find expected ':'",
)
"""Errors that are reported where the quotes or the key began, not where the parser gave up."""

_SENTENCES: Final = (
    ("mapping values are not allowed", 'a ":" is out of place here; put a text that holds ": " in quotes'),
    ("could not find expected ':'", 'a ":" is missing after this key, or the indentation is off'),
    ("expected ',' or ']'", '"," or "]" is missing here, in the list that begins in line {line}'),
    ("expected ',' or '}'", '"," or "}" is missing here, in the mapping that begins in line {line}'),
    ("did not find expected key", _MISFIT),
    ("expected <block end>", _MISFIT),
    ("did not find expected '-' indicator", 'this line does not fit the list before it: "- " is missing'),
    ("block sequence entries are not allowed", _NO_LIST_HERE),
    ("sequence entries are not allowed", _NO_LIST_HERE),
    ("block collections are not allowed", _NO_LIST_HERE),
    ("mapping keys are not allowed", 'a "? " or a key is out of place here'),
    ("unexpected end of stream", _UNCLOSED),
    ("unexpected document separator", _UNCLOSED),
    ("unexpected document indicator", _UNCLOSED),
    ("unknown escape character", _BAD_ESCAPE),
    ("escape sequence", _BAD_ESCAPE),
    ("hexdecimal number", _BAD_ESCAPE),
    ("Unicode character code", _BAD_ESCAPE),
    ("undefined tag handle", _NO_TAGS),
    ("while scanning a tag", _NO_TAGS),
    ("while parsing a tag", _NO_TAGS),
    ("while scanning an alias", "an alias (*) needs a name of letters and digits"),
    ("while scanning an anchor", "an anchor (&) needs a name of letters and digits"),
    ("directive", 'a line can\'t begin with "%"; put the text in quotes'),
    ("YAML document", "files are read as YAML 1.2; leave the %YAML line out"),
    ("<document start>", "the document ends here, but the file goes on; check the indentation"),
    ("expected the node content", "a value is missing here"),
    ("expected node content", "a value is missing here"),
    ("block scalar", "a text that begins with | or > is not indented as its first line says"),
)


def check_characters(text: str) -> None:
    """Refuse NUL, control characters, and the line breaks that only YAML 1.1 knows.

    Raises:
        SyntaxFault: at the first such character, or if the text is too long.
    """
    if len(text) > LARGEST:
        raise SyntaxFault(Position(1, 1), "the file is larger than 16 MiB")
    # Piece by piece: no other thread runs while an expression searches a text.
    pieces = range(0, len(text), _PIECE)
    found = next(filter(None, (_FORBIDDEN.search(text, start, start + _PIECE) for start in pieces)), None)
    if found is None:
        return
    letter = found[0]
    name = _NAMED.get(letter, f"the character U+{ord(letter):04X}")
    raise SyntaxFault(position_of(text, found.start()), f"{name} can't stand in a policy file")


def position_of(text: str, index: int) -> Position:
    """Return the line and column of a character."""
    line, begins = 1, 0
    for line_break in _LINE_BREAK.finditer(text, 0, index):
        line, begins = line + 1, line_break.end()
    return Position(line, index - begins + 1)


def fault(error: yaml.YAMLError, text: str) -> SyntaxFault:
    """Turn the error of a YAML parser into ours."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return SyntaxFault(Position(1, 1), "the file can't be read as YAML")
    complaint = ": ".join(filter(None, (error.context, error.problem)))
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return SyntaxFault(Position(1, 1), f"this is not YAML: {complaint}")
    began = error.context_mark or mark
    if any(fragment in complaint for fragment in _TOLD_WHERE_IT_BEGAN):
        mark = began
    position = Position(mark.line + 1, mark.column + 1)
    return SyntaxFault(position, _sentence(complaint, _character(text, position), began.line + 1))


def _sentence(complaint: str, letter: str, began: int) -> str:
    if letter == "\t":
        return "a tab can't indent a line in YAML; use spaces"
    if letter in _NEED_QUOTES and "cannot start any token" in complaint:
        return f'a text that begins with "{letter}" needs quotes'
    if not letter and "node content" in complaint:
        return "the file ends here, in the middle of a list or mapping"
    for fragment, sentence in _SENTENCES:
        if fragment in complaint:
            return sentence.replace("{line}", str(began))
    return f"this is not YAML: {complaint}"


def _character(text: str, position: Position) -> str:
    """Return the character at a position; nothing at the end of a line, or behind the last one."""
    lines = _LINE_BREAK.split(text)[position.line - 1 : position.line]
    return lines[0][position.column - 1 : position.column] if lines else ""
