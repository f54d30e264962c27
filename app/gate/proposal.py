"""A proposal: files of the policies in force, edited on the dashboard.

The gate writes nothing. It checks a proposal, and hands out its files or a patch. The URLs of calendars are
masked in all of this, as in the record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

from app.core.diff import Diff, TooManyHoursError, diff
from app.core.diff.limits import MOST_FOUND_BESIDE
from app.core.diff.period import diff_period
from app.core.lines import with_endings_of
from app.core.patch import unified_diff
from app.gate.in_force import InForce
from app.gate.job_queue import IsUnwanted
from app.gate.lint import checkpoint_of, examine_candidate
from app.policies.calendars.subscription import mask
from app.policies.lint.lint import Examined
from app.policies.load import closed_until_loaded
from app.policies.selftest import SelfTestResult, problems_of
from app.policies.source import Snapshot
from app.yaml.problem import Problem, Severity

LARGEST_FILE: Final = 1024 * 1024
"""Bytes of a file that is opened in the editor. Browsers become slow beyond that."""

MOST_LINES: Final = 50_000
"""Its lines. To compare more of them would keep questions waiting."""


class ProposedPatch(NamedTuple):
    """The patch of a proposal, and how it relates to the real files."""

    text: str
    """Empty without a difference."""
    masked: tuple[str, ...]
    """The lines with a masked URL that it changes, as ``policies.yaml:12``; it doesn't apply to the files."""
    needs_zero: bool
    """Whether `git apply` needs ``--unidiff-zero``, because a change stands right before such a line."""


class ProposalCheck(NamedTuple):
    """The findings on a proposal."""

    problems: list[Problem]
    """Those that `freezegate lint` shows, without failing tests."""
    tests: list[SelfTestResult]
    """Failures first; none if the files have errors."""
    diff: Diff | None
    """The difference from the policies in force, in the coming days; None if they can't be compared."""
    why_no_diff: str
    """Why they can't be compared; empty if they can, or if the files have errors."""

    @property
    def errors(self) -> int:
        """The number of errors."""
        return sum(each.severity is Severity.ERROR for each in self.problems)

    @property
    def failed(self) -> int:
        """The number of failing tests."""
        return sum(not each.passed for each in self.tests)


@dataclass(frozen=True)
class Proposal:
    """Edited and added files, beside the policies in force."""

    in_force: InForce
    edits: Mapping[str, str]
    """The texts of the files as a browser sends them, by name."""

    @cached_property
    def recorded(self) -> Mapping[str, str]:
        """The texts of the files in force, without the URLs of calendars."""
        return self.in_force.snapshot.recorded_policies

    @cached_property
    def changed(self) -> Mapping[str, str]:
        """The texts of edited and added files, with the line endings that they have in force."""
        texts = {
            name: with_endings_of(self.recorded.get(name, ""), text) for name, text in self.edits.items()
        }
        return {name: text for name, text in texts.items() if text != self.recorded.get(name)}

    @property
    def names(self) -> list[str]:
        """The names of all files, also of those to be added."""
        return sorted({*self.recorded, *self.edits})

    def text(self, name: str) -> str:
        """Return the text of a file as proposed; empty for a file to be added."""
        return self.changed[name] if name in self.changed else self.recorded.get(name, "")

    @cached_property
    def candidate(self) -> Snapshot:
        """The files of the whole set as proposed, with the calendars in force."""
        texts = {**self.recorded, **self.changed}
        return replace(self.in_force.snapshot, policies=dict(sorted(texts.items())))

    @cached_property
    def patch(self) -> ProposedPatch:
        """The patch from the files in force to the proposed ones."""
        real = self.in_force.snapshot.policies
        urls = [each.url for each in self.in_force.snapshot.subscriptions]
        parts, masked, needs_zero = [], [], False
        for name, text in sorted(self.changed.items()):
            hidden = _hidden_lines(self.recorded.get(name, ""), real.get(name, ""))
            # A URL that was put in as it is in force is no change: the real file has it.
            patch = unified_diff(name, self.recorded.get(name), mask(text, urls), hidden)
            parts.append(patch.text)
            masked += [f"{name}:{line}" for line in patch.hidden]
            needs_zero = needs_zero or patch.needs_zero
        return ProposedPatch("".join(parts), tuple(masked), needs_zero)

    def masked_lines(self, name: str) -> list[int]:
        """Return the lines of a proposed file that hold a masked URL of a calendar in force."""
        keys = [each.key for each in self.in_force.snapshot.subscriptions]
        lines = enumerate(self.text(name).split("\n"), 1) if keys else ()
        return [number for number, line in lines if any(key in line for key in keys)]


def is_too_large(text: str) -> bool:
    """Return whether a text is too large for the editor."""
    return len(text.encode("utf-8", "replace")) > LARGEST_FILE or text.count("\n") > MOST_LINES


def check(proposal: Proposal, now: int, is_unwanted: IsUnwanted = lambda: False) -> ProposalCheck:
    """Lint a proposal, run its tests, and compare it with the policies in force.

    Raises:
        BusyError: the result is no longer wanted.
    """
    in_force = proposal.in_force
    examined = examine_candidate(proposal.candidate, in_force, now, is_unwanted)
    tests = sorted(examined.tests, key=lambda each: each.passed)
    if examined.loaded is None:
        return ProposalCheck(examined.problems, tests, None, "")
    new = closed_until_loaded(examined.loaded).engine
    problems, found, why_not = _without_tests(examined), None, ""
    try:
        found = diff(in_force.engine, new, diff_period(now), checkpoint_of(is_unwanted), MOST_FOUND_BESIDE)
    except TooManyHoursError as error:
        why_not = str(error)
    return ProposalCheck(problems, tests, found, why_not)


def _without_tests(examined: Examined) -> list[Problem]:
    """Return the problems other than failing tests, which are shown with the tests."""
    failing = set(problems_of(examined.tests))
    return [each for each in examined.problems if each not in failing]


def _hidden_lines(recorded: str, real: str) -> frozenset[int]:
    """Return the indexes of the lines in which a recorded text differs from the real one."""
    if recorded is real:
        return frozenset()
    pairs = zip(recorded.split("\n"), real.split("\n"), strict=True)
    return frozenset(index for index, (shown, line) in enumerate(pairs) if shown != line)
