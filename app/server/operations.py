"""What operations are asked for with: one reading of it, for the API's bodies and the pages' forms."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from app.core.policy import GLOB_PATTERN, Selector, Selectors
from app.gate.freezes import Change, StartRequest
from app.gate.overrides import GrantRequest
from app.server.problems import InvalidFieldsError
from app.server.requests import InstantField, LinkField, NameField, PeriodField, Sentence, Strict

Glob = Annotated[str, StringConstraints(pattern=rf"^{GLOB_PATTERN}$")]

_REQUIRED: Final = ("title", "reason", "starts_at", "override")
_VALUES: Final = (*_REQUIRED, "contact", "link")
_SCOPE: Final = ("environments", "services", "tags")

ONE_LIFE: Final = "give ttl or expires_at, one of them"
ONE_END: Final = "say when it ends: give ttl, until or open_ended, one of them"


class GrantBody(Strict):
    """What a token is asked for."""

    services: list[Glob] = Field(
        min_length=1, max_length=50, description="the services it lets through; `*` is for admins"
    )
    environments: list[NameField] = Field(min_length=1, max_length=50, description="where to")
    policies: list[Annotated[str, StringConstraints(max_length=64)]] | None = Field(
        None, min_length=1, max_length=50, description="the rules it lifts, by id; all if not given"
    )
    reason: Sentence = Field(description="why; goes on record and to everybody who sees the decision")
    ttl: PeriodField | None = Field(None, description="how long it lives; this or `expires_at`")
    expires_at: InstantField | None = Field(None, description="when it expires; this or `ttl`")
    max_uses: int = Field(1, ge=1, le=1000, strict=True, description="how many deploys it lets through")
    ticket: Sentence | None = Field(None, description="where the reason is discussed: an id or a link")

    def request(self, now: int) -> GrantRequest:
        """As the gate takes it."""
        if (self.ttl is None) == (self.expires_at is None):
            raise InvalidFieldsError([{"field": "ttl", "message": ONE_LIFE}])
        expires_at = self.expires_at if self.ttl is None else now + self.ttl
        assert expires_at is not None  # noqa: S101 - one of them is there
        return GrantRequest(
            tuple(self.services),
            tuple(self.environments),
            None if self.policies is None else tuple(self.policies),
            self.reason,
            expires_at,
            self.max_uses,
            self.ticket,
        )


class EndFields(Strict):
    """When a freeze ends: one of three ways to say it."""

    ttl: PeriodField | None = Field(None, description="how long it lasts, from its start (or from now)")
    until: InstantField | None = Field(None, description="when it ends")
    open_ended: Literal[True] | None = Field(
        None, description="true: until somebody lifts it; after a day it is pointed out as forgotten"
    )

    def end(self, counted_from: int) -> int | None:
        """The instant; None for an open end."""
        given = [name for name in ("ttl", "until", "open_ended") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InvalidFieldsError([{"field": "until", "message": ONE_END}])
        return self.until if self.ttl is None else counted_from + self.ttl


class _ScopeFields(Strict):
    """The scope and the exemptions of a freeze."""

    environments: list[NameField] | None = Field(None, min_length=1, max_length=50)
    services: list[Glob] | None = Field(None, min_length=1, max_length=50)
    tags: list[Glob] | None = Field(None, min_length=1, max_length=50)
    exempt: Selectors | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="requests that go on all the same, as in policies: rollbacks, say",
        examples=[[{"changes": ["rollback", "hotfix"]}]],
    )
    contact: Sentence | None = Field(None, description="the contact; shown to everyone who is blocked")
    link: LinkField | None = Field(None, description="where to read more")


class StartBody(EndFields, _ScopeFields):
    """The body of `POST /freezes`."""

    title: Sentence = Field(description="shown to everyone who is blocked")
    reason: Sentence = Field(description="why; shown to everyone who is blocked")
    starts_at: InstantField | None = Field(None, description="when it starts; now if not given")
    override: Literal["token", "never"] = Field("token", description="whether a token may lift it")

    def request(self, now: int) -> StartRequest:
        """As the gate takes it."""
        named = {"environments": self.environments, "services": self.services, "tags": self.tags}
        selector = Selector.model_validate({name: each for name, each in named.items() if each})
        return StartRequest(
            self.title,
            self.reason,
            selector,
            self.starts_at,
            self.end(now if self.starts_at is None else self.starts_at),
            self.override,
            self.contact,
            self.link,
            tuple(self.exempt or ()),
        )


class ChangeBody(EndFields, _ScopeFields):
    """The body of `PATCH /freezes/{id}`; fields that are left out stay, and null clears."""

    title: Sentence | None = Field(None, description="shown to everyone who is blocked")
    reason: Sentence | None = Field(None, description="why; shown to everyone who is blocked")
    starts_at: InstantField | None = Field(None, description="when it starts; until it has begun")
    override: Literal["token", "never"] | None = Field(None, description="whether a token may lift it")

    def change(self, now: int) -> Change:
        """As the gate takes it.

        Raises:
            InvalidFieldsError: nothing is to be changed, or what can't be taken away.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if not given:
            raise InvalidFieldsError([{"field": "body", "message": "say what to change"}])
        if lacking := sorted(name for name in _REQUIRED if name in given and given[name] is None):
            raise InvalidFieldsError([{"field": each, "message": "can't be taken away"} for each in lacking])
        values = {name: each for name, each in given.items() if name in _VALUES}
        if "exempt" in given:
            values["exempt"] = tuple(self.exempt or ())
        if given.keys() & EndFields.model_fields.keys():
            values["ends_at"] = self.end(now if self.starts_at is None else self.starts_at)
        return Change(values, {name: each for name, each in given.items() if name in _SCOPE})


class LiftFields(Strict):
    """Why a freeze is lifted."""

    reason: Sentence | None = Field(None, description="why; goes on record and to everybody who is told")
