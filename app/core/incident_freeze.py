"""The freeze of an incident: when it starts, goes on and ends.

An *episode* is the time from the first report of an incident until it is over: its `thaw_after` has passed
since it was resolved, or its `life` since the last report. A rule starts one freeze in each episode. The end
of the freeze moves with the reports, until a person changes or lifts it: then it is left alone.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from app.core.freeze import Freeze
from app.core.instant import MINUTE

LEAST_MOVE: Final = MINUTE
LEAST_PART: Final = 8
"""A report moves the end of a freeze by a minute at least, and by an eighth of its life: a repeat may come
each second, and each move is in the record for ever."""


class Episode(NamedTuple):
    """One episode of an incident, and the freeze that a rule started for it; instants in seconds, UTC."""

    source: str
    key: str
    rule: str
    freeze_id: str
    ends_at: int
    """The end that the reports gave the freeze last; if the freeze has another one, a person chose it."""
    life: int
    thaw_after: int
    started_at: int
    told_at: int
    """When it was last reported, by our clock."""
    reported_at: int
    """When the latest report was made, by the clock of the source."""
    resolved_at: int | None = None

    def is_over(self, now: int) -> bool:
        """Return whether another report is a new episode."""
        if self.resolved_at is not None:
            return now >= self.resolved_at + self.thaw_after
        return now >= self.told_at + self.life


class Step(StrEnum):
    """The steps that a report may take with the freeze of an incident."""

    START = "start"
    EXTEND = "extend"
    GO_ON = "go-on"
    """The freeze is as it should be."""
    LEAVE = "leave"
    """A person has changed or lifted the freeze, so it is left alone."""
    THAW = "thaw"
    NOTHING = "nothing"
    """There is no freeze to do anything about."""


def next_step(
    episode: Episode | None, freeze: Freeze | None, now: int, *, firing: bool, matches: bool
) -> Step:
    """Return what a report does to the freeze of an incident under one rule.

    Args:
        episode: the stored one of the incident and the rule.
        freeze: its freeze.
        now: by our clock.
        firing: whether the incident goes on, as far as this rule is concerned.
        matches: whether the rule is the one that applies to the incident now.
    """
    without = Step.START if matches else Step.NOTHING
    if episode is None or freeze is None or episode.is_over(now):
        return without
    if _changed_by_person(episode, freeze):
        return Step.LEAVE
    if not freeze.stands(now):
        return without
    return _while_firing(episode, now) if firing else _once_resolved(episode)


def _while_firing(episode: Episode, now: int) -> Step:
    moved = now + episode.life - episode.ends_at
    least = max(LEAST_MOVE, episode.life // LEAST_PART)
    return Step.EXTEND if episode.resolved_at is not None or moved >= least else Step.GO_ON


def _once_resolved(episode: Episode) -> Step:
    return Step.THAW if episode.resolved_at is None else Step.NOTHING


def _changed_by_person(episode: Episode, freeze: Freeze) -> bool:
    return freeze.lifted_at is not None or freeze.ends_at != episode.ends_at


def end_after(step: Step, episode: Episode, now: int) -> int:
    """Return the end of the freeze after a step that moves it."""
    return now + (episode.thaw_after if step is Step.THAW else episode.life)


def noted(episode: Episode, now: int, reported_at: int, *, firing: bool) -> Episode:
    """Return an episode with a report noted in it."""
    resolved_at = None if firing else now if episode.resolved_at is None else episode.resolved_at
    return episode._replace(
        told_at=now, reported_at=max(episode.reported_at, reported_at), resolved_at=resolved_at
    )
