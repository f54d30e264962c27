"""The findings of a comparison of tables with the record: those of its pages add up."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from app.core.rollup import DayDigests

MOST_NAMED: Final = 100
"""Differences that are listed; more are only counted."""


class Difference(NamedTuple):
    """A row that differs from the record."""

    table: str
    id: str
    what: str


class Findings:
    """Differences found so far, and the sums that are compared at the end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.differences: list[Difference] = []
        self.found = 0
        """The number of differences, listed or not."""
        self.unproven: Counter[str] = Counter()
        """Counts, by kind, of values that older events lack and that can't be compared."""
        self.events_of: Counter[str] = Counter()
        """Counts of the events that imply a row, by table."""
        self.missing: Counter[str] = Counter()
        """Counts of those of which the row is missing."""
        self.revisions: set[str] = set()
        """The policies that decisions were made by."""
        self.sums = DayDigests()
        """The decisions that rollups should count."""

    def differs(self, table: str, own_id: str, what: str) -> None:
        """Report a row that differs."""
        self.found += 1
        if len(self.differences) < MOST_NAMED:
            self.differences.append(Difference(table, own_id, what))

    def compare(self, table: str, own_id: str, expected: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Report the columns that differ from the expected ones; empty, null and missing are equal."""
        wrong = [name for name in expected if (expected[name] or None) != (row.get(name) or None)]
        if wrong:
            self.differs(table, own_id, f"differs from the record in {', '.join(wrong)}")

    def compare_all(
        self, table: str, expected: Mapping[str, dict[str, Any]], rows: Mapping[str, dict[str, Any]]
    ) -> None:
        """Report the rows that are missing, in no event, or differ."""
        for own_id in expected.keys() - rows.keys():
            self.differs(table, own_id, "is missing")
        for own_id, row in rows.items():
            if own_id in expected:
                self.compare(table, own_id, expected[own_id], row)
            else:
                self.differs(table, own_id, "is in no event")

    def add(self, later: "Findings") -> None:
        """Add what was found in later events."""
        self.found += later.found
        self.differences += later.differences[: MOST_NAMED - len(self.differences)]
        self.unproven += later.unproven
        self.events_of += later.events_of
        self.missing += later.missing
        self.revisions |= later.revisions
        self.sums.add_all(later.sums)

    def to_json(self) -> dict[str, Any]:
        """Return them for another process."""
        return {
            "differences": self.differences,
            "found": self.found,
            "counts": [self.unproven, self.events_of, self.missing],
            "revisions": sorted(self.revisions),
            "sums": list(self.sums.sums.items()),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Findings":
        """Return the findings of another process."""
        read = cls()
        read.differences = [Difference(*each) for each in said["differences"]]
        read.found = said["found"]
        read.unproven, read.events_of, read.missing = map(Counter, said["counts"])
        read.revisions = set(said["revisions"])
        read.sums.sums = {day: value for day, value in said["sums"]}  # noqa: C416 - mypy can't tell pairs
        return read
