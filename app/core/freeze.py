"""The ad-hoc freeze: stops deploys from now or a later instant, with or without an end.

It vetoes like a deny policy with one window. Its history stays on record.
"""

from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple

from app.core.instant import DAY
from app.core.policy import NO_CEILINGS, Ceilings, Effect, Selector

FORGOTTEN_AFTER: Final = DAY
"""Seconds after which an open-ended freeze is reported as possibly forgotten."""


class FreezeState(StrEnum):
    """The state of a freeze: `ended` at its planned end, `lifted` by a person before it."""

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
    """When it was last changed or lifted; None if it is unchanged."""
    exempt: tuple[Selector, ...] = ()
    """Requests that it exempts."""
    lift_reason: str | None = None
    rescoped_at: int | None = None
    """When its scope, its exemptions, its `override` or its `running` last changed; None if never."""
    running: Literal["finish", "stop"] = "stop"
    """Whether a deploy that runs already may finish."""

    @property
    def revised_at(self) -> int:
        """When it was created or last changed, whichever is later."""
        return self.created_at if self.changed_at is None else self.changed_at

    @property
    def kind(self) -> Literal["freeze"]:
        """The kind of rule, as opposed to ``policy``."""
        return "freeze"

    @property
    def effect(self) -> Effect:
        """Always deny."""
        return Effect.DENY

    @property
    def overridable(self) -> Literal["token", "never"]:
        """Whether a token may lift its veto."""
        return self.override

    @property
    def ceilings(self) -> Ceilings:
        """Its own limits on override tokens: none."""
        return NO_CEILINGS

    @property
    def until(self) -> int | None:
        """The end of its veto, by plan or by lifting; None while open-ended."""
        if self.lifted_at is None or (self.ends_at is not None and self.ends_at < self.lifted_at):
            return self.ends_at
        return self.lifted_at

    @property
    def never_holds(self) -> bool:
        """Whether it was lifted before it started."""
        return self.until is not None and self.until <= self.starts_at

    def state(self, at: int) -> FreezeState:
        """Return its state at an instant."""
        if self.lifted_at is not None and self.lifted_at <= at:
            return FreezeState.LIFTED
        if self.ends_at is not None and self.ends_at <= at:
            return FreezeState.ENDED
        return FreezeState.ACTIVE if self.starts_at <= at else FreezeState.SCHEDULED

    def stands(self, at: int) -> bool:
        """Return whether it is active or scheduled at an instant."""
        return self.state(at) in (FreezeState.SCHEDULED, FreezeState.ACTIVE)

    def forgotten(self, at: int) -> bool:
        """Return whether it is open-ended and older than a day, so that it may have been forgotten."""
        lasts = self.ends_at is None and self.state(at) is FreezeState.ACTIVE
        return lasts and at - self.starts_at >= FORGOTTEN_AFTER

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON-compatible data, for `from_data`."""
        exempt = [selector.model_dump(exclude_none=True) for selector in self.exempt]
        return {**self._asdict(), "selector": self.selector.model_dump(exclude_none=True), "exempt": exempt}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Freeze":
        """Build a freeze from the data of `to_data`."""
        exempt = tuple(map(Selector.model_validate, data.get("exempt", ())))
        return cls(**{**data, "selector": Selector.model_validate(data["selector"]), "exempt": exempt})

    def matches(self, service: str, tags: frozenset[str], environment: str, change: str) -> bool:
        """Return whether it applies to a request and does not exempt it."""
        request = (service, tags, environment, change)
        return self.selector.matches(*request) and not any(each.matches(*request) for each in self.exempt)
