"""The difference of two sets of policies that were in force: the hours that open or close, by the record."""

from typing import Any, Final, NamedTuple

from app.core.diff import Diff, diff, to_json
from app.core.engine import Engine
from app.core.instant import DAY, LATEST
from app.core.interval import Interval
from app.core.policy import Policy, PolicySet
from app.core.policy_facts import ChangedFact, changed_facts
from app.core.wallclock import Zone
from app.gate.errors import StateConflictError
from app.gate.job_queue import IsUnwanted
from app.gate.lint import checkpoint_of
from app.gate.revisions import Revisions
from app.policies.load import load_untested
from app.yaml.problem import PolicyFileError

AHEAD: Final = 60 * DAY
"""Seconds that are compared, from now on, if nothing else is asked for."""


class RevisionDiff(NamedTuple):
    """The difference of two revisions."""

    old_revision: str
    new_revision: str
    old: Engine
    new: Engine
    found: Diff

    def to_json(self) -> dict[str, Any]:
        """Return the JSON representation, that of all differences."""
        return to_json(self.found, self.new.policy_set.home, self.old_revision, self.new_revision)

    def facts_of(self, policy_id: str) -> list[ChangedFact]:
        """Return the facts of one policy that differ; it may have been renamed from the older revision on."""
        before, after = self.old.policy_set, self.new.policy_set
        old_id = next((each.id for each in self.found.policies if each.new_id == policy_id), policy_id)
        return changed_facts(_placed(before, old_id), _placed(after, policy_id))


def _placed(policy_set: PolicySet, policy_id: str) -> tuple[Policy, Zone] | None:
    """Return a policy with the zone of its set; None if it isn't there."""
    found = (each for each in policy_set.policies if each.id == policy_id)
    return next(((each, policy_set.home) for each in found), None)


def soon(now: int) -> Interval:
    """Return the period that is compared if nothing else is asked for: in whole minutes."""
    start = now - now % 60
    return (start, min(start + AHEAD, LATEST))


def difference(
    revisions: Revisions, old: str, new: str, period: Interval, is_unwanted: IsUnwanted
) -> RevisionDiff:
    """Return the difference of two revisions of the record, in full or abbreviated.

    Raises:
        BusyError: the result is no longer wanted.
        TooManyHoursError: the sets differ too often in the period.
        UnknownRecordError: the record doesn't have one of them.
        InvalidFieldError: one is ambiguous.
        StateConflictError: this version does not accept the policies of one of them.
        StoreUnavailableError: the record can't be read.
    """
    old, new = revisions.resolve(old), revisions.resolve(new)
    before, after = _engine(revisions, old), _engine(revisions, new)
    return RevisionDiff(old, new, before, after, diff(before, after, period, checkpoint_of(is_unwanted)))


def _engine(revisions: Revisions, revision: str) -> Engine:
    try:
        return load_untested(revisions.snapshot(revision)).engine
    except PolicyFileError as error:
        sentence = f"this version does not accept the policies of {revision[:19]}: {error.problems[0]}"
        raise StateConflictError(sentence) from None
