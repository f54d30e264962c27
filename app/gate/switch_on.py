"""The effect of a policy that only warns, if it denied: in the coming weeks, and in the record.

Nothing is changed: the files are the only place where a policy is switched on.
"""

from typing import NamedTuple

from app.clock import Clock
from app.core.backtest import PolicyEffect
from app.core.diff import Diff, diff
from app.core.diff.limits import MOST_FOUND_BESIDE
from app.core.diff.period import diff_period
from app.core.engine import Engine
from app.core.instant import DAY, EARLIEST
from app.gate.backtest import Backtested, BacktestRequest, Backtests, switched_on
from app.gate.in_force import InForce
from app.gate.job_queue import IsUnwanted
from app.gate.lint import checkpoint_of
from app.policies.check import entries
from app.policies.source import Snapshot
from app.yaml.compose import read_document


class Line(NamedTuple):
    """The line of a policy file that switches a policy on."""

    file: str
    line: int


class SwitchOn(NamedTuple):
    """The effect of a policy that warns, if it denied."""

    line: Line
    """The line of its effect."""
    found: Diff
    """The hours that would close."""
    tested: Backtested
    """The recorded decisions of the period."""
    effect: PolicyEffect
    """Of these, those that the policy decides."""


def switch_on(
    in_force: InForce, policy_id: str, days: int, backtests: Backtests, clock: Clock, is_unwanted: IsUnwanted
) -> SwitchOn:
    """Compare the policies in force with the same ones in which a policy denies.

    Args:
        in_force: the policies.
        policy_id: the policy that warns.
        days: how far the record is read back.
        backtests: read the record.
        clock: the present, and the time that it takes.
        is_unwanted: see `JobQueue`.

    Raises:
        UnknownNameError: there is no such policy.
        TooManyHoursError: the hours can't be compared.
        BusyError: the result is no longer wanted.
        StoreUnavailableError: the record can't be read.
    """
    since, now = clock.elapsed(), clock.now()
    candidate = Engine(switched_on(in_force.policy_set, policy_id))
    wanted = BacktestRequest(max(EARLIEST, now - days * DAY), now)
    found = diff(in_force.engine, candidate, diff_period(now), checkpoint_of(is_unwanted), MOST_FOUND_BESIDE)
    tested = backtests.run(candidate.compiled, wanted, is_unwanted, since)
    effect = next(each for each in tested.found.policies if each.policy.id == policy_id)
    return SwitchOn(_line_of(in_force.snapshot, policy_id), found, tested, effect)


def _line_of(snapshot: Snapshot, policy_id: str) -> Line:
    """Return the line with the effect of a policy; one that warns always states it."""
    documents = (read_document(name, text) for name, text in snapshot.policies.items())
    return next(
        Line(document.name, document.place(("policies", index, "effect")).best.line)
        for document in documents
        for index, policy in enumerate(entries(document, "policies"))
        if policy["id"] == policy_id
    )
