"""The difference of two sets of policies that were in force: the hours that open or close, by the record."""

from typing import NamedTuple

from app.core.diff import Diff, TooManyHoursError, diff
from app.core.diff.limits import MOST_FOUND_BESIDE
from app.core.diff.rendering import Compared
from app.core.engine import Engine
from app.core.instant import in_range
from app.core.interval import Period
from app.core.policy import Policy, PolicySet
from app.core.policy_facts import ChangedFact, changed_facts
from app.core.wallclock import Zone
from app.gate.errors import InvalidFieldError, StateConflictError
from app.gate.job_queue import IsUnwanted
from app.gate.lint import checkpoint_of
from app.gate.revisions import Revisions
from app.policies.load import load_untested
from app.yaml.problem import PolicyFileError


class RevisionDiff(NamedTuple):
    """The difference of two revisions, with their policies."""

    compared: Compared
    old: PolicySet
    new: PolicySet

    @property
    def found(self) -> Diff:
        """The difference itself."""
        return self.compared.found

    def facts_of(self, policy_id: str) -> list[ChangedFact]:
        """Return the facts of one policy that differ; it may have been renamed from the older revision on."""
        old_id = next((each.id for each in self.found.policies if each.new_id == policy_id), policy_id)
        return changed_facts(_placed(self.old, old_id), _placed(self.new, policy_id))


def _placed(policy_set: PolicySet, policy_id: str) -> tuple[Policy, Zone] | None:
    """Return a policy with the zone of its set; None if it isn't there."""
    found = (each for each in policy_set.policies if each.id == policy_id)
    return next(((each, policy_set.home) for each in found), None)


def difference(
    revisions: Revisions, old: str, new: str, period: Period, is_unwanted: IsUnwanted
) -> RevisionDiff:
    """Return the difference of two revisions of the record, in full or abbreviated.

    Raises:
        UnknownRecordError: the record doesn't have one of them.
        InvalidFieldError: one is ambiguous, or the period is too long for policies that differ that often.
        OutOfRangeError: the period reaches outside the years 2000 to 2100.
        StateConflictError: this version does not accept the policies of one of them.
        BusyError: the result is no longer wanted.
        StoreUnavailableError: the record can't be read.
    """
    in_range(period.start)
    in_range(period.end - 1)
    checkpoint = checkpoint_of(is_unwanted)
    old, new = revisions.resolve(old), revisions.resolve(new)
    before = _engine(revisions, old)
    checkpoint()
    after = _engine(revisions, new)
    checkpoint()
    try:
        found = diff(before, after, period, checkpoint, MOST_FOUND_BESIDE)
    except TooManyHoursError as error:
        raise InvalidFieldError("to", str(error)) from None
    compared = Compared(found, after.policy_set.home, old, new)
    return RevisionDiff(compared, before.policy_set, after.policy_set)


def _engine(revisions: Revisions, revision: str) -> Engine:
    try:
        return load_untested(revisions.snapshot(revision)).engine
    except PolicyFileError as error:
        sentence = f"this version does not accept the policies of {revision[:19]}: {error.problems[0]}"
        raise StateConflictError(sentence) from None
