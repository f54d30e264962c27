"""The notice ahead of a freeze of one policy, which the policy asks for by `notify_before`."""

from typing import Any, NamedTuple

from app.core import explain
from app.core.decision_json import instant_or_none
from app.core.instant import MINUTE, format_instant
from app.core.notation import format_duration, waiting_time
from app.core.notification import Notification, Occasion, full_stop, joined, one_line
from app.core.policy import SERVICE_ZONE, Effect, Policy
from app.core.reason import own_reason
from app.core.wallclock import Zone


class Ahead(NamedTuple):
    """A coming freeze of a policy, as a notice announces it."""

    policy: Policy
    start: int
    end: int | None
    lead: int
    """The value of `notify_before` that is due, in seconds."""
    zones: tuple[Zone, ...]
    """The zones in which it begins at that instant: more than one only for `timezone: service`."""
    environments: tuple[str, ...]
    """The environments that the policy covers; empty for all."""


def freeze_notice(ahead: Ahead, home: Zone, now: int) -> Notification:
    """Build the notice of a coming freeze; of a policy that only warns, of its warnings."""
    policy, left = ahead.policy, ahead.start - now
    # A scan that is a moment late still says "in 1 h".
    within = waiting_time(ahead.lead if 0 <= ahead.lead - left < MINUTE else left)
    what = "Deploys get a warning" if policy.effect is Effect.WARN else "Freeze"
    return Notification(
        f"{Occasion.FREEZE_NOTICE}:{policy.id}:{ahead.start}:{ahead.lead}",
        Occasion.FREEZE_NOTICE,
        now,
        f"{what} in {within}: {one_line(policy.title)}",
        _text(ahead, home, now),
        ahead.environments,
        data=_data(ahead),
    )


def _text(ahead: Ahead, home: Zone, now: int) -> tuple[str, ...]:
    policy = ahead.policy
    scope = one_line(explain.scope_in_words(policy.scope_json("applies_to")))
    ask = (f"Ask {full_stop(one_line(policy.contact))}",) if policy.contact else ()
    title, when = full_stop(one_line(policy.title)), _when(ahead, home, now)
    own = own_reason(policy.title, policy.reason)
    why = (full_stop(one_line(own)),) if own else ()
    return f"{title} {when}", *why, f"It covers {scope}.", *ask


def _when(ahead: Ahead, home: Zone, now: int) -> str:
    """Return a sentence on start and end, in the zone that the policy is read in if it is only one."""
    where = ahead.zones[0] if len(ahead.zones) == 1 else home
    begins = explain.local_time(ahead.start, where, now)
    ends = "" if ahead.end is None else f", ends {explain.local_time(ahead.end, where, now)}"
    by_service = ahead.policy.timezone == SERVICE_ZONE
    whose = f" For services in {joined([zone.name for zone in ahead.zones])}." if by_service else ""
    return f"Starts {begins}{ends}.{whose}"


def _data(ahead: Ahead) -> dict[str, Any]:
    policy = ahead.policy
    return {
        **{key: getattr(policy, key) for key in ("id", "title", "reason", "contact", "link")},
        "effect": policy.effect.value,
        "from": format_instant(ahead.start),
        "until": instant_or_none(ahead.end),
        "notify_before": format_duration(ahead.lead),
        "zones": [zone.name for zone in ahead.zones],
        "applies_to": policy.scope_json("applies_to"),
        "exempt": policy.scope_json("exempt"),
    }
