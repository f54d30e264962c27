"""Rollups: decisions counted by minute, so that insights don't have to read each of them.

A minute is the finest unit that policies are written in, and all zones differ by whole minutes: so the counts
of a minute say which hour of the week they belong to, and which policies were active, in any zone.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from app.core.decision import Outcome
from app.core.decision_json import AD_HOC
from app.core.instant import DAY, MINUTE
from app.core.waits import Request, Waiting

SUCCEEDED: Final = "succeeded"

FREEZE_ID: Final = "frz_"
"""How the id of an ad-hoc freeze begins; no policy can have such an id."""


FAILED_BITS: Final = 31
"""Where reported and failed decisions are one number: the low bits, which are those that failed."""


class Decided(NamedTuple):
    """A recorded decision with its latest report, reduced to the fields that are counted."""

    at: int
    service: str
    """The service; several as in `Question.joined`."""
    environment: str
    change: str
    outcome: str
    blocking: str | None
    """The ids of the rules that vetoed, joined by commas, whether or not a token lifted them."""
    result: str | None
    """The result of the latest report; None without any."""

    @property
    def request(self) -> Request:
        """The request that was decided."""
        return self.service, self.environment, self.change


class Cell(NamedTuple):
    """The features of decisions that are counted together."""

    request: Request
    outcome: str
    """``allow``, which includes warnings, ``override`` or ``deny``."""
    blocking: str
    """The ids under which the vetoes are counted, sorted and joined by commas; empty for plain allows."""

    @property
    def digest(self) -> int:
        """See `digest_of`."""
        return digest_of((*self.request, self.outcome, self.blocking))

    @property
    def names(self) -> frozenset[str]:
        """The ids under which the vetoes are counted."""
        return names_in(self.blocking)


class Counts(NamedTuple):
    """Numbers of decisions."""

    decisions: int
    reported: int = 0
    """Of them, those of whose deploy an outcome was reported."""
    failed: int = 0
    """Of the reported, those that failed or were rolled back."""


class Place(NamedTuple):
    """A minute in which decisions with the same features are counted."""

    day: int
    """Days since the Unix epoch, in UTC."""
    minute: int
    """The minute of the day, in UTC."""
    cell: Cell


def place_of(decided: Decided) -> Place:
    """Return where a decision is counted."""
    day, rest = divmod(decided.at, DAY)
    return Place(day, rest // MINUTE, cell_of(decided))


def cell_of(decided: Decided) -> Cell:
    """Return the features under which a decision is counted."""
    if decided.outcome in (Outcome.DENY, Outcome.OVERRIDE):
        return Cell(decided.request, decided.outcome, _counted(decided.blocking or ""))
    return Cell(decided.request, Outcome.ALLOW.value, "")


def counts_of(result: str | None) -> Counts:
    """Return the counts of one decision with this latest report."""
    return Counts(1, int(result is not None), int(has_failed(result)))


def has_failed(result: str | None) -> bool:
    """Return whether a report, if there is any, says that a deploy failed or was rolled back."""
    return result is not None and result != SUCCEEDED


def change_by_report(before: str | None, result: str) -> Counts:
    """Return how a report changes the counts of its decision; `before` is the report that it supersedes."""
    return Counts(0, int(before is None), int(has_failed(result)) - int(has_failed(before)))


def digest_of(names: Iterable[str]) -> int:
    """Return a number of 64 bits, signed, by which names are found; different ones may have the same."""
    digest = blake2b("\0".join(names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@lru_cache(maxsize=4_096)
def _counted(blocking: str) -> str:
    """Return the ids under which vetoes are counted: ad-hoc freezes share one."""
    ids = filter(None, blocking.split(","))
    return ",".join(sorted({AD_HOC if rule_id.startswith(FREEZE_ID) else rule_id for rule_id in ids}))


@lru_cache(maxsize=4_096)
def names_in(blocking: str) -> frozenset[str]:
    """Return ids that were joined by commas."""
    return frozenset(filter(None, blocking.split(",")))


def follow(waiting: Waiting, decided: Iterable[tuple[int, Decided]]) -> None:
    """Let decisions begin and end waits, in the order of their positions in the record."""
    for seq, each in decided:
        if each.outcome == Outcome.DENY:
            waiting.denied(seq, each.at, each.request, cell_of(each).names)
        else:
            waiting.allowed(each.at, each.request)


class Weights:
    """The numbers that counts are multiplied by in the sums of a day.

    They follow from the random key of one run: nobody can choose other counts that have the same sum.
    """

    def __init__(self, key: bytes) -> None:
        """Take the key, of up to 64 random bytes."""
        self.key = key
        self.of_minutes: Final = tuple(self._number("minute", str(minute)) for minute in range(DAY // MINUTE))
        self._reported, self._failed = self._number("reported"), self._number("failed")

    def of_cell(self, cell: Cell) -> int:
        """Return the weight of the counts of a cell."""
        return self._number("cell", *cell.request, cell.outcome, cell.blocking)

    def times(self, weight: int, minute: int, counts: Counts) -> int:
        """Return what the counts of a minute add to a sum, for a cell of a weight.

        Raises:
            ValueError: there is no such minute, or the counts are no numbers.
        """
        if {*map(type, (minute, *counts))} != {int} or not 0 <= minute < len(self.of_minutes):
            raise ValueError("no counts of a minute")
        number = counts.decisions + counts.reported * self._reported + counts.failed * self._failed
        return weight * self.of_minutes[minute] * number

    def _number(self, *names: str) -> int:
        digest = blake2b(repr(names).encode(), digest_size=8, key=self.key).digest()
        return int.from_bytes(digest, "big")


class DayDigests:
    """Sums of what is counted by day, in constant memory: equal if the counts of each minute and cell are."""

    def __init__(self) -> None:
        """Begin with no day."""
        self.sums: dict[int, int] = {}

    def add(self, day: int, value: int) -> None:
        """Add to the sum of a day; see `Weights.times`."""
        self.sums[day] = self.sums.get(day, 0) + value

    def add_all(self, others: "DayDigests") -> None:
        """Add the sums of other decisions."""
        for day, value in others.sums.items():
            self.sums[day] = self.sums.get(day, 0) + value

    def differing(self, other: "DayDigests", after: int) -> list[int]:
        """Return the days after a day of which the sums differ, in order."""
        days = {day for day in {*self.sums, *other.sums} if day > after}
        return sorted(day for day in days if self.sums.get(day, 0) != other.sums.get(day, 0))
