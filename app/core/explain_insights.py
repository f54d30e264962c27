"""Render insights as sentences. They state what was observed and claim nothing beyond it."""

from typing import Final

from app.core.comparison import ENOUGH, Comparison, Tally, Verdict
from app.core.counted import counted
from app.core.explain import undirected
from app.core.insights import EnvironmentInsight, HourInsight, Insights, PolicyInsight
from app.core.instant import DAY, HOUR, MINUTE
from app.core.notation import waiting_time
from app.core.policy import Effect
from app.core.proportion import Range
from app.core.waits import PATIENCE, Waits

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TO: Final = "\u2013"
_ONE_PER_CENT: Final = 0.01


def hour_in_words(each: HourInsight) -> str:
    """Compare the deploys of an hour of the week with all others."""
    when = f"on {_DAYS[each.weekday]}s between {each.hour:02}:00 and {each.hour + 1:02}:00"
    return comparison_in_words(each.comparison, when, "at other times", "")


def policy_in_words(each: PolicyInsight) -> str | None:
    """Compare the deploys inside a policy with the others; None if its times are unknown."""
    if each.policy is None or each.comparison is None:
        return None
    title = undirected(each.policy.title.rstrip("."))
    if each.policy.effect is Effect.ALLOW_ONLY:
        return comparison_in_words(
            each.comparison, f'at times that "{title}" does not allow', "others", " then"
        )
    return comparison_in_words(each.comparison, f'inside "{title}"', "others", " inside")


def environment_in_words(each: EnvironmentInsight) -> str:
    """Compare the overridden deploys to an environment with the others."""
    return comparison_in_words(each.comparison, f"to {each.name} by an override", "others", "")


def total_in_words(insights: Insights, seconds: int) -> str:
    """Summarise the counts, and how many deploys have no reported outcome."""
    total = insights.total
    lead = (
        f"{counted(total.deploys, 'deploy')}, {counted(insights.denials, 'denial')} and "
        f"{counted(total.overrides, 'override')} in {counted(max(1, round(seconds / DAY)), 'day')}."
    )
    if not total.reported:
        return f"{lead} Of no deploy was it reported how it went." if total.deploys else lead
    unreported = total.deploys - total.reported
    rest = f" Not reported: {counted(unreported, 'deploy')}." if unreported else ""
    return f"{lead} {_share(total, 'Deploys failed ', ' of the time')}.{rest}"


def waits_in_words(waits: Waits) -> str:
    """Summarise how long denied deploys waited."""
    days = PATIENCE // DAY
    if waits.median is None or waits.p90 is None:
        lead = "No deploy was denied and allowed later."
    else:
        lead = (
            f"{counted(waits.ended, 'deploy')} waited: half of them {_rough(waits.median)} at most, "
            f"nine of ten {_rough(waits.p90)} at most."
        )
    never = f" {waits.never} did not come back within {days} days." if waits.never else ""
    waiting = f" {waits.waiting} may still come back." if waits.waiting else ""
    return f"{lead}{never}{waiting}"


def comparison_in_words(found: Comparison, inside: str, others: str, where: str) -> str:
    """Say how often the deploys inside and the others failed, and what can be said of the difference."""
    if found.difference is None:
        few = f"{found.inside.reported} of those and {found.others.reported} others are reported"
        return f"Deploys {inside}: too few to tell; {few}, and {_needed(found)}."
    here = _share(found.inside, f"Deploys {inside} failed ", " of the time")
    verdict = {
        Verdict.WORSE: f"worse{where}",
        Verdict.BETTER: f"better{where}",
    }.get(found.verdict, found.verdict.value)
    return f"{here}, {_share(found.others, f'{others} ', '')}{_like_with_like(found)}: {verdict}."


def _needed(found: Comparison) -> str:
    if min(found.inside.reported, found.others.reported) < ENOUGH:
        return f"each side needs {ENOUGH}"
    return f"each side needs {ENOUGH} that are alike: in environment, kind of change and policies"


def _like_with_like(found: Comparison) -> str:
    """Return the stratified rates that were compared, if they differ from the overall rates."""
    compared = [_percent(share.rate or 0.0) for share in found.like]
    if compared == [_percent(tally.share.rate or 0.0) for tally in (found.inside, found.others)]:
        return ""
    return "; like with like, {} % beside {} %".format(*compared)


def _share(tally: Tally, before: str, after: str) -> str:
    rate = tally.share.rate or 0.0
    counts = f"{tally.failed} of {tally.reported}, {range_in_words(tally.range)}"
    return f"{before}{_percent(rate)} %{after} ({counts})"


def range_in_words(found: Range) -> str:
    """Return an interval; in tenths of a per cent if whole ones would make it look empty."""
    digits = 1 if found.high - found.low < 2 * _ONE_PER_CENT else 0
    return f"{found.low * 100:.{digits}f}{_TO}{found.high * 100:.{digits}f} %"


def _percent(share: float) -> str:
    """Return whole per cents; tenths below one."""
    return f"{share * 100:.1f}" if 0 < share < _ONE_PER_CENT else f"{share * 100:.0f}"


def _rough(seconds: int) -> str:
    """Round up to the minute below a day and to the hour above it: more would be noise."""
    step = MINUTE if seconds < DAY else HOUR
    return waiting_time(seconds + -seconds % step)
