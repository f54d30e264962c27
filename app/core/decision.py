"""A question and its decision: every matching policy has a veto.

Plain values: `engine` computes them, `explain` renders them as sentences.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from app.core.environment import EnvironmentKind
from app.core.freeze import Freeze
from app.core.instant import LOOK_AHEAD
from app.core.policy import Effect, Policy
from app.core.wallclock import Zone

Rule = Policy | Freeze
"""A rule with a veto: a policy of the file, or an ad-hoc freeze."""


class Outcome(StrEnum):
    """The outcome of a decision: `warn` allows with warnings, `override` allows by a token."""

    ALLOW = "allow"
    WARN = "warn"
    OVERRIDE = "override"
    DENY = "deny"


MOST_LETTERS: Final = 128
"""Characters of several services in words, as of the longest name."""

JOINT: Final = " "
"""Stands between several services in words, and in no name of a service."""


class Question(NamedTuple):
    """May this service be deployed to this environment, taking this many seconds?"""

    service: str
    """The service; several of them in words, see `in_words`."""
    environment: str = "production"
    change: str = "normal"
    duration: int = 0
    services: tuple[str, ...] = ()
    """The services of a deploy of several, which is allowed if it is allowed for each; empty for others."""

    @property
    def names(self) -> tuple[str, ...]:
        """The service, or the services of a deploy of several."""
        return self.services or (self.service,)

    @property
    def joined(self) -> str:
        """The names in a form that is equal for the same set of services, whatever their order."""
        return joined(self.names)

    def of(self, service: str) -> "Question":
        """Return the same question about one service."""
        return self._replace(service=service, services=())


def together(
    services: Sequence[str], environment: str = "production", change: str = "normal", duration: int = 0
) -> Question:
    """Return the question whether several services may be deployed together."""
    return Question(in_words(services), environment, change, duration, tuple(services))


def joined(services: Iterable[str]) -> str:
    """Return services as a text that is equal for equal sets; a name holds no comma."""
    return ",".join(sorted(services))


def names_of(text: str) -> list[str]:
    """Return the services of a text that `joined` made."""
    return text.split(",")


def in_words(services: Sequence[str]) -> str:
    """Return services as "a, b and c", in at most `MOST_LETTERS` characters: else "a, b and 7 more"."""
    *others, last = services
    text = f"{', '.join(others)} and {last}" if others else last
    if len(text) <= MOST_LETTERS:
        return text
    for shown in range(min(len(others), MOST_LETTERS // 3), 0, -1):
        text = f"{', '.join(services[:shown])} and {len(services) - shown} more"
        if len(text) <= MOST_LETTERS:
            return text
    return f"{len(services)} services"


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


class DecisionPart(NamedTuple):
    """The decision on one service of a deploy of several, without when it flips: that is found for all."""

    question: Question
    """The question about this service."""
    blocking: tuple[Stretch, ...]
    warnings: tuple[Stretch, ...]

    @classmethod
    def of(cls, question: Question, met: Sequence[Stretch]) -> "DecisionPart":
        """Return the decision by the rules that the deploy would meet."""
        return cls(
            question,
            tuple(each for each in met if each.rule.effect is not Effect.WARN),
            tuple(each for each in met if each.rule.effect is Effect.WARN),
        )

    @property
    def allowed(self) -> bool:
        """Whether nothing vetoes."""
        return not self.blocking

    @property
    def outcome(self) -> Outcome:
        """Allow, warn or deny."""
        return _outcome(self.blocking, self.warnings)


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
    parts: tuple[DecisionPart, ...] = ()
    """The decisions on each service of a deploy of several; empty for others."""
    kind: EnvironmentKind = EnvironmentKind.DEPLOY
    """The kind of the environment, for the sentences."""

    @property
    def allowed(self) -> bool:
        """Whether nothing vetoes."""
        return not self.blocking

    @property
    def outcome(self) -> Outcome:
        """Allow, warn or deny."""
        return _outcome(self.blocking, self.warnings)

    @property
    def opens_at(self) -> int | None:
        """When a deploy that is refused now may start."""
        return self.flips_at if self.blocking else None

    @property
    def closes_at(self) -> int | None:
        """When a deploy that is allowed now may start no more."""
        return None if self.blocking else self.flips_at


def _outcome(blocking: Sequence[Stretch], warnings: Sequence[Stretch]) -> Outcome:
    if blocking:
        return Outcome.DENY
    return Outcome.WARN if warnings else Outcome.ALLOW


def each_rule_once(decision: Decision) -> Decision:
    """Return a decision that names no rule twice.

    A policy that each service reads in its own zone stands twice among the rules of several services. Its
    first stretch is kept, in its place.
    """
    return decision._replace(
        blocking=_once(decision.blocking),
        warnings=_once(decision.warnings),
        following=_once(decision.following),
        closing=_once(decision.closing),
    )


def _once(stretches: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    first: dict[int, Stretch] = {}
    for each in stretches:
        first.setdefault(id(each.rule), each)
    return tuple(first.values())
