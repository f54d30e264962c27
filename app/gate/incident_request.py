"""The freeze that an incident asks for under a rule, with the names of the policies in force.

A rule may name what the policies don't list, and such a freeze would stop nothing. So these names are left
out; if none is left, the freeze covers all. An exemption that names one exempts nothing.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from app.core.incident import Incident, IncidentRule, Signal, filled
from app.core.policy import LINK_PATTERN, PolicySet, Selector
from app.gate.freezes import StartRequest, name_fault, names_of
from app.identity.credentials import holds_secret
from app.policies.vocabulary import Vocabulary

_LINK: Final = re.compile(LINK_PATTERN)
_NO_TITLE: Final = "Incident"


class IncidentRequest(NamedTuple):
    """A freeze as an incident asks for it, and what was left out."""

    freeze: StartRequest
    unknown: tuple[str, ...]
    """A sentence for each name of the rule that the policies don't list."""


def request_of(
    rule: IncidentRule, source: str, incident: Incident, signal: Signal, now: int, policy_set: PolicySet
) -> IncidentRequest:
    """Return the freeze that an incident asks for.

    Args:
        rule: that applies.
        source: the system that reports it.
        incident: as it was reported.
        signal: of the incident, matched by the rule.
        now: the instant from which the life of the freeze counts.
        policy_set: has the names that can be frozen.
    """
    selector, exempt, unknown = within(rule, policy_set)
    freeze = StartRequest(
        title=_public(filled(rule.title, source, incident, signal)) or _NO_TITLE,
        reason=_public(filled(rule.reason, source, incident, signal)) or f"Reported by {source}.",
        selector=selector,
        starts_at=None,
        ends_at=now + rule.life,
        override=rule.override,
        contact=rule.contact,
        link=link_of(incident),
        exempt=exempt,
        running=rule.running,
    )
    return IncidentRequest(freeze, unknown)


def within(
    rule: IncidentRule, policy_set: PolicySet
) -> tuple[Selector, tuple[Selector, ...], tuple[str, ...]]:
    """Return the scope and the exemptions of a rule in the names of the policies, and what was left out."""
    vocabulary = names_of(policy_set)
    unknown: list[str] = []
    scope = {
        field: _known(field, names, vocabulary, unknown)
        for field in ("environments", "services", "tags")
        if (names := getattr(rule, field)) is not None
    }
    exempt = [each for each in rule.exempt or () if _is_known(each, vocabulary, unknown)]
    return Selector.model_validate(scope), tuple(exempt), tuple(unknown)


def _known(field: str, names: Sequence[str], vocabulary: Vocabulary, unknown: list[str]) -> list[str] | None:
    faults = {name: name_fault(field, name, vocabulary) for name in names}
    unknown += [f"{field}: {fault}" for fault in faults.values() if fault is not None]
    return [name for name, fault in faults.items() if fault is None] or None


def _is_known(selector: Selector, vocabulary: Vocabulary, unknown: list[str]) -> bool:
    before = len(unknown)
    for field in ("environments", "services", "tags", "changes"):
        names = getattr(selector, field)
        if names is not None:
            _known(field, names, vocabulary, unknown)
    return len(unknown) == before


def link_of(incident: Incident) -> str | None:
    """Return the link of an incident if it can be shown."""
    link = incident.link or ""
    return link if _LINK.fullmatch(link) and link.isprintable() and not holds_secret(link) else None


def _public(text: str) -> str:
    """Return a text that everyone may read; empty if it holds a key or a token."""
    return "" if holds_secret(text) else text
