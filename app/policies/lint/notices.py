"""Remarks on `notify_before`: policies whose freezes never begin."""

from collections.abc import Sequence

from app.core.instant import LATEST, LOOK_AHEAD
from app.core.policy import Policy
from app.core.timeline import PolicyTimeline


def notice_remark(policy: Policy, timelines: Sequence[PolicyTimeline], now: int) -> str | None:
    """Return the remark on a policy that announces freezes and has none to come; None if it has one."""
    if not policy.notify_before or any(_begins(timeline, now) for timeline in timelines):
        return None
    return "announces nothing: no freeze of this policy begins within two years"


def _begins(timeline: PolicyTimeline, now: int) -> bool:
    """Return whether a stretch begins within the look-ahead; only the present one may have begun before."""
    coming = timeline.stretches(now, min(now + LOOK_AHEAD, LATEST))
    return any(stretch.start is not None and stretch.start > now for stretch in coming)
