"""The values that importers take and return.

An importer is a pure function from texts to policies. Each policy brings a second reading of its source:
whether the source's own rules have a window open at an instant. The tests of the written file come from both
readings, and a policy on which they differ isn't written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from app.core.policy import Effect

MOST_WINDOWS: Final = 5_000
"""Policies of one import: with four tests each, they reach the 20,000 tests that a set may have."""


class SourceText(NamedTuple):
    """A file to import."""

    name: str
    text: str


class Origin(NamedTuple):
    """The place of a window in its source; line and column count from 1."""

    file: str
    line: int
    column: int
    window: str
    """Its name, or its path where it has none."""

    def __str__(self) -> str:
        """``appproject.yaml:14:5: spec.syncWindows[2]``."""
        return f"{self.file}:{self.line}:{self.column}: {self.window}"


class Remark(NamedTuple):
    """A sentence about a window: why it is refused, or how the imported policy differs."""

    origin: Origin
    sentence: str

    def __str__(self) -> str:
        """``appproject.yaml:14:5: spec.syncWindows[2]: …``."""
        return f"{self.origin}: {self.sentence}"


@dataclass(frozen=True)
class ImportOptions:
    """The choices that a source leaves open."""

    now: int
    """The instant of the import; the tests show the first windows after it."""
    environments: Sequence[str] = ("production",)
    """The environments that the windows apply to."""
    services: Sequence[str] = ()
    """The services that the windows apply to where the source names none; empty for all."""
    timezone: str | None = None
    """The zone of times that have none in the source; the source's default if None."""
    mapped: Mapping[str, tuple[Literal["services", "environments"], str]] = field(default_factory=dict)
    """Selectors of the source without an equal, each with the field of a selector and its value."""


@dataclass(frozen=True)
class ImportedPolicy:
    """A policy, as far as a source says what it is."""

    name: str
    """The text that its id is made from."""
    title: str
    reason: str
    origins: Sequence[Origin]
    """The windows that it is made from; they become a comment."""
    when: Sequence[Mapping[str, Any]]
    """Windows as in policies.yaml."""
    is_open: Callable[[int], bool]
    """Return whether the source's own rules have one of its windows open at an instant."""
    timezone: str = "UTC"
    effect: Effect = Effect.DENY
    except_when: Sequence[Mapping[str, Any]] = ()
    applies_to: Sequence[Mapping[str, Sequence[str]]] = ()
    """Selectors; every request of the file's environments if empty."""
    exempt: Sequence[Mapping[str, Sequence[str]]] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)
    """Further keys, such as `contact`, `link`, `override` or `running`."""
    wider: str | None = None
    """Why it may freeze at instants at which the source doesn't; None if it is equal."""


@dataclass
class Imported:
    """The result of an importer; it is filled while the texts are read."""

    policies: list[ImportedPolicy] = field(default_factory=list)
    refused: list[Remark] = field(default_factory=list)
    """Windows that can't be expressed, or are invalid in their source."""
    differences: list[Remark] = field(default_factory=list)
    """The differences of imported windows from their sources."""
    calendars: dict[str, str] = field(default_factory=dict)
    """Texts of iCalendar files that windows name, to be written beside the policies."""
    found: int = 0
    """The number of windows in the source, refused ones included."""

    def refuse(self, origin: Origin, sentence: str) -> None:
        """Add a window that isn't imported."""
        self.refused.append(Remark(origin, sentence))

    def differ(self, origin: Origin, sentence: str) -> None:
        """Add a remark on a window that is imported, but not as it stands."""
        self.differences.append(Remark(origin, sentence))
