"""Insights from rollups are those that the rows of decisions give, on both databases."""

import random
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import TextClause, text

from app.core.audit import Event
from app.core.decision import Question, joined, names_of
from app.core.insights import Counting
from app.core.instant import DAY, HOUR, MINUTE, parse_instant
from app.core.rollup import Cell, Decided, follow
from app.core.rollup_sums import Kinds
from app.core.waits import PATIENCE, Waiting
from app.gate.claim import Claim
from app.gate.in_force import InForce, Policies
from app.gate.insights import InsightsRequest, insights, to_json
from app.gate.record import verify
from app.gate.rollups import KeptSums
from app.policies.source import Source
from app.store.records import DecisionRow, OutcomeRow, PolicyRevision
from app.store.schema import HEAD, MIGRATIONS
from app.store.store import Store
from tests.api.fakes import FakeClock
from tests.gate.conftest import Gate, gate_on
from tests.gate.history import END, OLD, START, History
from tests.store.records import PATIENT

if TYPE_CHECKING:
    from app.store.transaction import Transaction
    from app.store.view import View

FIRST: Final = parse_instant("2026-03-20T00:00:00Z")
LENGTH: Final = 40 * DAY
ADDED: Final = ("waits", "rollup_days", "rollups", "rollup_cells", "rollup_requests")
BEFORE_THEM: Final = "0012"
WITH_THEM: Final = "0013"
BEFORE_DIGESTS: Final = "0016"
POLICIES: Final = """version: 1
timezone: Asia/Kathmandu
environments: [production, staging]
changes: [normal, rollback]
services:
  api: {tags: [tier-1]}
  web: {}
  abroad: {tags: [tier-1], timezone: Australia/Lord_Howe}
policies:
  - id: friday
    title: No deploys after Friday
    reason: r
    applies_to: {environments: [production]}
    exempt: {changes: [rollback]}
    when: [{weekly: {from: fri 14:07, to: mon 08:00}}]
  - id: nights
    title: Nights
    reason: r
    timezone: service
    applies_to: {tags: [tier-1]}
    when: [{daily: {from: "20:30", to: "07:13"}}]
  - id: third
    title: A day
    reason: r
    timezone: Europe/Amsterdam
    when: [{dates: {from: 2026-03-29, to: 2026-04-02}}]
"""


class Lived(NamedTuple):
    """Recorded decisions, and the reports on them, in the order of the record."""

    rows: list[tuple[DecisionRow, tuple[str, ...]]]
    results: dict[str, str]
    """The latest result of each decision."""

    def counted(self) -> Iterator[tuple[int, Decided]]:
        for seq, (row, services) in enumerate(self.rows):
            if row.repeats is None and (row.continues is None or row.outcome == "deny"):
                service = joined(services) if services else row.service
                result = self.results.get(row.id)
                yield (
                    seq,
                    Decided(row.at, service, row.environment, row.change, row.outcome, row.blocking, result),
                )

    def insights(self, in_force: InForce, wanted: InsightsRequest, now: int) -> dict[str, Any]:
        """The insights, from all rows."""
        decided = [
            (seq, each)
            for seq, each in self.counted()
            if wanted.service in (None, *names_of(each.service))
            and wanted.environment in (None, each.environment)
            and wanted.change in (None, each.change)
        ]
        counting = Counting(in_force.engine.compiled, (wanted.start, wanted.end))
        counting.take(each for _, each in decided)
        waiting = Waiting()
        follow(waiting, decided)
        counting.waits.take(wait for _, wait in waiting.changed.values())
        return to_json(counting.finish(now), in_force, wanted, now)


