"""A candidate: policies that are not in force, compared with those that are.

Nothing is fetched for a candidate. It sees the events of calendars by URL that are in force, and those that
came with it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.core import calendar_url
from app.core.counted import counted
from app.core.errors import FreezegateError
from app.gate.in_force import InForce
from app.policies.load import load_untested
from app.policies.loaded import LoadedPolicies
from app.policies.source import Snapshot
from app.yaml.problem import PolicyFileError, Problem


class CandidateError(FreezegateError):
    """A candidate can't be used; `problems` are those that ``freezegate lint`` shows."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(f"the policies have {counted(len(problems), 'error')}; see problems")

    def to_json(self) -> Mapping[str, Any]:
        """Return the problems as members of a problem document."""
        return {"problems": [problem.to_json() for problem in self.problems]}


def load_candidate(candidate: Snapshot, in_force: InForce) -> LoadedPolicies:
    """Load a candidate without running its self-tests: those have their own command.

    As after a start, a policy whose required calendar is unknown freezes at all times.

    Raises:
        CandidateError: it has errors.
    """
    try:
        return load_untested(with_events(candidate, in_force))
    except PolicyFileError as error:
        raise CandidateError(error.problems) from None


def with_events(candidate: Snapshot, in_force: InForce) -> Snapshot:
    """Return a candidate with the events of the calendars by URL that are in force.

    A URL counts as subscribed whether the candidate writes it in full or masked.
    """
    keys = {each.key for each in candidate.subscriptions}
    known = {key: text for key, text in in_force.snapshot.calendars.items() if key in keys}
    own = {
        name: text
        for name, text in candidate.calendars.items()
        if name in keys or not calendar_url.is_masked(name)
    }
    return replace(candidate, calendars=own | known)
