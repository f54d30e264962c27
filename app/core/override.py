"""The rules of override tokens: their state, whether one covers a deny, and the limits of new ones.

Pure functions over values. Spending a token, so that N uses are never N + 1, is up to the store.
"""

from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.core.counted import counted
from app.core.decision import Decision, Question, Rule
from app.core.freeze import Freeze
from app.core.notation import format_duration
from app.core.policy import Ceilings, PolicySet, glob_pattern

MAX_TTL: Final = 366 * 86_400
"""The longest lifetime of a token in seconds, unless a ceiling is lower."""

MAX_AHEAD: Final = 31 * 86_400
"""The longest time in seconds from the grant of a token to its start; a month's release can be prepared."""

MAX_USES: Final = 1_000
"""The most uses of a token, unless a ceiling is lower."""


class OverrideState(StrEnum):
    """The state of an override."""

    ACTIVE = "active"
    PENDING = "pending"
    SCHEDULED = "scheduled"
    EXPIRED = "expired"
    USED_UP = "used-up"
    REVOKED = "revoked"


class UseResult(StrEnum):
    """The result of presenting a token."""

    SPENT = "spent"
    NOT_NEEDED = "not-needed"
    DOES_NOT_COVER = "does-not-cover"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED_UP = "used-up"
    REVOKED = "revoked"
    PENDING = "pending"
    INVALID = "invalid"
    """Published in place of unknown, expired, used-up and revoked, unless the caller granted the token."""


class Approval(NamedTuple):
    """The approval of an override by another person."""

    by: str
    at: int
    person: str = ""
    """The person in normal form, for comparison; empty in records that predate persons."""


