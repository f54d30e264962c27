"""Render a backtest as sentences. They state what was counted and claim nothing beyond it."""

from collections.abc import Iterator, Sequence

from app.core.backtest import Backtest, Fate, PolicyEffect, UnknownName
from app.core.comparison import Tally
from app.core.counted import noun_for
from app.core.explain import undirected
from app.core.explain_insights import comparison_in_words, range_in_words
from app.core.instant import format_instant
from app.core.proportion import Share, wilson

_NAMED = 3
"""Unknown names that a sentence shows."""


def backtest_in_words(found: Backtest) -> list[str]:
    """Summarise a backtest in sentences, the most important first."""
    if not found.fates.total():
        return ["No decisions were recorded in this period."]
    parts = (_deploys, _denied, _overridden, _steps, _refused, _unknown)
    return [sentence for part in parts for sentence in part(found)]


def effect_in_words(each: PolicyEffect) -> str:
    """Compare the deploys that a policy would have stopped with the others that it applies to."""
    title = undirected(each.policy.title.rstrip("."))
    return comparison_in_words(each.comparison, f'that "{title}" would have stopped', "others", "")


def total_in_words(found: Backtest) -> str:
    """Compare the deploys that all policies together would have stopped with the others."""
    return comparison_in_words(found.comparison, "that they would have stopped", "others", "")


def number_in_words(number: int) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}"


def _deploys(found: Backtest) -> Iterator[str]:
    deploys, stopped = found.deploys, found.stopped
    if not deploys.deploys:
        return
    for_good = found.stopped_for_good
    never = f", {number_in_words(for_good)} of them by a policy that no token lifts" if for_good else ""
    yield f"These policies would have stopped {_part(stopped.deploys, deploys.deploys, 'deploy')}{never}."
    if stopped.deploys and deploys.reported:
        unreported = deploys.deploys - deploys.reported
        yield (
            f"They would have stopped {_reported(stopped, deploys)}"
            f"{f'; how {number_in_words(unreported)} went is not reported' if unreported else ''}."
        )
        yield total_in_words(found)


def _reported(stopped: Tally, deploys: Tally) -> str:
    """Return the stopped shares of the deploys that failed, and of those that didn't."""
    good = deploys.reported - deploys.failed
    failed = _share(stopped.failed, deploys.failed, "failed deploy")
    return f"{failed} and {_share(stopped.reported - stopped.failed, good, 'good deploy')}"


def _share(part: int, whole: int, noun: str) -> str:
    interval = f" ({range_in_words(wilson(Share(part, whole)))})" if whole else ""
    return f"{_part(part, whole, noun)}{interval}"


def _denied(found: Backtest) -> Iterator[str]:
    allowed = found.fates[Fate.ALLOWED]
    if denied := allowed + found.fates[Fate.DENIED]:
        yield f"They would have allowed {_part(allowed, denied, 'denied claim')}."


def _overridden(found: Backtest) -> Iterator[str]:
    free, token, never = (found.fates[each] for each in (Fate.FREE, Fate.TOKEN, Fate.NEVER))
    if total := free + token + never:
        fates = (
            (token, "would still have needed one"),
            (free, "would have needed none"),
            (never, "would have been denied despite it"),
        )
        parts = [f"{number_in_words(number)} {words}" for number, words in fates if number]
        yield f"Of {_counted(total, 'deploy')} by an override token, {_list(parts, 'and')}."


def _steps(found: Backtest) -> Iterator[str]:
    stopped = found.fates[Fate.STEP_STOPPED]
    if total := stopped + found.fates[Fate.STEP_KEPT]:
        yield f"They would have stopped {_part(stopped, total, 'later step')} of running deploys."


def _refused(found: Backtest) -> Iterator[str]:
    if count := sum(each.decisions for each in found.refused):
        lead = f"{_counted(count, 'decision')} would have been denied"
        yield f"{lead}, because these policies refuse {_names(found.refused)} as unknown."


def _unknown(found: Backtest) -> Iterator[str]:
    if count := found.fates[Fate.UNKNOWN]:
        lead = f"{_counted(count, 'decision')} can't be judged"
        yield f"{lead}, because these policies don't list {_names(found.unknown)}."


def _names(unlisted: Sequence[UnknownName]) -> str:
    names = [f"{each.field} {each.name}" for each in unlisted[:_NAMED] if each.name]
    if more := len(unlisted) - len(names):
        names.append(f"{number_in_words(more)} more")
    return _list(names, "and")


def _part(part: int, whole: int, noun: str) -> str:
    return f"{number_in_words(part) if part else 'none'} of {_counted(whole, noun)}"


def _counted(number: int, noun: str) -> str:
    return f"{number_in_words(number)} {noun_for(number, noun)}"


def _list(parts: Sequence[str], last: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def pruned_in_words(since: int | None) -> list[str]:
    """Return a sentence on the decisions that were pruned up to an instant; none if none were."""
    if since is None:
        return []
    return [f"Decisions up to {format_instant(since)} were pruned, and are not counted."]
