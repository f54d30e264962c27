"""Incidents that other systems report, and the rules by which they freeze deploys."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic import model_validator as validator

from app.core.errors import Fault, FaultyValuesError, MalformedValueError
from app.core.field_types import Duration
from app.core.instant import DAY, HOUR, MINUTE
from app.core.policy import ID_PATTERN, Name, NameGlob, Selectors, Text

LONGEST_TEXT: Final = 300
"""Characters of a title or reason that a template makes; what reporters write may be of any length."""

LONGEST_VALUE: Final = 500
"""Characters of a value of an incident that are looked at."""

MOST_VALUES: Final = 200
"""Values of each kind, and labels, that are looked at."""

LEAST_LIFE: Final = 5 * MINUTE
"""Seconds; a shorter life ends between two reports of one incident."""

MOST_LIFE: Final = 7 * DAY

USUAL_LIFE: Final = 12 * HOUR
"""Longer than most incidents: several systems report nothing while nothing changes in one."""

_MOST_REASONS: Final = 10
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_LABEL: Final = "labels."
_FIELDS: Final = ("severity", "urgency", "priority", "service")
_PLACES: Final = frozenset({*_FIELDS, "title", "source"})


class Signal(NamedTuple):
    """One thing that is wrong: the incident itself, or one of the alerts that an incident groups."""

    severity: tuple[str, ...] = ()
    urgency: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    """The names and ids of what is affected, as the reporting system has them."""
    labels: Mapping[str, tuple[str, ...]] = {}


class Incident(NamedTuple):
    """An incident as it was reported."""

    key: str
    """Identifies the incident at the system that reports it."""
    title: str
    firing: tuple[Signal, ...]
    """Empty once it is resolved."""
    incomplete: bool = False
    """Whether more may be wrong than is said: alerts were left out, or the report doesn't say the state."""
    link: str | None = None
    at: int | None = None
    """When the report was made, by the clock of the system; None if it doesn't say."""


def _as_tuple(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200), Field(title="pattern")]
Patterns = Annotated[
    list[Pattern],
    Field(min_length=1),
    BeforeValidator(_as_tuple, json_schema_input_type=list[Pattern] | Pattern),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False, strict=True)


class Match(_Part):
    """The incidents that a rule is about: every field given must match, each by any of its patterns."""

    severity: Patterns | None = Field(
        None,
        description="any of these severities; in all patterns, `*` is any run of characters, and case "
        "doesn't count",
        examples=[["critical", "sev1"]],
    )
    urgency: Patterns | None = Field(None, description="any of these urgencies", examples=["high"])
    priority: Patterns | None = Field(None, description="any of these priorities", examples=[["P1", "P2"]])
    service: Patterns | None = Field(
        None,
        description="any of these services, by the names or ids that the reporting system has for them",
        examples=[["checkout", "payment-*"]],
    )
    labels: dict[str, Patterns] | None = Field(
        None,
        min_length=1,
        description="labels that must be there, each with a value that matches any of its patterns",
        examples=[{"team": "payments", "alertname": ["Watchdog", "Probe*"]}],
    )


def _says_something(match: Match) -> Match:
    if not match.model_dump(exclude_none=True):
        raise MalformedValueError("an empty match would mean every incident; leave `match` out for that")
    return match