class Override(NamedTuple):
    """A permission for a few deploys during freezes; instants in seconds, UTC."""

    id: str
    services: tuple[str, ...]
    environments: tuple[str, ...]
    policies: tuple[str, ...] | None
    """The ids of the rules it lifts; None for every rule that can be lifted."""
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
    granter: str | None = None
    """The granting person in normal form, for comparison; None if unknown."""
    starts_at: int | None = None
    """When it becomes active; None for at once."""
    ref: str | None = None
    """The only ref that it lets through; None for any."""

    @property
    def uses_left(self) -> int:
        """The deploys that it may still let through."""
        return self.max_uses - self.uses

    @property
    def ttl(self) -> int:
        """Seconds from its start to its end."""
        return self.expires_at - (self.granted_at if self.starts_at is None else self.starts_at)

    def state(self, at: int) -> OverrideState:
        """Return its state at an instant."""
        if self.revoked_at is not None:
            return OverrideState.REVOKED
        if self.uses_left <= 0:
            return OverrideState.USED_UP
        if self.expires_at <= at:
            return OverrideState.EXPIRED
        if len(self.approvals) < self.approvals_needed:
            return OverrideState.PENDING
        if self.starts_at is not None and at < self.starts_at:
            return OverrideState.SCHEDULED
        return OverrideState.ACTIVE

    def names(self, rule: Rule) -> bool:
        """Return whether it names a rule by id."""
        return self.policies is not None and rule.id in self.policies

    def scope_gaps(self, question: Question, ref: str | None = None) -> tuple["Gap", ...]:
        """Return the parts of a question that lie outside its services and environments, or another ref."""
        gaps = []
        if glob_pattern(self.services).fullmatch(question.service) is None:
            gaps.append(Gap(Part.SERVICE, question.service, "it is for other services"))
        if question.environment not in self.environments:
            gaps.append(Gap(Part.ENVIRONMENT, question.environment, "it is for other environments"))
        if self.ref is not None and ref != self.ref:
            gaps.append(Gap(Part.REF, ref or "", f"it is for the ref {self.ref}"))
        return tuple(gaps)

    def rule_gap(self, rule: Rule, behind: int = 0) -> "Gap | None":
        """Return why it doesn't lift the veto of a rule; None if it does. For `behind` see `judge`."""
        part = Part.FREEZE if rule.kind == "freeze" else Part.POLICY
        if rule.overridable == "never":
            return Gap(part, rule.id, "no token lifts it", rule.title)
        if self.policies is not None and not self.names(rule):
            return Gap(part, rule.id, "it does not name it", rule.title)
        # A token granted on Friday was never meant for Saturday's incident.
        if isinstance(rule, Freeze) and not self.names(rule):
            earlier = self._granted_before(rule, behind)
            if earlier is not None:
                return Gap(part, rule.id, f"it was granted before {earlier}", rule.title)
        exceeds = exceeded(self, rule.ceilings)
        return exceeds and Gap(exceeds.part, rule.id, exceeds.why, rule.title)

    def _granted_before(self, freeze: Freeze, behind: int) -> str | None:
        """Return what happened to a freeze after the grant, as a clause; None if nothing did.

        Starts are compared by the machine's clock; creation and changes by the clock that grants use.
        """
        if self.granted_at - behind < freeze.starts_at or self.granted_at < freeze.created_at:
            return "this freeze began"
        changed = freeze.rescoped_at is not None and self.granted_at < freeze.rescoped_at
        return "the scope of this freeze changed" if changed else None

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON-compatible data, for `from_data`."""
        return {**self._asdict(), "approvals": [approval._asdict() for approval in self.approvals]}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Override":
        """Build an override from the data of `to_data`."""
        tuples = {
            name: None if data[name] is None else tuple(data[name])
            for name in ("services", "environments", "policies")
        }
        given = tuple(Approval(**each) for each in data["approvals"])
        return cls(**{**data, **tuples, "approvals": given})


class Part(StrEnum):
    """The part of a token that does not cover a deploy."""

    SERVICE = "service"
    ENVIRONMENT = "environment"
    REF = "ref"
    POLICY = "policy"
    FREEZE = "freeze"
    TTL = "ttl"
    USES = "uses"
    TICKET = "ticket"
    APPROVALS = "approvals"


class Gap(NamedTuple):
    """One reason why a token does not cover a deploy."""

    part: Part
    id: str
    """The service, the environment, the ref, or the id of the rule that it does not lift."""
    why: str
    """The reason, as a clause about the token: "it was granted before this freeze began"."""
    title: str | None = None
    """The title of the rule, if it is one."""


class Use(NamedTuple):
    """The judgement of a presented token."""

    result: UseResult
    override: Override | None = None
    uncovered: tuple[Gap, ...] = ()
    """The reasons why it does not cover the deploy."""
    undisclosed: UseResult | None = None
    """The result that `INVALID` stands for: the sentence tells pipelines whether to ask for another token."""

    @property
    def spends(self) -> bool:
        """Whether it turns the deny into an allow, and costs a use."""
        return self.result is UseResult.SPENT

    def published(self, *, to_granter: bool) -> "Use":
        """Return the published form: only the granter learns whose token it was, and its exact result.

        The sentence tells anyone who presents the token what became of it: it can't be guessed.
        """
        if self.result not in _UNDISCLOSED or (to_granter and self.override is not None):
            return self
        return Use(UseResult.INVALID, undisclosed=self.result)


_UNDISCLOSED: Final = frozenset({UseResult.UNKNOWN, UseResult.EXPIRED, UseResult.USED_UP, UseResult.REVOKED})

_USELESS: Final = {
    OverrideState.REVOKED: UseResult.REVOKED,
    OverrideState.USED_UP: UseResult.USED_UP,
    OverrideState.EXPIRED: UseResult.EXPIRED,
    OverrideState.PENDING: UseResult.PENDING,
    OverrideState.SCHEDULED: UseResult.PENDING,
}


def judge(
    override: Override | None, decision: Decision, now: int, behind: int = 0, ref: str | None = None
) -> Use:
    """Judge a token that is presented with a request.

    Args:
        override: the override of the token; None if the token is unknown.
        decision: the decision without it.
        now: the instant for its expiry, from a clock that never goes back; in seconds.
        behind: how many seconds the clock of decisions is behind that of grants.
        ref: the ref that the request names.
    """
    if override is None:
        return Use(UseResult.UNKNOWN)
    useless = _USELESS.get(override.state(now))
    if useless is not None:
        return Use(useless, override)
    if decision.allowed:
        return Use(UseResult.NOT_NEEDED, override)
    uncovered = tuple(dict.fromkeys(_gaps(override, decision, behind, ref)))
    return Use(UseResult.DOES_NOT_COVER if uncovered else UseResult.SPENT, override, uncovered)


def _gaps(override: Override, decision: Decision, behind: int, ref: str | None) -> Iterator[Gap]:
    """Yield why a token doesn't cover a deny; of several services, for each that is denied."""
    for part in decision.parts or (decision,):
        if part.blocking:
            yield from override.scope_gaps(part.question, ref)
    lifting = (override.rule_gap(stretch.rule, behind) for stretch in decision.blocking)
    yield from (gap for gap in lifting if gap is not None)


