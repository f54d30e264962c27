"""The bodies of the operations, shared by the API and the forms of the pages."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from app.core.policy import GLOB_PATTERN, Selector, Selectors
from app.gate.freezes import Change, StartRequest
from app.gate.overrides import GrantRequest
from app.server.problems import InvalidFieldsError
from app.server.requests import (
    InstantField,
    LinkField,
    NameField,
    Note,
    PeriodField,
    Sentence,
    Strict,
)

Glob = Annotated[str, StringConstraints(pattern=rf"^{GLOB_PATTERN}$"), Field(title="name pattern")]

_REQUIRED: Final = ("title", "starts_at", "override", "running")
_VALUES: Final = (*_REQUIRED, "reason", "contact", "link")
_SCOPE: Final = ("environments", "services", "tags")

ONE_LIFE: Final = "give ttl or expires_at, one of them"
ONE_END: Final = "say when it ends: give ttl, until or open_ended, one of them"


class GrantBody(Strict):
    """The body of `POST /overrides`."""

    services: list[Glob] = Field(
        min_length=1,
        max_length=50,
        description="the services that it lets through; patterns with `*` need the role admin",
        examples=[["checkout"]],
    )
    environments: list[NameField] = Field(
        min_length=1,
        max_length=50,
        description="the environments that it lets deploys into",
        examples=[["production"]],
    )
    policies: list[Annotated[str, StringConstraints(max_length=64), Field(title="id")]] | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="the rules that it lifts, by id, ad-hoc freezes too; all that may be lifted if left out",
        examples=[["friday-afternoon"]],
    )
    reason: Sentence = Field(
        description="why; recorded, and shown with the decision", examples=["Payments fail for Visa"]
    )
    ttl: PeriodField | None = Field(
        None,
        description="how long it lives from its start, within the limits of the policies; either this or "
        "`expires_at`",
    )
    expires_at: InstantField | None = Field(None, description="when it expires; either this or `ttl`")
    max_uses: int = Field(
        1,
        ge=1,
        le=1000,
        strict=True,
        description="the deploys that it lets through, within the limits of the policies",
        examples=[2],
    )
    ticket: Sentence | None = Field(
        None,
        description="where the reason is discussed: an id or a link; the policies may require one",
        examples=["PAY-1234"],
    )
    starts_at: InstantField | None = Field(
        None, description="when it becomes active, at most 31 days ahead; at once if left out"
    )
    ref: Note | None = Field(
        None,
        description="the only `ref` that it lets through, exactly as claims name it; any if left out",
        examples=["v1.4.2"],
    )

    def request(self, now: int) -> GrantRequest:
        """Return the request for the gate."""
        if (self.ttl is None) == (self.expires_at is None):
            raise InvalidFieldsError([{"field": "ttl", "message": ONE_LIFE}])
        start = now if self.starts_at is None else self.starts_at
        expires_at = self.expires_at if self.ttl is None else start + self.ttl
        assert expires_at is not None  # noqa: S101 - one of them is given
        return GrantRequest(
            tuple(self.services),
            tuple(self.environments),
            None if self.policies is None else tuple(self.policies),
            self.reason,
            expires_at,
            self.max_uses,
            self.ticket,
            self.starts_at,
            self.ref,
        )


class EndFields(Strict):
    """The end of a freeze, in one of three fields."""

    ttl: PeriodField | None = Field(
        None,
        description="how long it lasts, at most 366 days, from its start; from now for one that has begun",
    )
    until: InstantField | None = Field(None, description="when it ends, at most 366 days after its start")
    open_ended: Literal[True] | None = Field(
        None,
        description="`true`: it lasts until it is lifted; after a day it is reported as forgotten",
        examples=[True],
    )

    def end(self, counted_from: int) -> int | None:
        """Return the instant of the end; None for an open end."""
        given = [name for name in ("ttl", "until", "open_ended") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InvalidFieldsError([{"field": "until", "message": ONE_END}])
        return self.until if self.ttl is None else counted_from + self.ttl


class _ScopeFields(Strict):
    """The scope and the exemptions of a freeze."""

    environments: list[NameField] | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="only these environments; all if left out",
        examples=[["production"]],
    )
    services: list[Glob] | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="only these services; `*` matches any run of characters except `/`; all if left out",
        examples=[["checkout", "payments-*"]],
    )
    tags: list[Glob] | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="only services with one of these tags in the catalogue; all if left out",
        examples=[["tier-1"]],
    )
    exempt: Selectors | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="requests that it leaves alone, as a selector or a list of selectors, as in policies",
        examples=[[{"changes": ["rollback", "hotfix"]}]],
    )
    contact: Sentence | None = Field(
        None, description="whom to ask; shown to everyone who is blocked", examples=["#incidents"]
    )
    link: LinkField | None = Field(
        None,
        description="where to read more; shown to everyone who is blocked",
        examples=["https://status.example.com/42"],
    )


class StartBody(EndFields, _ScopeFields):
    """The body of `POST /freezes`."""

    title: Sentence = Field(
        description="what is frozen, in one line; shown to everyone who is blocked", examples=["Incident 42"]
    )
    reason: Sentence | None = Field(
        None,
        description="why; shown to everyone who is blocked; the title if left out, which is then said once",
        examples=["Payments are down"],
    )
    starts_at: InstantField | None = Field(None, description="when it starts; now if left out")
    override: Literal["token", "never"] = Field(
        "token", description="`never`: no override token lifts it", examples=["never"]
    )
    running: Literal["finish", "stop"] = Field(
        "stop",
        description="`finish`: a claim that continues a running deploy goes on; `stop`: it is denied, too",
        examples=["finish"],
    )

    def request(self, now: int) -> StartRequest:
        """Return the request for the gate."""
        named = {"environments": self.environments, "services": self.services, "tags": self.tags}
        selector = Selector.model_validate({name: each for name, each in named.items() if each})
        return StartRequest(
            self.title,
            self.reason or self.title,
            selector,
            self.starts_at,
            self.end(now if self.starts_at is None else self.starts_at),
            self.override,
            self.contact,
            self.link,
            tuple(self.exempt or ()),
            self.running,
        )


class ChangeBody(EndFields, _ScopeFields):
    """The body of `PATCH /freezes/{id}`; fields that are left out stay, and null clears."""

    title: Sentence | None = Field(
        None,
        description="what is frozen, in one line; shown to everyone who is blocked",
        examples=["Incident 42: cards only"],
    )
    reason: Sentence | None = Field(
        None,
        description="why; shown to everyone who is blocked; `null`: the title says it",
        examples=["Cards are down"],
    )
    starts_at: InstantField | None = Field(None, description="when it starts; only until it has begun")
    override: Literal["token", "never"] | None = Field(
        None, description="`never`: no override token lifts it", examples=["never"]
    )
    running: Literal["finish", "stop"] | None = Field(
        None,
        description="`finish`: a claim that continues a running deploy goes on; `stop`: it is denied, too",
        examples=["finish"],
    )

    def change(self, now: int) -> Change:
        """Return the change for the gate.

        Raises:
            InvalidFieldsError: no field is given, or a required one is null.
        """
        given = self.model_fields_set
        if not given:
            raise InvalidFieldsError([{"field": "body", "message": "say what to change"}])
        self._check_required()
        values = self._given(_VALUES)
        if "exempt" in given:
            values["exempt"] = tuple(self.exempt or ())
        if given & EndFields.model_fields.keys():
            values["ends_at"] = self.end(now if self.starts_at is None else self.starts_at)
        return Change(values, self._given(_SCOPE))

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}

    def _check_required(self) -> None:
        if lacking := sorted(name for name, value in self._given(_REQUIRED).items() if value is None):
            raise InvalidFieldsError([{"field": each, "message": "can't be taken away"} for each in lacking])


class LiftFields(Strict):
    """The reason for lifting a freeze."""

    reason: Sentence | None = Field(
        None, description="why it is lifted; recorded and shown", examples=["The acquirer is back"]
    )


class CallbackFields(Strict):
    """The URL that a hold is answered at."""

    url: LinkField = Field(
        description="the answer is sent there by POST, signed with the secret of the integrations file; on a "
        "host that the file lists",
        examples=["https://ci.example.com/hooks/freezegate"],
    )


class AnswerFields(Strict):
    """The way in which a hold is answered."""

    callback: CallbackFields = Field(description="to a URL")


class CancelFields(Strict):
    """The reason for cancelling a hold."""

    reason: Sentence | None = Field(
        None, description="why it is cancelled; recorded and shown", examples=["Superseded by run 4712"]
    )
