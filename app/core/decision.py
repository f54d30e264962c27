"""A question, and the answer to it: every policy that matches has a veto.

These are plain values. `engine` finds them, `explain` puts them into sentences.
"""

from enum import StrEnum
from typing import NamedTuple

from app.core.freeze import Freeze
from app.core.instant import LOOK_AHEAD
from app.core.policy import Policy
from app.core.wallclock import Zone

Rule = Policy | Freeze
"""What has a veto: a policy of the file, or an ad-hoc freeze."""


class Outcome(StrEnum):
    """How a decision ends: `warn` allows, with warnings; `override` allows by a token."""

    ALLOW = "allow"
    WARN = "warn"
    OVERRIDE = "override"
    DENY = "deny"


class Question(NamedTuple):
    """May this service be deployed to this environment, taking this many seconds?"""

    service: str
    environment: str = "production"
    change: str = "normal"
    duration: int = 0


class Stretch(NamedTuple):
    """A rule and the stretch of time through which it vetoes (or, if it only warns, warns).

    A bound is None where it is more than the look-ahead away from every instant it was made for.
    """

    rule: Rule
    zone: Zone
    start: int | None
    end: int | None

    def bounds(self, at: int) -> tuple[int | None, int | None]:
        """Start and end as seen from `at`: None for what is more than two years away."""
        start, end = self.start, self.end
        return (
            start if start is not None and start >= at - LOOK_AHEAD else None,
            end if end is not None and end <= at + LOOK_AHEAD else None,
        )


class Decision(NamedTuple):
    """The answer to a question at an instant, before any override token is looked at."""

    question: Question
    at: int
    blocking: tuple[Stretch, ...]
    warnings: tuple[Stretch, ...]
    flips_at: int | None
    """The first instant at which the combined answer really flips; None when not within two years."""
    following: tuple[Stretch, ...] = ()
    """What else vetoes until it opens, where nothing of `blocking` lasts that long; by its start."""
    closing: tuple[Stretch, ...] = ()
    """The rules that veto from `closes_at` on; empty while something blocks, or where nothing closes it."""

    @property
    def allowed(self) -> bool:
        """Whether nothing vetoes."""
        return not self.blocking

    @property
    def outcome(self) -> Outcome:
        """Allow, warn or deny."""
        if self.blocking:
            return Outcome.DENY
        return Outcome.WARN if self.warnings else Outcome.ALLOW

    @property
    def opens_at(self) -> int | None:
        """When a deploy that is refused now may start."""
        return self.flips_at if self.blocking else None

    @property
    def closes_at(self) -> int | None:
        """When a deploy that is allowed now may start no more."""
        return None if self.blocking else self.flips_at
