"""Incidents that freeze deploys: a report starts, extends or ends a freeze, in one transaction."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from app.clock import Clock
from app.core.freeze import Freeze
from app.core.incident import Incident, IncidentRule, Verdict, chosen
from app.core.incident_freeze import Episode, Step, end_after, next_step, noted
from app.core.instant import DAY, MINUTE
from app.gate.deliveries import Deliveries, storable
from app.gate.errors import BusyError
from app.gate.freezes import begin, change_event
from app.gate.ids import new_id
from app.gate.in_force import InForce
from app.gate.incident_request import request_of
from app.gate.store_cache import StoreCache

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction
    from app.store.view import View

MOST_STANDING: Final = 200
"""Freezes of one source that stand at a time; each claim looks at all freezes."""

KEPT_FOR: Final = 30 * DAY
"""Seconds that an incident is remembered after its last report; its life is at most 7 days."""

_PRUNED_EVERY: Final = 10 * MINUTE

_logger: Final = logging.getLogger("freezegate")


class Result(StrEnum):
    """The results of reports; the metrics and the answers use the same words."""

    STARTED = "started"
    EXTENDED = "extended"
    THAWING = "thawing"
    UNCHANGED = "unchanged"
    """There is a freeze already, or a person has decided about it."""
    UNMATCHED = "unmatched"
    """No rule is about it, and none of its freezes stands."""
    REPEATED = "repeated"
    """The very same webhook was dealt with before."""
    OUTDATED = "outdated"
    """A later report of the incident came before it."""


_RESULTS: Final[Mapping[Step, Result]] = {
    Step.START: Result.STARTED,
    Step.EXTEND: Result.EXTENDED,
    Step.THAW: Result.THAWING,
    Step.GO_ON: Result.UNCHANGED,
    Step.LEAVE: Result.UNCHANGED,
    Step.NOTHING: Result.UNMATCHED,
}
"""The result of each step; of several, the first in this order."""

_MOVING: Final = (Step.EXTEND, Step.THAW)
"""The steps that move the end of a freeze."""


class Report(NamedTuple):
    """A report of an incident, checked for its signature."""

    source: str
    """The name of the vendor."""
    incident: Incident
    delivery: str | None = None
    """The id of the webhook, from what was signed; None if the source repeats reports without one."""


class Move(NamedTuple):
    """A step of a report, for the freeze of one rule."""

    rule: str
    step: Step
    freeze: Freeze | None
    """As it is then; None if there is none."""


class Outcome(NamedTuple):
    """The result of a report."""

    result: Result
    moves: tuple[Move, ...] = ()
    unknown: tuple[str, ...] = ()
    """A sentence for each name of a rule that the policies don't list."""


