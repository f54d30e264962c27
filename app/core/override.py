"""The override token's rules: what it is good for, whether it covers a deny, what it may ask for.

Pure judgements over values. Spending it, so that N uses are N uses, is the store's part.
"""

from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.core.decision import Decision, Rule, Stretch
from app.core.notation import format_duration
from app.core.policy import Ceilings, PolicySet, glob_pattern

MAX_TTL: Final = 366 * 86_400
"""Seconds; the longest a token may live where no ceiling says less."""

MAX_USES: Final = 1_000
"""The most uses where no ceiling says less."""


class OverrideState(StrEnum):
    """Where an override stands."""

    ACTIVE = "active"
    PENDING = "pending"
    EXPIRED = "expired"
    USED_UP = "used-up"
    REVOKED = "revoked"


class UseResult(StrEnum):
    """What became of a token that was presented."""

    SPENT = "spent"
    NOT_NEEDED = "not-needed"
    DOES_NOT_COVER = "does-not-cover"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED_UP = "used-up"
    REVOKED = "revoked"
    PENDING = "pending"
    INVALID = "invalid"
    """What unknown, expired, used-up and revoked tokens of others are called to the outside."""


class Approval(NamedTuple):
    """Somebody else's yes to an override."""

    by: str
    at: int


class Override(NamedTuple):
    """A permission to let a few deploys through; instants in seconds, UTC."""

    id: str
    services: tuple[str, ...]
    environments: tuple[str, ...]
    policies: tuple[str, ...] | None
    """The rules it lifts, by id; None for all that may be lifted."""
    reason: str
    ticket: str | None
    granted_by: str
    granted_at: int
    expires_at: int
    max_uses: int
    uses: int
    approvals_needed: int
    approvals: tuple[Approval, ...] = ()
    revoked_by: str | None = None
    revoked_at: int | None = None

    @property
    def uses_left(self) -> int:
        """How many deploys it may still let through."""
        return self.max_uses - self.uses

    @property
    def ttl(self) -> int:
        """Seconds from its grant to its end."""
        return self.expires_at - self.granted_at

    def state(self, at: int) -> OverrideState:
        """Where it stands at an instant."""
        if self.revoked_at is not None:
            return OverrideState.REVOKED
        if self.uses_left <= 0:
            return OverrideState.USED_UP
        if self.expires_at <= at:
            return OverrideState.EXPIRED
        if len(self.approvals) < self.approvals_needed:
            return OverrideState.PENDING
        return OverrideState.ACTIVE

    def covers_request(self, service: str, environment: str) -> bool:
        """Whether its scope takes in a service and environment."""
        return environment in self.environments and bool(glob_pattern(self.services).fullmatch(service))

    def covers_rule(self, rule: Rule) -> bool:
        """Whether it lifts the veto of a rule: it names it or all, and keeps to the rule's ceilings."""
        named = self.policies is None or rule.id in self.policies
        return named and rule.overridable == "token" and not exceeded(self, rule.ceilings)

    def to_data(self) -> dict[str, Any]:
        """As JSON can say it; `from_data` reads it back."""
        return {**self._asdict(), "approvals": [approval._asdict() for approval in self.approvals]}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Override":
        """The override that `to_data` wrote."""
        tuples = {
            name: None if data[name] is None else tuple(data[name])
            for name in ("services", "environments", "policies")
        }
        given = tuple(Approval(**each) for each in data["approvals"])
        return cls(**{**data, **tuples, "approvals": given})


class Use(NamedTuple):
    """The judgement of one presented token."""

    result: UseResult
    override: Override | None = None
    uncovered: tuple[Stretch, ...] = ()
    """The vetoes that it does not lift."""

    @property
    def spends(self) -> bool:
        """Whether it turns the deny into an allow, and costs a use."""
        return self.result is UseResult.SPENT

    def disclosed(self, *, to_granter: bool) -> "Use":
        """As it is told: only its granter learns that a token exists that is no good any more."""
        if self.result not in _UNDISCLOSED or (to_granter and self.override is not None):
            return self
        return Use(UseResult.INVALID)


_UNDISCLOSED: Final = frozenset({UseResult.UNKNOWN, UseResult.EXPIRED, UseResult.USED_UP, UseResult.REVOKED})

_USELESS: Final = {
    OverrideState.REVOKED: UseResult.REVOKED,
    OverrideState.USED_UP: UseResult.USED_UP,
    OverrideState.EXPIRED: UseResult.EXPIRED,
    OverrideState.PENDING: UseResult.PENDING,
}


def judge(override: Override | None, decision: Decision) -> Use:
    """What becomes of a token that is presented with a request; None is one that nobody granted."""
    if override is None:
        return Use(UseResult.UNKNOWN)
    useless = _USELESS.get(override.state(decision.at))
    if useless is not None:
        return Use(useless, override)
    if decision.allowed:
        return Use(UseResult.NOT_NEEDED, override)
    in_scope = override.covers_request(decision.question.service, decision.question.environment)
    uncovered = tuple(
        stretch for stretch in decision.blocking if not (in_scope and override.covers_rule(stretch.rule))
    )
    return Use(UseResult.DOES_NOT_COVER if uncovered else UseResult.SPENT, override, uncovered)


class Ceiling(NamedTuple):
    """The most that a token may have, worked out from every part that limits it."""

    max_ttl: int
    max_uses: int
    approvals: int


def ceiling(policy_set: PolicySet, rules: tuple[Rule, ...]) -> Ceiling:
    """The ceiling for tokens that name these rules; with none named, that of the file."""
    parts = (policy_set.overrides, *(rule.ceilings for rule in rules))
    return Ceiling(
        min([MAX_TTL, *(part.max_ttl for part in parts if part.max_ttl is not None)]),
        min([MAX_USES, *(part.max_uses for part in parts if part.max_uses is not None)]),
        max([0, *(part.approvals for part in parts if part.approvals is not None)]),
    )


def exceeded(override: Override, ceilings: Ceilings) -> str | None:
    """What an override has too much or too little of for a rule, as a sentence; None if it fits."""
    if ceilings.max_ttl is not None and override.ttl > ceilings.max_ttl:
        return f"it lives longer than {format_duration(ceilings.max_ttl)}"
    if ceilings.max_uses is not None and override.max_uses > ceilings.max_uses:
        return f"it has more than {ceilings.max_uses} uses"
    if ceilings.approvals is not None and len(override.approvals) < ceilings.approvals:
        return f"it needs {ceilings.approvals} approvals"
    return None
