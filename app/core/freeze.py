"""The ad-hoc freeze: somebody stops deploys now, or from an instant on, for as long as it takes.

It vetoes like a deny policy with one window. What became of it stays on record.
"""

from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple

from app.core.instant import DAY
from app.core.policy import NO_CEILINGS, Ceilings, Effect, Selector

FORGOTTEN_AFTER: Final = DAY
"""Seconds after which an open-ended freeze that still lasts is pointed out."""


class FreezeState(StrEnum):
    """Where a freeze stands: `ended` by its end, `lifted` by somebody before."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    ENDED = "ended"
    LIFTED = "lifted"


class Freeze(NamedTuple):
    """One freeze; instants in seconds, UTC."""

    id: str
    title: str
    reason: str
    contact: str | None
    link: str | None
    selector: Selector
    override: Literal["token", "never"]
    starts_at: int
    ends_at: int | None
    """None while it is open-ended."""
    started_by: str
    created_at: int
    lifted_by: str | None = None
    lifted_at: int | None = None
    changed_at: int | None = None
    """When it was last changed or lifted; None if it stands as it was made."""
    exempt: tuple[Selector, ...] = ()
    """Requests that it lets through all the same."""
    lift_reason: str | None = None
    rescoped_at: int | None = None
    """When its scope, its exemptions, or whether tokens lift it last changed; None if they never did."""

    @property
    def revised_at(self) -> int:
        """When what is known of it was last changed, its making included."""
        return self.created_at if self.changed_at is None else self.changed_at

    @property
    def kind(self) -> Literal["freeze"]:
        """What it is, beside the policies of the file."""
        return "freeze"

    @property
    def effect(self) -> Effect:
        """It vetoes, like a policy that denies."""
        return Effect.DENY

    @property
    def overridable(self) -> Literal["token", "never"]:
        """Whether a token may lift its veto."""
        return self.override

    @property
    def ceilings(self) -> Ceilings:
        """What it asks of such tokens beyond what the file asks: nothing."""
        return NO_CEILINGS

    @property
    def until(self) -> int | None:
        """Where its veto ends: at its end, or where it was lifted; None while that is open."""
        if self.lifted_at is None or (self.ends_at is not None and self.ends_at < self.lifted_at):
            return self.ends_at
        return self.lifted_at

    @property
    def never_holds(self) -> bool:
        """Whether it was lifted before it started."""
        return self.until is not None and self.until <= self.starts_at

    def state(self, at: int) -> FreezeState:
        """Where it stands at an instant."""
        if self.lifted_at is not None and self.lifted_at <= at:
            return FreezeState.LIFTED
        if self.ends_at is not None and self.ends_at <= at:
            return FreezeState.ENDED
        return FreezeState.ACTIVE if self.starts_at <= at else FreezeState.SCHEDULED

    def stands(self, at: int) -> bool:
        """Whether it lasts at an instant, or is still to come."""
        return self.state(at) in (FreezeState.SCHEDULED, FreezeState.ACTIVE)

    def forgotten(self, at: int) -> bool:
        """Whether it is open-ended and has lasted for longer than a day: perhaps nobody remembers it."""
        lasts = self.ends_at is None and self.state(at) is FreezeState.ACTIVE
        return lasts and at - self.starts_at >= FORGOTTEN_AFTER

    def to_data(self) -> dict[str, Any]:
        """As JSON can say it; `from_data` reads it back."""
        exempt = [selector.model_dump(exclude_none=True) for selector in self.exempt]
        return {**self._asdict(), "selector": self.selector.model_dump(exclude_none=True), "exempt": exempt}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Freeze":
        """The freeze that `to_data` wrote."""
        exempt = tuple(map(Selector.model_validate, data.get("exempt", ())))
        return cls(**{**data, "selector": Selector.model_validate(data["selector"]), "exempt": exempt})

    def matches(self, service: str, tags: frozenset[str], environment: str, change: str) -> bool:
        """Whether it applies to a request and does not exempt it."""
        request = (service, tags, environment, change)
        return self.selector.matches(*request) and not any(each.matches(*request) for each in self.exempt)