class Ceiling(NamedTuple):
    """The limits of a token, combined from all parts that limit it."""

    max_ttl: int
    max_uses: int
    approvals: int


def ceiling(policy_set: PolicySet, rules: tuple[Rule, ...]) -> Ceiling:
    """Return the ceiling for tokens that name these rules; without any, that of the file."""
    parts = (policy_set.overrides, *(rule.ceilings for rule in rules))
    return Ceiling(
        min([MAX_TTL, *(part.max_ttl for part in parts if part.max_ttl is not None)]),
        min([MAX_USES, *(part.max_uses for part in parts if part.max_uses is not None)]),
        max([0, *(part.approvals for part in parts if part.approvals is not None)]),
    )


class Excess(NamedTuple):
    """The part of a token that exceeds the ceilings of a rule, or falls short of them."""

    part: Part
    why: str


def exceeded(override: Override, ceilings: Ceilings) -> Excess | None:
    """Return the first excess of an override over the ceilings of a rule; None if it fits."""
    if ceilings.max_ttl is not None and override.ttl > ceilings.max_ttl:
        return Excess(Part.TTL, f"it lives longer than {format_duration(ceilings.max_ttl)}")
    if ceilings.max_uses is not None and override.max_uses > ceilings.max_uses:
        return Excess(Part.USES, f"it has more than {counted(ceilings.max_uses, 'use')}")
    return _missing(override, ceilings)


def _missing(override: Override, ceilings: Ceilings) -> Excess | None:
    """Return what an override lacks that a rule requires; first what no approval mends."""
    if ceilings.require_ticket and override.ticket is None:
        return Excess(Part.TICKET, "it names no ticket")
    if ceilings.approvals is not None and len(override.approvals) < ceilings.approvals:
        needed = counted(ceilings.approvals, "approval")
        return Excess(Part.APPROVALS, f"it needs {needed} and has {len(override.approvals) or 'none'}")
    return None


def approvals_wanted(override: Override, rules: Iterable[Rule]) -> int:
    """Return how many approvals an override needs to lift all that it can of these rules.

    A rule that it can't lift regardless of approvals, because of its lifetime or uses, requires none.
    """
    asked = (
        rule.ceilings.approvals or 0
        for rule in rules
        if _may_concern(rule, override.environments) and _lifted_once_approved(override, rule)
    )
    return max([override.approvals_needed, *asked])


def _lifted_once_approved(override: Override, rule: Rule) -> bool:
    gap = override.rule_gap(rule)
    return gap is None or gap.part is Part.APPROVALS


def _may_concern(rule: Rule, environments: Collection[str]) -> bool:
    """Return whether a policy may veto anything in some environments; freezes ask for no approvals."""
    if isinstance(rule, Freeze) or rule.applies_to is None:
        return True
    return any(
        selector.environments is None or not set(environments).isdisjoint(selector.environments)
        for selector in rule.applies_to
    )