class Life:
    """Claims and reports as no gate would make them: all that can be recorded, in any order of instants."""

    def __init__(self, seed: int, revision: str) -> None:
        self._rng = random.Random(seed)
        self._revision = revision
        self._number = 0
        self.lived = Lived([], {})

    def live(self, store: Store, claims: int) -> Lived:
        """Record so many claims, in transactions of any size."""
        while self._number < claims:
            store.transact(self._batch)
        return self.lived

    def _batch(self, transaction: "Transaction") -> None:
        rng, reportable = self._rng, [row.id for row, _ in self.lived.rows if row.outcome != "deny"]
        for _ in range(rng.choice((1, 1, 2, 70))):
            self._record(transaction)
        for own_id in rng.choices(reportable, k=rng.randrange(5)) if reportable else ():
            result = rng.choices(("succeeded", "failed", "rolled-back"), (6, 2, 1))[0]
            self.lived.results[own_id] = result
            event = Event(self._now() * 1_000_000, "outcome-reported", "ci", "{}")
            transaction.report(OutcomeRow(own_id, result, None, "ci", self._now()), event)

    def _now(self) -> int:
        """Instants that mostly grow, often share a minute, and sometimes go back."""
        steps = self._number * (LENGTH // 400)
        return FIRST + min(steps, LENGTH) + self._rng.choice((0, 0, 1, 59, -90, 5 * MINUTE, -HOUR))

    def _record(self, transaction: "Transaction") -> None:
        rng = self._rng
        self._number += 1
        services = tuple(sorted(rng.sample(("api", "web", "abroad", "other"), rng.choice((1, 1, 1, 2)))))
        outcome = rng.choices(("allow", "warn", "override", "deny"), (6, 1, 2, 4))[0]
        blocking = rng.choice(("friday", "nights,friday", "friday,frz_1", "frz_1,frz_2", "gone"))
        earlier = [row.id for row, _ in self.lived.rows]
        row = DecisionRow(
            id=f"dec_{self._number:06}",
            at=self._now(),
            service=services[0] if len(services) == 1 else " and ".join(services),
            environment=rng.choice(("production", "staging", "former")),
            outcome=outcome,
            caller="ci",
            actor=None,
            override_id=None,
            idempotency_key=None,
            fingerprint=None,
            policy_revision=self._revision,
            blocking=blocking if outcome in ("override", "deny") or rng.random() < 0.1 else None,
            change=rng.choice(("normal", "rollback")),
            duration=0,
            continues=rng.choice(earlier) if earlier and rng.random() < 0.1 else None,
            warnings=None,
            repeats=rng.choice(earlier) if earlier and rng.random() < 0.1 else None,
        )
        named = services if len(services) > 1 else ()
        self.lived.rows.append((row, named))
        transaction.record(row, Event(row.at * 1_000_000, "decision", "ci", "{}"), named)


@pytest.fixture
def in_force(tmp_path: Path) -> InForce:
    file = tmp_path / "odd.yaml"
    file.write_text(POLICIES)
    return Policies().load(Source(file), FIRST)


def wanted_of(seed: int) -> Iterator[InsightsRequest]:
    """Periods that begin and end anywhere, of any filter."""
    rng = random.Random(seed)
    yield InsightsRequest(FIRST - DAY, FIRST + LENGTH + DAY)
    yield InsightsRequest(FIRST + 7, FIRST + 8)
    while True:
        start = FIRST + rng.randrange(LENGTH)
        length = rng.choice((50, 3 * MINUTE, HOUR + 1, 3 * DAY, 20 * DAY))
        if rng.random() < 0.5:
            start -= start % MINUTE
        yield InsightsRequest(
            start,
            start + length,
            rng.choice((None, None, "api", "other")),
            rng.choice((None, None, "production")),
            rng.choice((None, None, "rollback")),
        )


@pytest.mark.parametrize("seed", range(4))
def test_the_counts_of_any_period_are_those_of_the_rows(url: str, in_force: InForce, seed: int) -> None:
    store = Store.open(url, deadline=PATIENT)
    kept = PolicyRevision(in_force.revision, FIRST, in_force.snapshot.to_json())
    store.transact(lambda transaction: transaction.keep_policies(kept))
    lived = Life(seed, in_force.revision).live(store, 400)
    now = FIRST + LENGTH + PATIENCE // 2
    for wanted in islice(wanted_of(seed), 25):
        found = insights(store.query, in_force, wanted, now)
        assert found == lived.insights(in_force, wanted, now), wanted
    store.let_go()


def test_kept_sums_follow_what_is_recorded_meanwhile(url: str, in_force: InForce) -> None:
    store = Store.open(url, deadline=PATIENT)
    texts = PolicyRevision(in_force.revision, FIRST, in_force.snapshot.to_json())
    store.transact(lambda transaction: transaction.keep_policies(texts))
    life, kept, now = Life(11, in_force.revision), KeptSums(), FIRST + LENGTH
    wanted = wanted_of(11)
    for claims in range(30, 400, 60):
        lived = life.live(store, claims)
        for each in (*islice(wanted, 3), InsightsRequest(FIRST - 40 * DAY, FIRST + LENGTH + 40 * DAY)):
            found = insights(store.query, in_force, each, now, kept=kept)
            assert found == lived.insights(in_force, each, now), (claims, each)
    store.let_go()


def test_kept_sums_are_those_of_the_policies_in_force_and_of_this_database(
    in_force: InForce, tmp_path: Path
) -> None:
    kept = KeptSums()
    wanted = InsightsRequest(FIRST - DAY, FIRST + LENGTH + DAY)
    others = tmp_path / "others.yaml"
    others.write_text(POLICIES.replace("14:07", "09:00").replace("Asia/Kathmandu", "America/New_York"))
    other = Policies().load(Source(others), FIRST)
    for seed, policies in ((1, in_force), (1, other), (2, other)):
        store = Store.open(f"sqlite:///{tmp_path / f'{seed}.db'}", deadline=PATIENT)
        texts = PolicyRevision(policies.revision, FIRST, policies.snapshot.to_json())
        store.transact(partial(_keep, texts=texts))
        rows = store.query(_rows_of)
        lived = rows if rows.rows else Life(seed, policies.revision).live(store, 100)
        found = insights(store.query, policies, wanted, FIRST + LENGTH, kept=kept)
        assert found == lived.insights(policies, wanted, FIRST + LENGTH)
        store.let_go()


def test_kept_sums_follow_a_pruning_of_some_of_their_days(url: str, in_force: InForce) -> None:
    store = Store.open(url, deadline=PATIENT)
    texts = PolicyRevision(in_force.revision, FIRST, in_force.snapshot.to_json())
    store.transact(lambda transaction: transaction.keep_policies(texts))
    Life(3, in_force.revision).live(store, 300)
    wanted = InsightsRequest(FIRST - 40 * DAY, FIRST + LENGTH + 40 * DAY)
    kept, now = KeptSums(), FIRST + LENGTH
    insights(store.query, in_force, wanted, now, kept=kept)
    first, *_ = sorted(store.query(lambda view: view.rollup_days(0, 2**31 - 1)))
    store.transact(lambda transaction: transaction.prune_rollups(first))
    anew = insights(store.query, in_force, wanted, now, kept=KeptSums())
    assert insights(store.query, in_force, wanted, now, kept=kept) == anew
    store.let_go()


def test_made_up_names_do_not_stay_in_memory(
    url: str, in_force: InForce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.rollup_sums.MOST_CELLS", 3)
    store = Store.open(url, deadline=PATIENT)
    texts = PolicyRevision(in_force.revision, FIRST, in_force.snapshot.to_json())
    store.transact(lambda transaction: transaction.keep_policies(texts))
    lived, kept = Life(5, in_force.revision).live(store, 150), KeptSums()
    for wanted in islice(wanted_of(5), 8):
        found = insights(store.query, in_force, wanted, FIRST + LENGTH, kept=kept)
        assert found == lived.insights(in_force, wanted, FIRST + LENGTH), wanted
    kinds = Kinds(in_force.engine.compiled)
    for number in range(1, 100):
        cell = Cell((f"made-up-{number}", "production", "normal"), "allow", "")
        kinds.learn((each, cell) for each in kinds.unknown([number]))
        assert len(kinds) <= 4
    store.let_go()


def test_an_older_database_is_counted_when_it_is_opened(url: str, in_force: InForce) -> None:
    store = Store.open(url, deadline=PATIENT)
    kept = PolicyRevision(in_force.revision, FIRST, in_force.snapshot.to_json())
    store.transact(lambda transaction: transaction.keep_policies(kept))
    life = Life(7, in_force.revision)
    lived = life.live(store, 300)
    before = {name: len(_contents(store, name)) for name in ADDED}
    _migrate_again(store)
    for name in ("rollups", "waits", "rollup_cells"):
        assert len(_contents(store, name)) == before[name]
    now = FIRST + LENGTH
    for wanted in islice(wanted_of(7), 3):
        assert insights(store.query, in_force, wanted, now) == lived.insights(in_force, wanted, now)
    # And it goes on from there, with the same requests and cells.
    life.live(store, 400)
    for name in (
        "service, environment, change FROM rollup_requests",
        "request, outcome, blocking FROM rollup_cells",
    ):
        found = store.query(partial(_rows, query=text(f"SELECT {name}")))
        assert len(found) == len(set(found))
    wanted = InsightsRequest(FIRST - DAY, FIRST + LENGTH + DAY)
    assert insights(store.query, in_force, wanted, now) == lived.insights(in_force, wanted, now)
    store.let_go()


def _rows(view: "View", query: TextClause) -> list[Any]:
    return [tuple(each) for each in view._connection.rows(query)]


def _migrate_again(store: Store) -> None:
    """Run the migration that counts on what is recorded."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    version = text("UPDATE alembic_version SET version_num = :version")
    with store._database.engine.begin() as connection:
        for name in ADDED:
            connection.execute(text(f"DROP TABLE {name}"))
        connection.execute(version, {"version": BEFORE_THEM})
        config.attributes["connection"] = connection
        command.upgrade(config, WITH_THEM)
        connection.execute(version, {"version": BEFORE_DIGESTS})
        command.upgrade(config, HEAD)


def _keep(transaction: "Transaction", texts: PolicyRevision) -> None:
    transaction.keep_policies(texts)


def _contents(store: Store, name: str) -> list[Any]:
    rows = text(f"SELECT * FROM {name}")  # noqa: S608 - a name of our own
    return store.query(lambda view: view._connection.rows(rows))


@pytest.mark.anyio
async def test_the_counts_of_a_gate_are_those_of_its_rows(url: str, tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(OLD)
    gate = gate_on(url, file, FakeClock(START))
    await History(gate, 3).live(200)
    rows = gate.store.query(_rows_of)
    for period in ((START, END), (START + 5 * DAY + 1, END - 9 * DAY - 3)):
        wanted = InsightsRequest(*period)
        found = insights(gate.store.query, gate.in_force, wanted, END)
        assert found == rows.insights(gate.in_force, wanted, END)
    assert found["totals"]["denials"]
    assert found["totals"]["reported"]
    assert found["waits"]["count"]
    assert verify(gate.store.query).whole
    await gate.store.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rollups SET decisions = decisions + 1 WHERE minute = (SELECT max(minute) FROM rollups)",
        "UPDATE rollups SET failed = failed + 1 WHERE minute = (SELECT max(minute) FROM rollups)",
        "UPDATE rollups SET minute = minute - 1 WHERE minute = (SELECT max(minute) FROM rollups)",
        "UPDATE rollup_cells SET outcome = 'override' WHERE id = 1",
        "DELETE FROM rollups WHERE minute = (SELECT max(minute) FROM rollups)",
        # Sums by which forged counts once were those of the decisions.
        "UPDATE rollups SET minute = 0, decisions = decisions * (minute + 1) WHERE cell = 2",
        "UPDATE rollups SET cell = 1000 WHERE minute = (SELECT max(minute) FROM rollups)",
        "DELETE FROM rollup_days",
        "INSERT INTO rollups SELECT max(day), 1000, 0, 0, 0, 0 FROM rollups",
        "UPDATE rollups SET minute = -1 WHERE minute = (SELECT max(minute) FROM rollups)",
    ],
)
@pytest.mark.anyio
async def test_a_verification_names_the_day_of_a_rollup_that_was_changed(gate: Gate, change: str) -> None:
    for service in ("api", "web", "api"):
        await gate.claims.claim(Claim(Question(service)), gate.in_force)
        gate.clock.at += 60
    assert verify(gate.store.query).whole
    with gate.store._database.engine.begin() as connection:
        connection.execute(text(change))
    found = verify(gate.store.query)
    what = "are not the sums of the decisions of the day and the reports on them"
    assert found.differences == (("rollups", "2026-11-27", what),)


@pytest.mark.anyio
async def test_counts_of_a_day_without_decisions_are_named(gate: Gate) -> None:
    await gate.claims.claim(Claim(Question("api")), gate.in_force)
    with gate.store._database.engine.begin() as connection:
        connection.execute(text("INSERT INTO rollups SELECT day - 1, cell, 0, 9, 9, 9 FROM rollups"))
    (found,) = verify(gate.store.query).differences
    assert (found.table, found.id) == ("rollups", "2026-11-26")


def _rows_of(view: "View") -> Lived:
    last = view.head().seq
    rows, services = view.decision_rows(0, last), view.decision_services(0, last)
    results = {row.decision_id: row.result for _, row in sorted(view.outcome_rows(0, last).items())}
    return Lived([(rows[seq], services.get(seq, ())) for seq in sorted(rows)], results)
