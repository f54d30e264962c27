"""The pydantic models of policies.yaml; the JSON Schema for editors is generated from them.

They validate each value by itself. `app.policies` checks references between parts (duplicate ids, unknown
names), because it knows the lines of the file.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    StringConstraints,
    Tag,
    model_validator,
)

from app.core.environment import USUAL_ENVIRONMENT, Environment
from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.core.field_types import Duration, ZoneName
from app.core.instant import DAY
from app.core.notation import LINE_PATTERN
from app.core.wallclock import Zone, zone
from app.core.windows import WindowEntry

NAME_PATTERN = r"[a-z0-9][a-z0-9._/-]{0,127}"
"""The names of services and environments, in the file and in requests; never normalised."""

GLOB_PATTERN = r"[a-z0-9*][a-z0-9._/*-]{0,127}"
"""Names with ``*`` for any run of characters but ``/``."""

ID_PATTERN = r"[a-z0-9][a-z0-9-]{0,63}"
FILE_PATTERN = r"[^/\\\x00-\x1f\x7f]{1,250}\.yaml"
"""The names of policy files in a folder."""

LINK_PATTERN = r"https?://[^\s\x00-\x1f\x7f-\x9f]{1,490}"

FORMS = {
    f"^{NAME_PATTERN}$": "a name is 1 to 128 of a-z, 0-9 and . _ / -, and begins with a letter or digit",
    f"^{GLOB_PATTERN}$": "a name is 1 to 128 of a-z, 0-9 and . _ / -, with * for any run of them",
    f"^{ID_PATTERN}$": "an id is 1 to 64 of a-z, 0-9 and -, and begins with a letter or digit",
    f"^{FILE_PATTERN}$": "an owned file is one of this folder: its name without a folder, ending in .yaml",
    f"^{LINK_PATTERN}$": "a link begins with https:// or http:// and holds no spaces",
    LINE_PATTERN: "a text is one line, without control characters",
}
"""A sentence for each pattern, shared by the file and by requests."""

Name = Annotated[str, StringConstraints(pattern=rf"^{NAME_PATTERN}$"), Field(title="name")]
NameGlob = Annotated[str, StringConstraints(pattern=rf"^{GLOB_PATTERN}$"), Field(title="name pattern")]
Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, pattern=LINE_PATTERN, strip_whitespace=True),
    Field(title="line of text"),
]

Link = Annotated[str, StringConstraints(pattern=rf"^{LINK_PATTERN}$"), Field(title="URL")]
FileName = Annotated[str, StringConstraints(pattern=rf"^{FILE_PATTERN}$"), Field(title="file name")]

SERVICE_ZONE = "service"

MOST_NOTICE = 366 * DAY
"""The earliest notice before a freeze: a year."""


class Effect(StrEnum):
    """The effect of a policy: veto inside its windows, veto outside of them, or only warn."""

    DENY = "deny"
    ALLOW_ONLY = "allow-only"
    WARN = "warn"


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class _Part(BaseModel):
    # Strict: "5" is not a number and 1 is not true; YAML has typed each value already.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False, strict=True)


class Selector(_Part):
    """A selection of requests: every field given must match, each by any of its values."""

    environments: list[Name] | None = Field(
        None,
        min_length=1,
        description="any of these environments; each must be listed in the file's `environments`",
        examples=[["production"]],
    )
    services: list[NameGlob] | None = Field(
        None,
        min_length=1,
        description="any of these services; `*` matches any run of characters except `/`",
        examples=[["checkout", "docs-*"]],
    )
    tags: list[NameGlob] | None = Field(
        None,
        min_length=1,
        description="services that carry any of these tags in the catalogue; `*` as in `services`",
        examples=[["tier-1"]],
    )
    changes: list[Name] | None = Field(
        None,
        min_length=1,
        description="any of these kinds of change; each must be listed in the file's `changes`",
        examples=[["hotfix", "rollback"]],
    )

    def matches(self, service: str, tags: frozenset[str], environment: str, change: str) -> bool:
        """Return whether a request for a service with these tags is selected."""
        return (
            (self.environments is None or environment in self.environments)
            and (self.changes is None or change in self.changes)
            and self.selects_service(service, tags)
        )

    def selects_service(self, service: str, tags: frozenset[str]) -> bool:
        """Return whether requests for a service with these tags are selected, in some environments."""
        return (self.services is None or self._service_globs.match(service)) and (
            self.tags is None or any(map(self._tag_globs.match, tags))
        )

    @cached_property
    def _service_globs(self) -> "_Globs":
        return _Globs(self.services or ())

    @cached_property
    def _tag_globs(self) -> "_Globs":
        return _Globs(self.tags or ())


class _Globs:
    """Names, some of them with stars.

    Most have none, and are looked up: compiling a pattern takes a thousand times as long.
    """

    __slots__ = ("_names", "_pattern")

    def __init__(self, globs: Sequence[str]) -> None:
        """Tell the names with stars from the others."""
        self._names = frozenset(globs)
        starred = tuple(glob for glob in globs if "*" in glob)
        self._pattern = glob_pattern(starred) if starred else None

    def match(self, name: str) -> bool:
        """Return whether any of them matches a name."""
        return name in self._names or (
            self._pattern is not None and self._pattern.fullmatch(name) is not None
        )


def glob_pattern(globs: list[str] | tuple[str, ...]) -> re.Pattern[str]:
    """Return one pattern for any of the globs: ``*`` matches any run of characters except ``/``."""
    return re.compile("|".join("[^/]*".join(map(re.escape, glob.split("*"))) for glob in globs))


def _says_something(selector: Selector) -> Selector:
    if not selector.model_dump(exclude_none=True):
        raise MalformedValueError(
            "an empty selector would mean every request; name environments, services, tags or changes, "
            "or leave it out"
        )
    return selector


_WrittenSelector = Annotated[
    Selector, AfterValidator(_says_something), Field(json_schema_extra={"type": "object", "minProperties": 1})
]

Selectors = Annotated[
    list[_WrittenSelector],
    BeforeValidator(_as_list, json_schema_input_type=list[_WrittenSelector] | _WrittenSelector),
]


def _each_once(leads: list[int]) -> list[int]:
    """Check the times of notices: each once, none too early; return the longest first."""
    faults = [
        Fault((number,), "stands there twice; 24h and 1d are the same")
        for number, lead in enumerate(leads)
        if lead in leads[:number]
    ]
    faults += [
        Fault((number,), "is longer than 366 days") for number, lead in enumerate(leads) if lead > MOST_NOTICE
    ]
    if faults:
        raise FaultyValuesError(faults)
    return sorted(leads, reverse=True)


Notices = Annotated[list[Duration], Field(min_length=1, max_length=5), AfterValidator(_each_once)]


class Ceilings(_Part):
    """The limits of an override token; a missing one doesn't limit it further."""

    max_ttl: Duration | None = Field(
        None, description="the longest lifetime of a token; at most 366 days", examples=["24h"]
    )
    max_uses: int | None = Field(
        None, ge=1, le=1000, description="the most deploys that one token lets through", examples=[5]
    )
    approvals: int | None = Field(
        None,
        ge=0,
        le=10,
        description="the number of other people who must approve a token before it works",
        examples=[1],
    )
    require_ticket: bool | None = Field(
        None, description="whether a token must name a ticket", examples=[True]
    )


