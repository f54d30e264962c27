"""Policies whose calendar by URL was never loaded, and the policies that self-tests see.

A policy with a required calendar freezes at all times until it is loaded. Self-tests see no event of any
calendar by URL: what it holds changes without the files, and must neither fail a start nor keep a change of
the calendar out.
"""

from collections.abc import Callable, Iterator

from app.core.policy import Effect, Policy, PolicySet
from app.core.windows import WindowEntry
from app.core.windows.icalendar import ICalendar

_ALWAYS = WindowEntry.model_validate({"always": True})


def subscribed(policy: Policy) -> Iterator[ICalendar]:
    """Yield the windows of a policy that are calendars by URL."""
    for entry in (*policy.when, *policy.except_when):
        if entry.kind == "icalendar" and entry.icalendar.url is not None:
            yield entry.icalendar


def frozen_until_loaded(policy_set: PolicySet) -> PolicySet:
    """Return a set in which policies freeze at all times whose required calendar was never loaded."""
    return _changed(policy_set, _frozen)


def without_fetched(policy_set: PolicySet) -> PolicySet:
    """Return a set whose calendars by URL have no events."""
    return _changed(policy_set, _without_events)


def _changed(policy_set: PolicySet, change: Callable[[Policy], Policy]) -> PolicySet:
    policies = [change(policy) if any(subscribed(policy)) else policy for policy in policy_set.policies]
    if all(new is old for new, old in zip(policies, policy_set.policies, strict=True)):
        return policy_set
    return policy_set.model_copy(update={"policies": policies})


def _frozen(policy: Policy) -> Policy:
    missing = next((each for each in subscribed(policy) if each.required and not each.was_loaded), None)
    if missing is None:
        return policy
    opens = policy.effect is Effect.ALLOW_ONLY
    consequence = {
        Effect.ALLOW_ONLY: "never opens",
        Effect.DENY: "freezes at all times",
        Effect.WARN: "warns at all times",
    }[policy.effect]
    never_opens = WindowEntry.model_construct({"icalendar"}, icalendar=missing)
    return policy.model_copy(
        update={
            "title": f"{policy.title.rstrip('.')} (the calendar {missing.name} was never loaded)",
            "reason": f"The calendar {missing.name} is required and was never loaded; until then this policy "
            f"{consequence}.",
            "when": [never_opens if opens else _ALWAYS],
            "except_when": [],
        }
    )


def _without_events(policy: Policy) -> Policy:
    return policy.model_copy(
        update={
            "when": list(map(_emptied, policy.when)),
            "except_when": list(map(_emptied, policy.except_when)),
        }
    )


def _emptied(entry: WindowEntry) -> WindowEntry:
    if entry.kind != "icalendar" or entry.icalendar.url is None:
        return entry
    return entry.model_copy(update={"icalendar": entry.icalendar.without_events()})