_WrittenMatch = Annotated[Match, AfterValidator(_says_something)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _template(text: str) -> str:
    for name in _PLACEHOLDER.findall(text):
        if name not in _PLACES and not (name.startswith(_LABEL) and len(name) > len(_LABEL)):
            known = ", ".join(f"{{{each}}}" for each in sorted(_PLACES))
            raise MalformedValueError(f"{{{name}}} stands for nothing; known: {known} and {{labels.NAME}}")
    return text


Template = Annotated[Text, AfterValidator(_template)]


class IncidentRule(_Part):
    """The freeze that an incident starts."""

    name: Annotated[str, StringConstraints(pattern=rf"^{ID_PATTERN}$")] = Field(
        title="id", description="the rule's name in the log and in simulations", examples=["sev1"]
    )
    match: (
        Annotated[
            list[_WrittenMatch],
            Field(min_length=1),
            BeforeValidator(_as_list, json_schema_input_type=list[_WrittenMatch] | _WrittenMatch),
        ]
        | None
    ) = Field(
        None,
        description="the incidents that start it: a mapping, or a list of mappings, any of which must match; "
        "every incident if left out",
        examples=[{"severity": ["critical"]}],
    )
    title: Template = Field(
        "Incident: {title}",
        description="the title of the freeze; `{title}`, `{severity}`, `{urgency}`, `{priority}`, "
        "`{service}`, `{source}` and `{labels.NAME}` stand for what was reported",
        examples=["Incident: {title}"],
    )
    reason: Template = Field(
        "Reported by {source}. Deploys wait until it is resolved.",
        description="why deploys wait; the same placeholders",
        examples=["{labels.summary}"],
    )
    environments: list[Name] | None = Field(
        None,
        min_length=1,
        description="the environments that are frozen; all if left out",
        examples=[["production"]],
    )
    services: list[NameGlob] | None = Field(
        None,
        min_length=1,
        description="the services that are frozen; all if left out",
        examples=[["checkout", "payment-*"]],
    )
    tags: list[NameGlob] | None = Field(
        None,
        min_length=1,
        description="services with any of these tags are frozen; all if left out",
        examples=[["tier-1"]],
    )
    exempt: Selectors | None = Field(
        None,
        min_length=1,
        description="deploys that go on, as in policies",
        examples=[[{"changes": ["rollback", "hotfix"]}]],
    )
    override: Literal["token", "never"] = Field(
        "token", description="whether an override token lets a deploy through", examples=["never"]
    )
    running: Literal["finish", "stop"] = Field(
        "stop", description="whether a deploy that runs already may finish", examples=["finish"]
    )
    life: Duration = Field(
        USUAL_LIFE,
        description="how long the freeze lasts after the last report of the incident, if no report says "
        "that it is resolved: 5 minutes to 7 days. Each report renews it",
        examples=["2h"],
    )
    thaw_after: Duration = Field(
        10 * MINUTE,
        description="how long the freeze goes on after the incident was resolved; at most `life`",
        examples=["15m"],
    )
    contact: Text | None = Field(None, description="whom to ask", examples=["#incidents"])

    @validator(mode="after")
    def _lengths(self) -> "IncidentRule":
        faults = []
        if not LEAST_LIFE <= self.life <= MOST_LIFE:
            faults.append(Fault(("life",), "is 5 minutes to 7 days"))
        elif self.thaw_after > self.life:
            faults.append(Fault(("thaw_after",), "is longer than `life`"))
        if faults:
            raise FaultyValuesError(faults)
        return self


class Verdict(NamedTuple):
    """The comparison of a rule with an incident."""

    rule: IncidentRule
    signal: Signal | None
    """The first that matches; None if none does."""
    why_not: tuple[str, ...]
    """A sentence for each reason why it does not match; empty if it does."""


def judge(rule: IncidentRule, incident: Incident) -> Verdict:
    """Compare a rule with what is firing of an incident."""
    reasons: dict[str, None] = {}
    for signal in incident.firing:
        why_not = _why_not(rule, signal)
        if why_not is None:
            return Verdict(rule, signal, ())
        reasons |= dict.fromkeys(why_not)
    return Verdict(rule, None, tuple(reasons)[:_MOST_REASONS] or ("nothing of it is firing",))


def _why_not(rule: IncidentRule, signal: Signal) -> list[str] | None:
    """Return why a rule does not match a signal; None if it does."""
    reasons: list[str] = []
    for match in rule.match or ():
        found = list(_mismatches(match, signal))
        if not found:
            return None
        reasons += found
    return reasons or None


def chosen(rules: Sequence[IncidentRule], incident: Incident) -> Verdict | None:
    """Return the verdict of the first rule that matches."""
    verdicts = (judge(rule, incident) for rule in rules)
    return next((each for each in verdicts if each.signal is not None), None)


def filled(template: str, source: str, incident: Incident, signal: Signal) -> str:
    """Return a template with what was reported: one line of plain text, of bounded length."""
    values = {name: ", ".join(getattr(signal, name)) for name in _FIELDS}
    values |= {"title": incident.title, "source": source}

    def value(place: re.Match[str]) -> str:
        name = place[1]
        if name.startswith(_LABEL):
            return ", ".join(signal.labels.get(name.removeprefix(_LABEL), ()))
        return values[name]

    return plain(_PLACEHOLDER.sub(value, template), LONGEST_TEXT)


def plain(text: str, most: int) -> str:
    """Return a text as one line without control, format or unpaired characters, cut to a length."""
    letters = (letter if unicodedata.category(letter)[0] != "C" else " " for letter in text[: 4 * most])
    line = " ".join("".join(letters).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _mismatches(match: Match, signal: Signal) -> Iterator[str]:
    """Yield a sentence for each field of a match that a signal does not fulfil."""
    for name in _FIELDS:
        wanted = getattr(match, name)
        if wanted is not None and not _any_match(wanted, getattr(signal, name)):
            yield _sentence(name, wanted, getattr(signal, name))
    for label, patterns in (match.labels or {}).items():
        values = signal.labels.get(label, ())
        if not _any_match(patterns, values):
            yield _sentence(f"label {label}", patterns, values)


def _sentence(what: str, wanted: Sequence[str], values: Sequence[str]) -> str:
    shown = plain(" or ".join(f'"{each}"' for each in values[:3]), 100) if values else "not given"
    return f"{what} is {shown}, not {' or '.join(wanted[:5])}"


def _any_match(patterns: Sequence[str], values: Sequence[str]) -> bool:
    folded = [value[:LONGEST_VALUE].casefold() for value in values[:MOST_VALUES]]
    return any(_matches(pattern.casefold(), value) for pattern in patterns for value in folded)


def _matches(pattern: str, value: str) -> bool:
    """Return whether a pattern fits a value, in linear time, whatever a reporter writes.

    A star stands for any character, or a label with a URL would match none.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == value
    *between, last = rest
    if not value.startswith(first) or not value.endswith(last):
        return False
    place, end = len(first), len(value) - len(last)
    for part in between:
        found = value.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return place <= end
