"""Outcomes of deploys, as pipelines report them."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.clock import Clock
from app.core.decision import names_of
from app.core.decision_json import first_step
from app.core.instant import format_instant
from app.gate.audit_events import Kind, happened
from app.gate.errors import StateConflictError
from app.gate.pruned_record import unknown_decision
from app.gate.record import Page, decision
from app.gate.store_cache import StoreCache
from app.identity.caller import Caller
from app.store.records import OutcomeRow

if TYPE_CHECKING:
    from app.store.store import Store
    from app.store.transaction import Transaction
    from app.store.view import View

SHOWN: Final = 100
"""How many reports on one decision are shown; a pipeline in a loop may have sent more."""


class Report(NamedTuple):
    """A report on a deploy."""

    decision_id: str
    result: str
    incident: str | None = None


class Outcomes:
    """The use cases of reports on deploys."""

    def __init__(self, store: "Store", clock: Clock, cache: StoreCache) -> None:
        """Keep them in `store`, by the time of `clock`."""
        self._store = store
        self._clock = clock
        self._cache = cache

    async def report(self, caller: Caller, report: Report) -> OutcomeRow:
        """Record how a deploy went; of several reports the last one counts, and all are kept.

        A report on a later step of a deploy is one on its first step, and one on a repeated claim is one on
        the first that was allowed.

        Raises:
            UnknownRecordError: there is no decision of that id.
            ForbiddenError: the caller may not claim deploys of this service, nor report on them.
            StateConflictError: the claim was denied, so nothing was deployed by it.
            StoreUnavailableError: it could not be recorded.
        """
        return await self._store.write(partial(self._report, caller, report))

    async def decision(self, decision_id: str) -> dict[str, Any]:
        """Return a recorded decision, with the reports on it.

        Raises:
            UnknownRecordError: there is none of that id.
        """
        return await self._store.read(lambda view: decision_with_outcomes(view, decision_id))

    async def with_reports(self, page: Page) -> Page:
        """Return a page of decisions, each with the reports on its deploy."""
        return await self._store.read(
            lambda view: page._replace(items=[with_outcomes(view, each) for each in page.items])
        )

    def _report(self, caller: Caller, report: Report, transaction: "Transaction") -> OutcomeRow:
        self._cache.check_caller(caller, transaction)
        microseconds = self._clock.microseconds()
        deploy = transaction.deploy(report.decision_id)
        if deploy is None:
            raise unknown_decision(transaction, report.decision_id)
        self._cache.scopes.services(caller, names_of(deploy.service))
        if deploy.outcome == "deny":
            raise StateConflictError("this claim was denied: nothing was deployed by it")
        row = OutcomeRow(
            decision_id=deploy.first,
            result=report.result,
            incident=report.incident,
            reported_by=caller.name,
            reported_at=microseconds // 1_000_000,
        )
        # `outcome` is an object with an id, as freezes and overrides are in their events.
        body = {"id": row.decision_id, "result": row.result, "incident": row.incident}
        transaction.report(row, happened(microseconds, Kind.OUTCOME_REPORTED, caller.name, outcome=body))
        return row


def decision_with_outcomes(view: "View", decision_id: str) -> dict[str, Any]:
    """Return a recorded decision, with the reports on it, the newest last.

    Raises:
        UnknownRecordError: there is none of that id.
    """
    return with_outcomes(view, decision(view, decision_id))


def with_outcomes(view: "View", found: dict[str, Any]) -> dict[str, Any]:
    """Return a decision with the reports on it, the newest last; those of its first step, if it has one."""
    first = first_step(found) or found["repeats"] or found["decision_id"]
    return {**found, "outcomes": [to_json(each) for each in view.outcomes(first, SHOWN)]}


def to_json(outcome: OutcomeRow) -> dict[str, Any]:
    """Return the JSON representation of a report."""
    return {
        "decision_id": outcome.decision_id,
        "result": outcome.result,
        "incident": outcome.incident,
        "reported_by": outcome.reported_by or None,
        "reported_at": format_instant(outcome.reported_at),
    }
