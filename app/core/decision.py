"""A question and its decision: every matching policy has a veto.

Plain values: `engine` computes them, `explain` renders them as sentences.
"""

from enum import StrEnum
from typing import NamedTuple

from app.core.freeze import Freeze
from app.core.instant import LOOK_AHEAD
from app.core.policy import Policy
from app.core.wallclock import Zone

Rule = Policy | Freeze
"""A rule with a veto: a policy of the file, or an ad-hoc freeze."""


class Outcome(StrEnum):
    """The outcome of a decision: `warn` allows with warnings, `override` allows by a token."""

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
    """A rule and the uninterrupted time in which it vetoes (or, if it only warns, warns).

    A bound is None where it is more than the look-ahead away from every instant it was made for.
    """

    rule: Rule
    zone: Zone
    start: int | None
    end: int | None

    def bounds(self, at: int) -> tuple[int | None, int | None]:
        """Return start and end as seen from `at`: None where more than two years away."""
        start, end = self.start, self.end
        return (
            start if start is not None and start >= at - LOOK_AHEAD else None,
            end if end is not None and end <= at + LOOK_AHEAD else None,
        )


class Decision(NamedTuple):
    """The answer to a question at an instant, before any override token is considered."""

    question: Question
    at: int
    blocking: tuple[Stretch, ...]
    warnings: tuple[Stretch, ...]
    flips_at: int | None
    """The first instant at which the combined answer flips; None if not within two years."""
    following: tuple[Stretch, ...] = ()
    """Further vetoes until it opens, if nothing in `blocking` lasts that long; ordered by start."""
    closing: tuple[Stretch, ...] = ()
    """The rules that veto from `closes_at` on; empty while blocked, and if nothing closes it."""

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
