"""The content of a policy as facts in words, such as "Applies to: everything in production"."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from app.core.counted import counted
from app.core.explain import policy_in_words, scope_in_words
from app.core.notation import format_duration
from app.core.policy import Ceilings, Policy
from app.core.wallclock import Zone

_RUNNING: Final = {"finish": "may finish", "stop": "are stopped"}


class ChangedFact(NamedTuple):
    """A fact that differs between two revisions of a policy."""

    name: str
    before: str | None
    """None if the policy was not there."""
    after: str | None


def facts(policy: Policy, home: Zone) -> dict[str, str]:
    """Return the facts of a policy by name, in the order to show; `home` is the zone of its set."""
    exempt, notices = policy.scope_json("exempt"), policy.notify_before or []
    return {
        "Title": policy.title,
        "What it does": policy_in_words(policy, home),
        "Applies to": scope_in_words(policy.scope_json("applies_to")),
        "Exempt": scope_in_words(exempt) if exempt else "nothing",
        "Reason": policy.reason,
        "Overrides": overrides_in_words(policy.override),
        "Running deploys": _RUNNING[policy.running],
        "Announced": ", ".join(map(format_duration, notices)) + " ahead" if notices else "not",
        "Ask": policy.contact or "nobody named",
        "Link": policy.link or "none",
    }


def overrides_in_words(override: str | Ceilings) -> str:
    """Return whether a token lifts a policy, and which limits it needs."""
    if not isinstance(override, Ceilings):
        return "none lifts it" if override == "never" else "a token lifts it"
    limits = list(_limits(override))
    return ", ".join([" ".join(["a token lifts it", *limits[:1]]), *limits[1:]])


def _limits(override: Ceilings) -> Iterator[str]:
    if override.max_ttl is not None:
        yield f"for {format_duration(override.max_ttl)} at most"
    if override.max_uses is not None:
        yield f"for {counted(override.max_uses, 'deploy')} at most"
    if override.approvals is not None:
        yield f"with {counted(override.approvals, 'approval')}"
    if override.require_ticket:
        yield "with a ticket"


def changed_facts(before: tuple[Policy, Zone] | None, after: tuple[Policy, Zone] | None) -> list[ChangedFact]:
    """Return the facts that differ; each revision of the policy comes with the zone of its set."""
    return list(_changed({} if before is None else facts(*before), {} if after is None else facts(*after)))


def _changed(old: dict[str, str], new: dict[str, str]) -> Iterator[ChangedFact]:
    for name in old | new:
        if old.get(name) != new.get(name):
            yield ChangedFact(name, old.get(name), new.get(name))
