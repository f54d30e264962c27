"""Recorded decisions, their fates under a candidate, and the result of counting them."""

from collections import Counter
from enum import StrEnum
from typing import Final, NamedTuple

from app.core.comparison import Comparison, Tally
from app.core.decision import Outcome
from app.core.policy import Policy
from app.core.rollup import FREEZE_ID
from app.core.vetoes import REFUSED, Veto


class Recorded(NamedTuple):
    """A recorded decision with its latest report, reduced to what a backtest needs."""

    seq: int
    """Its position in the audit log."""
    id: str
    at: int
    service: str
    """The service; several as in `Question.joined`, in examples in words."""
    environment: str
    change: str
    duration: int
    outcome: str
    blocking: str | None
    """The ids of the rules that vetoed, joined by commas, whether or not a token lifted them."""
    result: str | None
    """The result of the latest report; None without any."""
    first_at: int | None
    """When the deploy began that this is a later step of; None if it is a first step."""
    first_duration: int | None
    """How long that deploy may take, in seconds."""


class Fate(StrEnum):
    """The answer of the candidate to a decision, beside the recorded one."""

    KEPT = "kept"
    """Went out, and would be allowed."""
    STOPPED = "stopped"
    """Went out, and would be denied."""
    REFUSED = "refused"
    """Went out, and would be denied: the candidate refuses its service as unknown."""
    FREE = "without-token"
    """Went out by a token, and would need none."""
    TOKEN = "with-token"  # noqa: S105 - a word
    """Went out by a token, and would need one."""
    NEVER = "never"
    """Went out by a token, and no token would lift the veto, or the service would be refused."""
    DENIED = "denied"
    """Was denied, and would be."""
    ALLOWED = "allowed"
    """Was denied, and would be allowed."""
    STEP_KEPT = "step-kept"
    """A later step that went out, and would be allowed."""
    STEP_STOPPED = "step-stopped"
    """A later step that went out, and would be denied."""
    UNKNOWN = "unknown"
    """The candidate doesn't list its environment or kind of change."""


SHOWN: Final = (Fate.STOPPED, Fate.REFUSED, Fate.NEVER, Fate.ALLOWED, Fate.STEP_STOPPED, Fate.UNKNOWN)
"""The fates that examples are kept of."""


class Example(NamedTuple):
    """A decision, and the policies behind its fate: the candidate's, or those of then if it is allowed."""

    recorded: Recorded
    policies: tuple[str, ...]


class PolicyEffect(NamedTuple):
    """The effect that a policy of the candidate would have had."""

    policy: Policy
    stopped: int
    """Deploys that went out without a token, and that it vetoes."""
    alone: int
    """Of these, those that no other policy vetoes."""
    overridden: int
    """Deploys that went out by a token, and that it vetoes."""
    denied: int
    """Denied claims that it vetoes."""
    comparison: Comparison
    """Over the deploys without a token that it applies to; inside are those that it vetoes."""


class Group(NamedTuple):
    """The decisions of a service, an environment or an hour of the week."""

    deploys: int = 0
    """Went out without a token."""
    stopped: int = 0
    """Of these, those that would be denied."""
    denied: int = 0
    allowed: int = 0
    """Of the denied claims, those that would be allowed."""


class UnknownName(NamedTuple):
    """A name of the record that the candidate doesn't list."""

    field: str
    name: str
    decisions: int


class Backtest(NamedTuple):
    """The fates of the decisions of a period under a candidate."""

    fates: Counter[Fate]
    deploys: Tally
    """Went out without a token; first steps only."""
    stopped: Tally
    """Of these, those that would be denied."""
    stopped_for_good: int
    """Of these, those by a policy that no token lifts."""
    comparison: Comparison
    """Of the stopped deploys with the others."""
    overridden: Tally
    """Went out by a token; first steps only."""
    denied_by_freezes: int
    """Of the claims that would be denied still, those that only ad-hoc freezes deny."""
    policies: tuple[PolicyEffect, ...]
    """Those of the candidate that can veto, in its order."""
    former: Counter[str]
    """Allowed claims by the rule that vetoed then."""
    services: dict[str, Group]
    environments: dict[str, Group]
    hours: dict[int, Group]
    """By hour of the week, in the candidate's zone; 0 is Monday, 00:00."""
    refused: tuple[UnknownName, ...]
    """Services that the candidate refuses as unknown, with all of their decisions."""
    unknown: tuple[UnknownName, ...]
    """Names of decisions that can't be judged."""
    examples: dict[Fate, tuple[Example, ...]]
    """Newest first."""
    compared: int
    """The number of comparisons that could be made; the confidence of each allows for it."""


_DEPLOY: Final = (Fate.KEPT, Fate.STOPPED)
_STEP: Final = (Fate.STEP_KEPT, Fate.STEP_STOPPED)
_DENIAL: Final = (Fate.ALLOWED, Fate.DENIED)
"""Fates without and with a veto."""


def fate_of(recorded: Recorded, veto: Veto) -> Fate:
    """Return the fate of a decision under the vetoes of the candidate."""
    if recorded.outcome == Outcome.DENY:
        return _DENIAL[_is_vetoed(recorded, veto)]
    if recorded.outcome == Outcome.OVERRIDE:
        return _fate_by_token(recorded, veto)
    if recorded.first_at is not None:
        return _STEP[bool(veto)]
    return Fate.REFUSED if veto is REFUSED else _DEPLOY[bool(veto)]


def _fate_by_token(recorded: Recorded, veto: Veto) -> Fate:
    if recorded.first_at is not None:
        return _STEP[veto.for_good]
    if veto.for_good:
        return Fate.NEVER
    return Fate.TOKEN if _is_vetoed(recorded, veto) else Fate.FREE


def _is_vetoed(recorded: Recorded, veto: Veto) -> bool:
    """Return whether the candidate or an ad-hoc freeze of then vetoes."""
    return bool(veto) or FREEZE_ID in (recorded.blocking or "")
