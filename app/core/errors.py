"""The errors of the core.

```
FreezegateError
├── MalformedValueError    a text that does not have the expected form
│   ├── FaultyValuesError  values of a mapping that its other values rule out
│   ├── OutOfRangeError    an instant outside the years 2000 to 2100
│   └── TooManyRulesError  several services that too many rules match together
└── UnknownNameError       a name that the policies do not list
```
"""

from collections.abc import Iterable
from typing import Final, NamedTuple


class FreezegateError(Exception):
    """The root of every error that freezegate raises on purpose; its text is a sentence for people."""


class MalformedValueError(FreezegateError, ValueError):
    """A text does not have the form it should have; a ValueError, so that pydantic reports it."""


class Fault(NamedTuple):
    """An error in one value of a mapping."""

    path: tuple[str | int, ...]
    """The key, and the position in its list where it has one."""
    sentence: str
    """If it begins with "not ", it follows the value: ``"UK" is not …``."""


class FaultyValuesError(MalformedValueError):
    """Values of a mapping contradict its other values; `faults` lists all of them."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(fault.sentence for fault in self.faults))

    def within(self, path: tuple[str | int, ...]) -> "FaultyValuesError":
        """Return the same error about the mapping that this one is in, at a path."""
        return FaultyValuesError(Fault((*path, *fault.path), fault.sentence) for fault in self.faults)


class OutOfRangeError(MalformedValueError):
    """An instant lies outside the years 2000 to 2100."""


class TooManyRulesError(MalformedValueError):
    """Too many rules match several services together."""

    def __init__(self, most: int) -> None:
        super().__init__(f"services: more than {most:,} rules match them; name fewer at once")


class UnknownNameError(FreezegateError):
    """A question names an environment, kind of change or service that the policies do not list."""

    def __init__(self, field: str, name: str, known: tuple[str, ...]) -> None:
        self.field = field
        self.name = name
        self.known = known
        super().__init__(field, name, known)

    def __str__(self) -> str:
        """Return the sentence, with a suggestion. It is made only here, because comparing names is slow."""
        return f"{self.without_suggestion}{_suggestion(self.name, self.known)}"

    @property
    def without_suggestion(self) -> str:
        """The sentence alone, for one of many errors."""
        return f"unknown {self.field}"


_MOST_NAMED: Final = 20
_MOST_COMPARED: Final = 200
"""Comparing takes some microseconds a name, and anyone can request an unknown name."""


def _suggestion(name: str, known: tuple[str, ...]) -> str:
    """Return the nearest known name, else all known names if they are few; never the name itself."""
    from difflib import get_close_matches  # for a typo only: the client commands are short

    near = get_close_matches(name, known, 1, 0.7) if len(known) <= _MOST_COMPARED else []
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known: {', '.join(known)}" if 0 < len(known) <= _MOST_NAMED else ""