class Incidents:
    """The use cases of incidents."""

    def __init__(self, store: "Store", clock: Clock, cache: StoreCache, deliveries: Deliveries) -> None:
        """Keep them in `store`, by the time of `clock`."""
        self._store = store
        self._clock = clock
        self._cache = cache
        self._deliveries = deliveries
        self._pruned_at = 0

    async def take(self, report: Report, rules: Sequence[IncidentRule], in_force: InForce) -> Outcome:
        """Do what a report asks for; when this returns, its freeze is in force on every replica.

        Raises:
            BusyError: too many freezes of the source stand.
            StoreUnavailableError: it could not be recorded; the source should send it again.
        """
        outcome = await self._store.write(
            lambda transaction: self._take(transaction, report, rules, in_force)
        )
        if any(move.step in (Step.START, *_MOVING) for move in outcome.moves):
            await self._cache.refresh()
        for sentence in outcome.unknown:
            _logger.warning("a rule of %s names what is not in the policies: %s", report.source, sentence)
        return outcome

    async def preview(self, report: Report, rules: Sequence[IncidentRule], in_force: InForce) -> Outcome:
        """Return what `take` would do, and do nothing.

        Raises:
            StoreUnavailableError: the present state can't be read.
        """

        def look(view: "View") -> Outcome:
            plan = _Plan(view, report, rules, in_force, self._clock.microseconds())
            moves = tuple(plan.moves())
            return Outcome(Result.OUTDATED if plan.outdated else _result(moves), moves, plan.unknown)

        return await self._store.read(look)

    def _take(
        self, transaction: "Transaction", report: Report, rules: Sequence[IncidentRule], in_force: InForce
    ) -> Outcome:
        self._cache.steady.follow(transaction.latest_at)
        if report.delivery and not self._deliveries.note_in(transaction, report.source, report.delivery):
            return Outcome(Result.REPEATED)
        microseconds = self._clock.microseconds()
        self._prune(transaction, microseconds // 1_000_000)
        plan = _Plan(transaction, report, rules, in_force, microseconds)
        if plan.outdated:
            return Outcome(Result.OUTDATED)
        moves = tuple(plan.moves())
        for move in moves:
            plan.carry_out(move, transaction)
        return Outcome(_result(moves), moves, plan.unknown)

    def _prune(self, transaction: "Transaction", now: int) -> None:
        if now - self._pruned_at >= _PRUNED_EVERY:
            self._pruned_at = now
            transaction.prune_episodes(now - KEPT_FOR)


class _Plan:
    """The moves that a report asks for, on one state of the store."""

    def __init__(
        self,
        view: "View",
        report: Report,
        rules: Sequence[IncidentRule],
        in_force: InForce,
        microseconds: int,
    ) -> None:
        self._view = view
        self._report = report
        self._in_force = in_force
        self._microseconds = microseconds
        self._now = microseconds // 1_000_000
        self._key = storable(report.incident.key)
        self._chosen = chosen(rules, report.incident)
        self._episodes = {each.rule: each for each in view.episodes(report.source, self._key)}
        # A clock of the source that is ahead must not make its later reports look old.
        self._reported_at = min(self._now, report.incident.at or self._now)
        self.unknown: tuple[str, ...] = ()

    @property
    def outdated(self) -> bool:
        """Whether a later report of the incident came before this one.

        A report without a time can't be late; our clock may have been set back since the last one.
        """
        at = self._report.incident.at
        return at is not None and any(at < each.reported_at for each in self._episodes.values())

    def moves(self) -> Iterator[Move]:
        """Yield what happens under each rule that is or was about the incident."""
        wanted = None if self._chosen is None else self._chosen.rule.name
        for rule in dict.fromkeys(([] if wanted is None else [wanted]) + list(self._episodes)):
            episode = self._episodes.get(rule)
            freeze = None if episode is None else self._view.freeze(episode.freeze_id)
            matches = rule == wanted
            firing = self._is_firing(matches=matches)
            step = next_step(episode, freeze, self._now, firing=firing, matches=matches)
            yield Move(rule, step, self._after(step, episode, freeze))

    def _is_firing(self, *, matches: bool) -> bool:
        # Of what was left out, anything may be firing.
        return matches or self._report.incident.incomplete

    def _after(self, step: Step, episode: Episode | None, freeze: Freeze | None) -> Freeze | None:
        """Return the freeze as it is after a step."""
        if step is Step.START and self._chosen is not None:
            return self._new_freeze(self._chosen)
        if episode is None or freeze is None or step not in _MOVING:
            return freeze
        return freeze._replace(ends_at=end_after(step, episode, self._now), changed_at=self._now)

    def _new_freeze(self, verdict: Verdict) -> Freeze:
        source, incident, signal = self._report.source, self._report.incident, verdict.signal
        assert signal is not None  # noqa: S101 - it is the verdict of a rule that matches
        wanted, self.unknown = request_of(
            verdict.rule, source, incident, signal, self._now, self._in_force.policy_set
        )
        return Freeze(
            id=new_id("frz", self._microseconds),
            title=wanted.title,
            reason=wanted.reason,
            contact=wanted.contact,
            link=wanted.link,
            selector=wanted.selector,
            override=wanted.override,
            starts_at=self._now,
            ends_at=wanted.ends_at,
            started_by=source,
            created_at=self._now,
            exempt=wanted.exempt,
            running=wanted.running,
        )

    def carry_out(self, move: Move, transaction: "Transaction") -> None:
        """Store and record a move."""
        if move.freeze is None:
            return
        if move.step is Step.START and self._chosen is not None:
            self._start(self._chosen.rule, move.freeze, transaction)
            return
        episode = self._episodes[move.rule]
        if move.step in _MOVING:
            renewed = move.step is Step.EXTEND and episode.resolved_at is None
            self._move(move.freeze, transaction, renewed=renewed)
            episode = episode._replace(ends_at=move.freeze.ends_at or episode.ends_at)
        self._note(episode, transaction)

    def _move(self, freeze: Freeze, transaction: "Transaction", *, renewed: bool) -> None:
        before = transaction.freeze(freeze.id) or freeze
        transaction.change_freeze(freeze)
        source = self._report.source
        transaction.append(change_event(before, freeze, self._microseconds, source, renewed=renewed))

    def _start(self, rule: IncidentRule, freeze: Freeze, transaction: "Transaction") -> None:
        if transaction.count_standing_incidents(self._report.source, self._now) >= MOST_STANDING:
            raise BusyError(f"{MOST_STANDING} freezes of incidents of {self._report.source} stand already")
        begin(transaction, freeze, self._microseconds)
        now = self._now
        transaction.put_episode(
            Episode(
                self._report.source,
                self._key,
                rule.name,
                freeze.id,
                ends_at=now + rule.life,
                life=rule.life,
                thaw_after=rule.thaw_after,
                started_at=now,
                told_at=now,
                reported_at=self._reported_at,
            )
        )

    def _note(self, episode: Episode, transaction: "Transaction") -> None:
        """Note the report in an episode that goes on; one that is over stays as it was."""
        if episode.is_over(self._now):
            return
        wanted = self._chosen is not None and self._chosen.rule.name == episode.rule
        firing = self._is_firing(matches=wanted)
        transaction.put_episode(noted(episode, self._now, self._reported_at, firing=firing))


def _result(moves: Sequence[Move]) -> Result:
    steps = {move.step for move in moves}
    return next((result for step, result in _RESULTS.items() if step in steps), Result.UNMATCHED)
