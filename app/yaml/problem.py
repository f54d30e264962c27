"""Problems of a file, with their positions, and the errors that carry them."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from app.core.errors import FreezegateError

_URL: Final = re.compile(r"(https?://|webcals?://)(?:[^/?#@\s]*@)?([^/?#@\s]*)[/?#][^\s]+", re.IGNORECASE)
_LOOKED_AT: Final = 500

_SHOWN: Final = 60
"""Characters of the author's own text that a sentence repeats."""

MOST_GUESSES: Final = 200
"""Searches for a similar name per file: each may take milliseconds."""

MOST_SHOWN: Final = 200
"""Problems of a set that are shown."""

_MOST_COMPARED: Final = 3000

_SHORTENED: Final = 3
"""The fewest letters of a name that count as its abbreviation: ``prod``."""

Path = tuple[str | int, ...]
"""The keys and list positions that lead to a value."""


class Severity(StrEnum):
    """The severity of a problem: a file with errors can't be used."""

    ERROR = "error"
    WARNING = "warning"


class Problem(NamedTuple):
    """A problem in a file; line and column count from 1."""

    file: str
    line: int
    column: int
    path: str
    """``policies[2].when[0].weekly.from``; empty where it is about the file as a whole."""
    message: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        """``policies.yaml:14:9: policies[2].when[0].weekly.from: …``, as compilers write it."""
        kind = "warning: " if self.severity is Severity.WARNING else ""
        path = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {kind}{path}{self.message}"

    def to_json(self) -> dict[str, object]:
        """Return the fields by their names."""
        return {**self._asdict(), "severity": self.severity.value}


class YamlFileError(FreezegateError):
    """A file can't be used; `problems` holds all of its problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class PolicyFileError(YamlFileError):
    """Policy files can't be used."""


def bounded(problems: Sequence[Problem], more: int = 0) -> list[Problem]:
    """Return the problems to show, in order, errors first, and a last one that counts the rest.

    Args:
        problems: in the order in which they are shown.
        more: the least number of further problems.
    """
    ranked = sorted(range(len(problems)), key=lambda index: problems[index].severity is Severity.WARNING)
    chosen = [problems[index] for index in sorted(ranked[:MOST_SHOWN])]
    left = len(problems) - len(chosen) + more
    if left and chosen:
        last = chosen[-1]
        severity = Severity.ERROR if more else problems[ranked[MOST_SHOWN]].severity
        sentence = f"and {left:,} more; correct these first"
        chosen.append(Problem(last.file, last.line, last.column, "", sentence, severity))
    return chosen


def format_path(path: Path) -> str:
    """Format a path: ``policies[2].when[0]``, and ``services["a.b"]`` for keys with special characters."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("-", "").replace("_", "").isalnum() and len(part) <= _SHOWN:
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def quoted(text: str) -> str:
    """Quote a text of the author's: on one line, shortened if it is long.

    Of a URL, only the scheme and the host are shown: problems leave the machine, and the URLs of calendars
    are secrets.
    """
    return in_quotes(_URL.sub(r"\1\2/…", text[:_LOOKED_AT]))


def in_quotes(text: str) -> str:
    """Quote a text as a whole: a suggestion, to be copied."""
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    escaped = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in shown
    )
    return f'"{escaped}"'


def did_you_mean(text: str, known: Iterable[str], *, cutoff: float = 0.7) -> str:
    """``; did you mean "weekly"?`` where a known name is near, else nothing."""
    near = nearest(text, known, cutoff=cutoff)
    return f"; did you mean {in_quotes(near)}?" if near else ""


def nearest(text: str, known: Iterable[str], *, cutoff: float = 0.7) -> str | None:
    """Return the known name most similar to a text, ignoring case; None if none is near."""
    form = _plain_form(text)
    by_form = {_plain_form(name): name for name in known}
    if len(text) > 2 * _SHOWN or len(by_form) > _MOST_COMPARED:
        return None
    from difflib import get_close_matches  # for a typo only: the client commands are short

    found = get_close_matches(form, by_form, n=1, cutoff=cutoff) or _only_longer(form, by_form)
    return by_form[found[0]] if found else None


def _only_longer(form: str, known: Iterable[str]) -> list[str]:
    """Return the only known form that a text abbreviates, in a list; else none."""
    longer = [each for each in known if each.startswith(form)] if len(form) >= _SHORTENED else []
    return longer if len(longer) == 1 else []


def _plain_form(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")
