"""Rollups of decisions: kept in the transactions that record decisions and reports, and read by insights."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, repeat
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    Select,
    TextClause,
    bindparam,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    text,
)

from app.core.instant import DAY
from app.core.rollup import (
    FAILED_BITS,
    Cell,
    Counts,
    Decided,
    Place,
    change_by_report,
    counts_of,
    digest_of,
    follow,
    names_in,
    place_of,
)
from app.core.waits import Request, Wait, Waiting
from app.store import decision_services
from app.store.columns import columns_of
from app.store.connection import Connection, Row
from app.store.outcomes import COUNTED, LATEST
from app.store.records import DecisionRow
from app.store.tables import (
    STANDING,
    decisions,
    outcomes,
    rollup_cells,
    rollup_days,
    rollup_requests,
    rollups,
    waits,
)

_SUMMED: Final = (
    "ON CONFLICT (day, cell, minute) DO UPDATE SET decisions = rollups.decisions + excluded.decisions, "
    "reported = rollups.reported + excluded.reported, failed = rollups.failed + excluded.failed"
)
_CHANGED: Final = "ON CONFLICT (day) DO UPDATE SET changed = excluded.changed"
_REPLACED: Final = "ON CONFLICT (since, seq) DO UPDATE SET policies = excluded.policies, ends = excluded.ends"


Named = TypeVar("Named", Request, Cell)

MOST_REMEMBERED: Final = 4_096
"""Requests, and cells, whose numbers are in memory: more than a batch has, and most gates have in all."""


class Rollup(NamedTuple):
    """The decisions of a minute that are counted together."""

    day: int
    cell: int
    minute: int
    decisions: int
    reported: int
    failed: int


_NAMES: Final = (rollup_requests.c.service, rollup_requests.c.environment, rollup_requests.c.change)
_OF_CELL: Final = (*_NAMES, rollup_cells.c.outcome, rollup_cells.c.blocking)
_NUMBERED: Final = (
    select(rollup_cells.c.id, *_OF_CELL)
    .join(rollup_requests, rollup_requests.c.id == rollup_cells.c.request)
    .order_by(rollup_cells.c.id)
)
_CELLS: Final = _NUMBERED.where(rollup_cells.c.id > bindparam("after")).limit(bindparam("most"))
_CELLS_OF: Final = _NUMBERED.where(
    or_(rollup_requests.c.service == bindparam("named"), rollup_requests.c.service.contains(","))
)
_LAST_REQUEST: Final = select(func.max(rollup_requests.c.id))
_LAST_CELL: Final = select(func.max(rollup_cells.c.id))
_DAYS: Final = select(rollup_days.c.day, rollup_days.c.changed).where(
    rollup_days.c.day >= bindparam("first"), rollup_days.c.day <= bindparam("last")
)
_UNLISTED: Final = select(rollups.c.day).where(rollups.c.day.not_in(select(rollup_days.c.day))).distinct()
_DECIDED: Final = select(*columns_of(Decided, decisions, result=LATEST)).where(
    decisions.c.id == bindparam("decision_id"), COUNTED
)
_WAITS: Final = (
    select(
        rollup_requests.c.service,
        rollup_requests.c.environment,
        rollup_requests.c.change,
        waits.c.policies,
        waits.c.since,
        waits.c.ends,
    )
    .join(rollup_requests, rollup_requests.c.id == waits.c.request)
    .where(waits.c.since >= bindparam("start"), waits.c.since < bindparam("before"))
)
_ROWS: Final = (
    select(*columns_of(Rollup, rollups)).where(rollups.c.day == bindparam("wanted")).order_by(rollups.c.cell)
)
_PRUNE: Final = (
    delete(rollups).where(rollups.c.day == bindparam("wanted")),
    delete(rollup_days).where(rollup_days.c.day == bindparam("wanted")),
)
_PRUNE_WAITS: Final = delete(waits).where(
    waits.c.since >= bindparam("start"), waits.c.since < bindparam("before")
)
_USED_CELLS: Final = select(rollups.c.cell).where(rollups.c.day == bindparam("wanted")).distinct()
_NUMBERS: Final = (
    select(rollup_cells.c.id)
    .where(rollup_cells.c.id > bindparam("after"))
    .order_by(rollup_cells.c.id)
    .limit(bindparam("most"))
)
_WITHOUT_CELLS: Final = (
    select(rollup_requests.c.id)
    .where(
        rollup_requests.c.id > bindparam("after"),
        ~exists().where(rollup_cells.c.request == rollup_requests.c.id),
    )
    .order_by(rollup_requests.c.id)
    .limit(bindparam("most"))
)
_REQUESTS_OF_WAITS: Final = (
    select(waits.c.request)
    .where(waits.c.since >= bindparam("start"), waits.c.since < bindparam("before"))
    .distinct()
)
_DROP_CELL: Final = delete(rollup_cells).where(rollup_cells.c.id == bindparam("dropped"))
_DROP_REQUEST: Final = delete(rollup_requests).where(
    rollup_requests.c.id == bindparam("dropped"),
    ~exists().where(rollup_cells.c.request == bindparam("dropped")),
)
# The cross join makes SQLite look up each cell in each day, as below.
_USED_SINCE: Final = (
    "SELECT DISTINCT rollups.cell FROM rollup_days CROSS JOIN rollups WHERE rollup_days.changed > :since "
    "AND rollups.day = rollup_days.day AND rollups.cell IN ({})"
)
_REPORTED: Final = (
    select(decisions.c.seq, *columns_of(Decided, decisions, result=LATEST))
    .where(decisions.c.seq > bindparam("after"), decisions.c.id.in_(select(outcomes.c.decision_id)), COUNTED)
    .order_by(decisions.c.seq)
    .limit(bindparam("most"))
)
_MOST_TOGETHER: Final = 64
"""Requests per statement."""


_RESULTS: Final = cast(rollups.c.reported, BigInteger) * (1 << FAILED_BITS) + rollups.c.failed
_ROLLUPS: Final = (
    select(rollups.c.day, rollups.c.cell, rollups.c.minute, rollups.c.decisions, _RESULTS)
    .where(rollups.c.day >= bindparam("first"), rollups.c.day <= bindparam("last"))
    .order_by(rollups.c.day, rollups.c.cell, rollups.c.minute)
)
# The cross join makes SQLite look up each cell in each day, instead of reading all cells of the days.
_OF_CELLS: Final = (
    "SELECT rollups.day, rollups.cell, minute, decisions, "
    "CAST(reported AS BIGINT) * :reported_one + failed "
    "FROM rollup_days CROSS JOIN rollups WHERE rollup_days.day BETWEEN :first AND :last "
    "AND rollups.day = rollup_days.day AND rollups.cell IN ({}) ORDER BY rollups.day, rollups.cell, minute"
)


class WaitRow(NamedTuple):
    """A wait, as insights count it; instants in seconds."""

    request: Request
    policies: frozenset[str]
    since: int
    ends: int | None
    """See `app.core.waits.Wait`."""


class Numbers:
    """The numbers of requests and cells: those that were used last are remembered, others are looked up.

    Numbers are given away within the lock of the audit log. Forget them when a transaction fails: it may have
    given some away.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        """Remember at most `most` requests and as many cells."""
        self._most = most
        self._version = -1
        self._requests: dict[Request, int] = {}
        self._cells: dict[Cell, int] = {}

    def clear(self) -> None:
        """Forget all."""
        self._requests.clear()
        self._cells.clear()

    def as_of(self, version: int) -> None:
        """Forget all if numbers may have been deleted since: `version` is counted up with each deletion."""
        if version != self._version:
            self.clear()
            self._version = version

    def of_requests(self, connection: Connection, wanted: Iterable[Request]) -> dict[Request, int]:
        """Return the numbers of requests; give new ones away."""
        found, missing = _recalled(self._requests, set(wanted))
        if missing:
            found.update(_stored_requests(connection, missing))
            given = _given(connection, _LAST_REQUEST, missing - found.keys())
            rows = [(number, *request, digest_of(request)) for request, number in given.items()]
            connection.insert(rollup_requests, ("id", "service", "environment", "change", "digest"), rows)
            found.update(given)
        self._remember(self._requests, found)
        return found

    def of_cells(self, connection: Connection, wanted: Iterable[Cell]) -> dict[Cell, int]:
        """Return the numbers of cells; give new ones away."""
        found, missing = _recalled(self._cells, set(wanted))
        if missing:
            stored = _stored_cells(connection, missing)
            self._remember(self._requests, {cell.request: request for cell, (_, request) in stored.items()})
            found.update((cell, number) for cell, (number, _) in stored.items())
            given = _given(connection, _LAST_CELL, missing - found.keys())
            requests = self.of_requests(connection, {cell.request for cell in given})
            rows = [
                (number, requests[cell.request], cell.outcome, cell.blocking, cell.digest)
                for cell, number in given.items()
            ]
            connection.insert(rollup_cells, ("id", "request", "outcome", "blocking", "digest"), rows)
            found.update(given)
        self._remember(self._cells, found)
        return found

    def _remember(self, known: dict[Named, int], used: Mapping[Named, int]) -> None:
        """Remember what was used, as the latest; forget what was not used for longest."""
        for each in used:
            known.pop(each, None)
        known.update(used)
        for each in list(islice(known, max(0, len(known) - self._most))):
            del known[each]


