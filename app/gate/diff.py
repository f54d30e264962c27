"""Compare a candidate with the policies in force."""

from app.core.diff import TooManyHoursError, diff
from app.core.diff.limits import MOST_FOUND_BESIDE
from app.core.diff.rendering import Compared
from app.core.instant import in_range
from app.core.interval import Period
from app.gate.candidate import load_candidate
from app.gate.errors import InvalidFieldError
from app.gate.in_force import InForce
from app.gate.job_queue import IsUnwanted
from app.gate.lint import checkpoint_of
from app.policies.source import Snapshot


def candidate_diff(
    candidate: Snapshot, in_force: InForce, period: Period, is_unwanted: IsUnwanted = lambda: False
) -> Compared:
    """Return what changes within a period if a candidate takes the place of what is in force.

    Ad-hoc freezes are left out: they stay, whatever the files say.

    Raises:
        CandidateError: the candidate has errors.
        OutOfRangeError: the period reaches outside the years 2000 to 2100.
        InvalidFieldError: the period is too long for policies that open and close that often.
        BusyError: the result is no longer wanted.
    """
    in_range(period.start)
    in_range(period.end - 1)
    loaded = load_candidate(candidate, in_force)
    checkpoint = checkpoint_of(is_unwanted)
    checkpoint()
    try:
        found = diff(in_force.engine, loaded.engine, period, checkpoint, MOST_FOUND_BESIDE)
    except TooManyHoursError as error:
        raise InvalidFieldError("to", str(error)) from None
    return Compared(found, loaded.policy_set.home, in_force.revision, loaded.revision)