NO_CEILINGS = Ceilings.model_validate({})


class Policy(_Part):
    """A rule, with the reason for it."""

    id: Annotated[str, StringConstraints(pattern=rf"^{ID_PATTERN}$")] = Field(
        title="id",
        description="the policy's name in answers, tests and override tokens; unique in the set",
        examples=["friday-afternoon"],
    )
    title: Text = Field(
        description="the rule in one line; shown to everyone who is blocked",
        examples=["No deploys after Friday 14:00"],
    )
    reason: Text = Field(
        description="why the rule exists; shown to everyone who is blocked",
        examples=["Nothing good happens after 14:00 on a Friday."],
    )
    contact: Text | None = Field(
        None, description="whom to ask; shown to everyone who is blocked", examples=["#release-managers"]
    )
    link: Link | None = Field(
        None,
        description="where to read more; shown to everyone who is blocked",
        examples=["https://wiki.example.com/deploy-freeze"],
    )
    effect: Effect = Field(
        Effect.DENY,
        strict=False,  # accept the word as well as the enum member
        description="`deny` blocks deploys while a window is open, `allow-only` blocks them while no window "
        "is, `warn` lets them through with a warning while a window is open",
        examples=["allow-only"],
    )
    timezone: Literal["service"] | ZoneName | None = Field(
        None,
        description="the zone of this policy's times: an IANA name, or `service` for the zone that the "
        "catalogue gives the service; the file's zone if left out",
        examples=["America/New_York"],
    )
    applies_to: Selectors | None = Field(
        None,
        min_length=1,
        description="the requests that the policy covers, as a selector or a list of selectors, any of which "
        "must match; every request if left out",
        examples=[{"environments": ["production"]}],
    )
    exempt: Selectors | None = Field(
        None,
        description="the requests that the policy leaves alone, as a selector or a list of selectors, any of "
        "which must match; none if left out",
        examples=[[{"changes": ["rollback"]}, {"services": ["docs-site"]}]],
    )
    override: Literal["token", "never"] | Ceilings = Field(
        "token",
        description="`token`: an override token lifts this policy; `never`: none does; a mapping: tokens "
        "with these limits do, which may be tighter than the file's `overrides` but not looser",
        examples=["never"],
    )
    notify_before: Notices | None = Field(
        None,
        description="how long before each freeze of this policy a `freeze-notice` goes to the receivers of "
        "notifications; up to 5 durations of at most 366 days",
        examples=[["7d", "1d", "1h"]],
    )
    running: Literal["finish", "stop"] = Field(
        "finish",
        description="whether a deploy that runs already may finish: a claim that `continues` an allowed one "
        "is not vetoed within the duration of that one (`finish`), or vetoed like any other (`stop`)",
        examples=["stop"],
    )
    when: list[WindowEntry] = Field(
        min_length=1,
        description="the policy's windows; it applies in the union of them",
        examples=[[{"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}]],
    )
    except_when: list[WindowEntry] = Field(
        default_factory=list,
        description="windows subtracted from `when`",
        examples=[[{"dates": {"from": "2026-12-11", "to": "2026-12-11"}}]],
    )

    @model_validator(mode="after")
    def _windows_the_right_way_round(self) -> Self:
        freezes = self.effect is not Effect.ALLOW_ONLY
        faults = [
            Fault((key, index, entry.kind), sentence)
            for key, entries, used in (
                ("when", self.when, freezes),
                ("except_when", self.except_when, not freezes),
            )
            for index, entry in enumerate(entries)
            if (sentence := entry.window.reversed_use(freezes=used))
        ]
        if faults:
            raise FaultyValuesError(faults)
        return self

    @property
    def kind(self) -> Literal["policy"]:
        """The kind of rule, as opposed to ``freeze``."""
        return "policy"

    @property
    def ceilings(self) -> Ceilings:
        """Its own limits on override tokens, beyond those of the file."""
        return self.override if isinstance(self.override, Ceilings) else NO_CEILINGS

    @property
    def overridable(self) -> Literal["token", "never"]:
        """Whether a token may lift this policy's veto."""
        return "never" if self.override == "never" else "token"

    def scope_json(self, key: Literal["applies_to", "exempt"]) -> list[dict[str, Any]] | None:
        """Return its selectors in the form of the policy file; None if it has none."""
        selectors: list[Selector] | None = getattr(self, key)
        if selectors is None:
            return None
        return [selector.model_dump(exclude_none=True) for selector in selectors]

    def matches(self, service: str, tags: frozenset[str], environment: str, change: str) -> bool:
        """Return whether this policy applies to a request and does not exempt it."""
        meant = self.applies_to is None or any(
            selector.matches(service, tags, environment, change) for selector in self.applies_to
        )
        return meant and not any(
            selector.matches(service, tags, environment, change) for selector in self.exempt or ()
        )


class Defaults(_Part):
    """Values for the policies of one file; a policy's own value wins."""

    contact: Text | None = Field(
        None, description="the `contact` of policies that have none", examples=["#release-managers"]
    )
    link: Link | None = Field(
        None,
        description="the `link` of policies that have none",
        examples=["https://wiki.example.com/deploy-freeze"],
    )
    applies_to: Selectors | None = Field(
        None,
        min_length=1,
        description="the `applies_to` of policies that have none; one that has its own replaces all of it",
        examples=[{"environments": ["production"]}],
    )


class Service(_Part):
    """A service of the catalogue."""

    tags: list[Name] = Field(
        default_factory=list,
        description="labels that selectors match in `tags`",
        examples=[["tier-1", "pci"]],
    )
    timezone: ZoneName | None = Field(
        None,
        description="the service's IANA zone, for policies with `timezone: service`; the zone of the set "
        "if left out",
        examples=["America/New_York"],
    )


class Owner(_Part):
    """The owner of one file of a folder, and the services that the file reaches."""

    team: Text | None = Field(
        None,
        description="the team's name on the dashboard; the file's name without `.yaml` if left out",
        examples=["Payments"],
    )
    services: list[NameGlob] | None = Field(
        None,
        min_length=1,
        description="the services that the file reaches; `*` matches any run of characters except `/`",
        examples=[["checkout", "pay-*"]],
    )
    tags: list[NameGlob] | None = Field(
        None,
        min_length=1,
        description="the file also reaches services that carry any of these tags in the catalogue",
        examples=[["payments"]],
    )
    everything: Literal[True] | None = Field(
        None,
        description="`true`: the file speaks for the whole company; instead of `services` and `tags`",
        examples=[True],
    )
    contact: Text | None = Field(
        None,
        description="the `contact` of the file's policies that have none, nor one from the file's `defaults`",
        examples=["#payments"],
    )

    @model_validator(mode="after")
    def _reaches_something(self) -> Self:
        reach = [self.services, self.tags]
        if (self.everything is None) == (reach == [None, None]):
            raise MalformedValueError(
                "say which services the file reaches, with services or tags, or else everything: true"
            )
        return self


class OwnedFile(NamedTuple):
    """A file of a folder, and its owner."""

    name: str
    owner: Owner

    @property
    def team(self) -> str:
        """The name of the team."""
        return self.owner.team or self.name.removesuffix(".yaml")

    def to_json(self) -> dict[str, str | None]:
        """Return the owner as the API shows it."""
        return {"file": self.name, "team": self.team, "contact": self.owner.contact}

    def __str__(self) -> str:
        """Return whose file it is, and whom to ask."""
        ask = f": ask {self.owner.contact.rstrip('.')}" if self.owner.contact else ""
        return f"{self.name} belongs to {self.team}{ask}."


class SelfTest(_Part):
    """A unit test of the file: a question and its expected decision."""

    at: str = Field(
        title="instant or local time",
        description="the time of the question: an instant with an offset, or a local time in the file's "
        "zone; from 2000 to 2100",
        examples=["2026-11-27 14:00", "2026-11-27T14:00:00+01:00"],
    )
    service: Name = Field(description="the service to be deployed", examples=["checkout"])
    name: Text | None = Field(
        None, description="the test's name in reports", examples=["rollbacks go out on a Friday"]
    )
    environment: Name = Field(
        "production",
        description="the environment to deploy to; required where the file lists no `production`",
        examples=["staging"],
    )
    change: Name = Field(
        "normal",
        description="the kind of change; required where the file lists no `normal`",
        examples=["rollback"],
    )
    duration: str = Field(
        "0s",
        title="duration",
        description="how long the deploy takes, at most 31 days; all of it must be allowed",
        examples=["20m", "1h30m", "PT20M"],
    )
    expect: Literal["allow", "warn", "deny"] = Field(
        description="the answer that must come out; `warn` is an allow with warnings", examples=["deny"]
    )
    by: list[Annotated[str, Field(title="id")]] | None = Field(
        None,
        description="the ids of the policies that block (with `expect: warn`: that warn), exactly these, in "
        "any order; not checked if left out",
        examples=[["friday-afternoon"]],
    )
    next_change: Annotated[str, Field(title="instant or local time")] | None = Field(
        None,
        description="when the answer next flips, written like `at`; `null` for not within two years; not "
        "checked if left out",
        examples=["2026-11-30 08:00"],
    )


def _form(environments: object) -> str:
    """Return the tag of the form in which environments are written; anything else is read as a list."""
    return _MAPPING if isinstance(environments, Mapping) else _LIST


def _without_settings(names: list[str]) -> dict[str, Environment]:
    return dict.fromkeys(names, USUAL_ENVIRONMENT)


_LIST: Final = "[list]"
_MAPPING: Final = "[mapping]"
"""Tags in the locations of pydantic's errors; no name of an environment is like them."""

if TYPE_CHECKING:
    Environments = dict[str, Environment]  # whichever form they are written in
else:
    Environments = Annotated[
        Annotated[list[Name], Field(min_length=1), AfterValidator(_without_settings), Tag(_LIST)]
        | Annotated[dict[Name, Environment], Field(min_length=1), Tag(_MAPPING)],
        Discriminator(_form),
    ]


class PolicySet(_Part):
    """The content of policies.yaml, or of all files of a folder.

    In a merged set, `timezone` is the zone of the set, `defaults` is None, and policies carry the values that
    their files give them; see `app.policies.inheritance`.
    """

    version: Literal[1] = Field(description="the version of the file format", examples=[1])
    timezone: ZoneName = Field(
        "UTC",
        description="the IANA zone of the file's policies that have none of their own, and of its test "
        "times without an offset; in a folder, each file may have its own",
        examples=["Europe/Amsterdam"],
    )
    defaults: Defaults | None = Field(
        None,
        description="values for the policies of this file; in a folder, each file may have its own",
        examples=[{"contact": "#release-managers", "applies_to": {"environments": ["production"]}}],
    )
    environments: Environments = Field(
        default={"production": USUAL_ENVIRONMENT},
        description="the only environments that a request may name: a list of names, or a mapping of names "
        "to their settings",
        examples=[["production", "staging"]],
        json_schema_extra={"default": ["production"]},
    )
    services: dict[Name, Service] | None = Field(
        None,
        description="the catalogue: services by name, with their tags and time zones",
        examples=[{"checkout": {"tags": ["tier-1"], "timezone": "America/New_York"}}],
    )
    unknown_services: Literal["allow", "refuse"] = Field(
        "allow",
        description="whether requests may name services outside the catalogue; `refuse` needs `services`",
        examples=["refuse"],
    )
    changes: list[Name] = Field(
        default=["normal", "hotfix", "rollback"],
        min_length=1,
        description="the kinds of change that a request may name",
        examples=[["normal", "rollback"]],
    )
    overrides: Ceilings = Field(
        default=Ceilings.model_validate({"max_ttl": "24h", "max_uses": 5, "approvals": 0}),
        description="the limits of every override token; replaces all three defaults, and a key that is "
        "left out sets no limit",
        examples=[{"max_ttl": "8h", "max_uses": 1, "approvals": 1}],
        json_schema_extra={"default": {"max_ttl": "24h", "max_uses": 5, "approvals": 0}},
    )
    owners: dict[FileName, Owner] | None = Field(
        None,
        min_length=1,
        description="in a folder: the other files by name, each with the services that it reaches and its "
        "team; every file but this one needs an entry then",
        examples=[{"payments.yaml": {"services": ["checkout", "pay-*"], "contact": "#payments"}}],
    )
    policies: list[Policy] = Field(
        description="the rules, each with a veto; `[]` freezes nothing",
        examples=[[]],
    )
    tests: list[SelfTest] = Field(
        default_factory=list,
        description="questions and the answers they must get; run at every load, and a failing one refuses "
        "the file",
        examples=[[{"at": "2026-11-27 14:00", "service": "api", "expect": "deny"}]],
    )

    _files: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def with_files(self, files: Mapping[str, str]) -> Self:
        """Return this set, told the name of the file of each policy that has an owner, by the policy's id."""
        placed = self.model_copy()
        placed._files = files  # noqa: SLF001 - a copy of its own
        return placed

    def owner_of(self, policy_id: str) -> OwnedFile | None:
        """Return the file and owner of a policy; None if it is in no file that `owners` lists."""
        name = self._files.get(policy_id)
        return None if name is None or self.owners is None else OwnedFile(name, self.owners[name])

    @property
    def home(self) -> Zone:
        """The zone of the set: of sentences, of services without a zone, and of files without one."""
        return zone(self.timezone)

    @property
    def refuses_unknown(self) -> bool:
        """Whether requests may name only services of the catalogue."""
        return self.services is not None and self.unknown_services == "refuse"

    def environment(self, name: str) -> Environment:
        """Return the settings of an environment; the usual ones of one that the set doesn't list."""
        return self.environments.get(name, USUAL_ENVIRONMENT)

    def tags_of(self, service: str) -> frozenset[str]:
        """Return the tags of a service; a service outside the catalogue has none."""
        known = (self.services or {}).get(service)
        return frozenset(known.tags) if known else frozenset()

    def service_zone(self, service: str) -> str:
        """Return the zone that the catalogue gives a service; the set's if it gives none."""
        known = (self.services or {}).get(service)
        return (known and known.timezone) or self.timezone

    @cached_property
    def service_zones(self) -> tuple[str, ...]:
        """The zones that services may be in: the set's, then the others of the catalogue by name."""
        others = set(map(self.service_zone, self.services or ())) - {self.timezone}
        return (self.timezone, *sorted(others))

    def zone_of(self, policy: Policy, service_zone: str) -> Zone:
        """Return the zone that a policy is read in, for services in a zone."""
        return zone(service_zone if policy.timezone == SERVICE_ZONE else policy.timezone or self.timezone)

    def zones_of(self, policy: Policy) -> list[Zone]:
        """Return every zone that a policy may be read in."""
        names = self.service_zones if policy.timezone == SERVICE_ZONE else (self.timezone,)
        return [self.zone_of(policy, name) for name in names]

    @property
    def usual_change(self) -> str:
        """The default kind of change: ``normal``, or the first one if there is no ``normal``."""
        return "normal" if "normal" in self.changes else self.changes[0]