class Gathered:
    """The changes of rollups that a transaction gathers, to write them together."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._counts: dict[Place, Counts] = {}
        self._decided: list[tuple[int, Decided]] = []

    def decided(self, seq: int, row: DecisionRow, service: str) -> None:
        """Count a decision; `service` has several as in `Question.joined`."""
        if not row.is_counted:
            return
        decided = Decided(row.at, service, row.environment, row.change, row.outcome, row.blocking, None)
        self._add(place_of(decided), counts_of(None))
        self._decided.append((seq, decided))

    def reported(self, decided: Decided, result: str) -> None:
        """Count a report on a counted decision, which has the result of the report before."""
        self._add(place_of(decided), change_by_report(decided.result, result))

    def write(self, connection: Connection, numbers: Numbers, seq: int) -> None:
        """Write it; `seq` is the position of the latest event of the transaction."""
        if not self._counts:
            return
        by_cell = numbers.of_cells(connection, [place.cell for place in self._counts])
        rows = [
            (place.day, by_cell[place.cell], place.minute, *counts) for place, counts in self._counts.items()
        ]
        connection.insert(rollups, Rollup._fields, rows, _SUMMED)
        days = {place.day for place in self._counts}
        days.update(self.__write_changed(connection, numbers))
        connection.insert(rollup_days, ("day", "changed"), [(day, seq) for day in sorted(days)], _CHANGED)

    def __write_changed(self, connection: Connection, numbers: Numbers) -> set[int]:
        """Write the waits that its decisions begin and end; return the days in which those begin."""
        requests = numbers.of_requests(connection, {decided.request for _, decided in self._decided})
        waiting = Waiting(_standing(connection, requests))
        follow(waiting, self._decided)
        _write_changed(connection, requests, waiting)
        return {since // DAY for since, _ in waiting.changed}

    def _add(self, place: Place, more: Counts) -> None:
        counts = self._counts.get(place)
        self._counts[place] = more if counts is None else Counts(*map(sum, zip(counts, more, strict=True)))


def _write_changed(connection: Connection, requests: Mapping[Request, int], waiting: Waiting) -> None:
    """Write the waits that changed."""
    rows = [
        (wait.since, wait.seq, requests[request], ",".join(sorted(wait.policies)), wait.ends)
        for request, wait in waiting.changed.values()
    ]
    connection.insert(waits, ("since", "seq", "request", "policies", "ends"), rows, _REPLACED)


def decided(connection: Connection, decision_id: str) -> Decided | None:
    """Return a decision with its latest report; None if it is not counted."""
    row = connection.row(_DECIDED, decision_id=decision_id)
    return None if row is None else decision_services.named(connection, decision_id, Decided._make(row))


def cells(connection: Connection, after: int, most: int) -> list[tuple[int, Cell]]:
    """Return the cells above a number, each with its number, in order."""
    return _cells(connection.rows(_CELLS, after=after, most=most))


def cells_of(connection: Connection, service: str) -> list[tuple[int, Cell]]:
    """Return the cells of a service, and those of several services, each with its number, in order."""
    return _cells(connection.rows(_CELLS_OF, named=service))


def _cells(rows: Iterable[Row]) -> list[tuple[int, Cell]]:
    return [
        (number, Cell(_request(request), outcome, blocking)) for number, *request, outcome, blocking in rows
    ]


def days(connection: Connection, first: int, last: int) -> dict[int, int]:
    """Return the days of a range with decisions, each with the position of its latest change."""
    return {day: changed for day, changed in connection.rows(_DAYS, first=first, last=last)}  # noqa: C416


def unlisted_days(connection: Connection) -> set[int]:
    """Return the days that have counts, and are not among those with decisions."""
    return {row[0] for row in connection.rows(_UNLISTED)}


def of_days(connection: Connection, first: int, last: int) -> list[Row]:
    """Return the counts of a range of days, its last one included, as `rollup_sums` adds them up."""
    return connection.rows(_ROLLUPS, first=first, last=last)


def of_cells(connection: Connection, first: int, last: int, numbers: Sequence[int]) -> list[Row]:
    """Return the counts of some cells in a range of days, its last one included."""
    found: list[Row] = []
    for names in _named(numbers):
        found += connection.rows(
            _of_cells(len(names)), reported_one=1 << FAILED_BITS, first=first, last=last, **names
        )
    return found


def rows_of(connection: Connection, day: int) -> list[Rollup]:
    """Return the counts of a day."""
    return [Rollup._make(row) for row in connection.rows(_ROWS, wanted=day)]


def reported(connection: Connection, after: int, most: int) -> list[tuple[int, Decided]]:
    """Return the counted decisions with a report after a position, in the order of the record."""
    rows = connection.rows(_REPORTED, after=after, most=most)
    return decision_services.with_names(connection, [(seq, Decided._make(row)) for seq, *row in rows])


def waits_of(connection: Connection, start: int, end: int) -> list[WaitRow]:
    """Return the waits that begin in [start, end)."""
    return [
        WaitRow((service, environment, change), names_in(policies), since, ends)
        for service, environment, change, policies, since, ends in connection.rows(
            _WAITS, start=start, before=end
        )
    ]


def prune(connection: Connection, day: int) -> None:
    """Delete the counts of a day, and the waits that begin in it."""
    for statement in _PRUNE:
        connection.change(statement, wanted=day)
    connection.change(_PRUNE_WAITS, start=day * DAY, before=(day + 1) * DAY)


def used_cells(connection: Connection, day: int) -> list[int]:
    """Return the numbers of the cells that a day has counts of."""
    return [row[0] for row in connection.rows(_USED_CELLS, wanted=day)]


def cell_numbers(connection: Connection, after: int, most: int) -> list[int]:
    """Return the numbers of cells above a number, in order."""
    return [row[0] for row in connection.rows(_NUMBERS, after=after, most=most)]


def requests_without_cells(connection: Connection, after: int, most: int) -> list[int]:
    """Return the numbers of requests above a number that no cell has, in order."""
    return [row[0] for row in connection.rows(_WITHOUT_CELLS, after=after, most=most)]


def latest_numbers(connection: Connection) -> tuple[int, int]:
    """Return the greatest number of a cell, and that of a request; 0 if there are none."""
    found = [connection.row(each) for each in (_LAST_CELL, _LAST_REQUEST)]
    cell, request = (row[0] or 0 if row else 0 for row in found)
    return cell, request


def requests_of_waits(connection: Connection, start: int, before: int) -> list[int]:
    """Return the numbers of the requests with waits that begin in [start, before)."""
    return [row[0] for row in connection.rows(_REQUESTS_OF_WAITS, start=start, before=before)]


def drop_cells(connection: Connection, numbers: Sequence[int], since: int) -> int:
    """Delete cells that had no counts at a position in the record, unless they have been used since.

    Returns:
        How many were deleted.
    """
    used: set[int] = set()
    for names in _named(numbers):
        used.update(row[0] for row in connection.rows(_used_since(len(names)), since=since, **names))
    return sum(connection.change(_DROP_CELL, dropped=number) for number in numbers if number not in used)


def drop_requests(connection: Connection, numbers: Sequence[int]) -> int:
    """Delete requests that no cell has; return how many."""
    return sum(connection.change(_DROP_REQUEST, dropped=number) for number in numbers)


def _standing(connection: Connection, requests: Mapping[Request, int]) -> dict[Request, Wait]:
    """Return the waits of requests that have not ended."""
    of_numbers = {number: request for request, number in requests.items()}
    found = {}
    for names in _named(sorted(of_numbers)):
        for number, since, seq, policies in connection.rows(_standing_of(len(names)), **names):
            found[of_numbers[number]] = Wait(since, seq, names_in(policies), None)
    return found


def _recalled(known: Mapping[Named, int], wanted: set[Named]) -> tuple[dict[Named, int], set[Named]]:
    """Return the known numbers, and what has none."""
    found = {each: known[each] for each in wanted if each in known}
    return found, wanted - found.keys()


def _given(connection: Connection, last: Select[tuple[int]], new: set[Named]) -> dict[Named, int]:
    """Return numbers for what is new."""
    if not new:
        return {}
    row = connection.row(last)
    first = (row[0] or 0) + 1 if row else 1
    return {each: number for number, each in enumerate(sorted(new), first)}


def _stored_requests(connection: Connection, wanted: set[Request]) -> dict[Request, int]:
    """Return the numbers of those requests that are stored."""
    found = {}
    for names in _named(sorted(map(digest_of, wanted))):
        for number, *request in connection.rows(_requests_of(len(names)), **names):
            found[_request(request)] = number
    return {request: number for request, number in found.items() if request in wanted}


def _stored_cells(connection: Connection, wanted: set[Cell]) -> dict[Cell, tuple[int, int]]:
    """Return the numbers of those cells that are stored, each with that of its request."""
    found = {}
    for names in _named(sorted(cell.digest for cell in wanted)):
        for number, request_number, *request, outcome, blocking in connection.rows(
            _cells_of(len(names)), **names
        ):
            found[Cell(_request(request), outcome, blocking)] = number, request_number
    return {cell: numbers for cell, numbers in found.items() if cell in wanted}


def _named(numbers: Sequence[int]) -> Iterator[dict[str, int]]:
    """Yield numbers as values of bound parameters.

    Filled up to a power of two: so there are few different statements, and each is prepared once.
    """
    for first in range(0, len(numbers), _MOST_TOGETHER):
        together = numbers[first : first + _MOST_TOGETHER]
        size = 1 << (len(together) - 1).bit_length()
        filled = [*together, *repeat(together[-1], size - len(together))]
        yield {f"number_{place}": number for place, number in enumerate(filled)}


@lru_cache
def _used_since(size: int) -> TextClause:
    return text(_USED_SINCE.format(", ".join(f":number_{place}" for place in range(size))))


@lru_cache
def _of_cells(size: int) -> TextClause:
    return text(_OF_CELLS.format(", ".join(f":number_{place}" for place in range(size))))


@lru_cache
def _standing_of(size: int) -> Select[tuple[int, int, int, str]]:
    wanted = or_(*(waits.c.request == bindparam(f"number_{place}") for place in range(size)))
    return select(waits.c.request, waits.c.since, waits.c.seq, waits.c.policies).where(text(STANDING), wanted)


@lru_cache
def _requests_of(size: int) -> Select[Any]:
    wanted = or_(*(rollup_requests.c.digest == bindparam(f"number_{place}") for place in range(size)))
    return select(rollup_requests.c.id, *_NAMES).where(wanted)


@lru_cache
def _cells_of(size: int) -> Select[Any]:
    wanted = or_(*(rollup_cells.c.digest == bindparam(f"number_{place}") for place in range(size)))
    query = select(rollup_cells.c.id, rollup_cells.c.request, *_OF_CELL)
    return query.join(rollup_requests, rollup_requests.c.id == rollup_cells.c.request).where(wanted)


def _request(names: Sequence[str]) -> Request:
    service, environment, change = names
    return service, environment, change
