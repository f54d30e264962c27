import pytest

from app.core.explain_incident import move_sentence
from app.core.freeze import Freeze
from app.core.incident_freeze import LEAST_MOVE, LEAST_PART, Episode, Step, end_after, next_step, noted
from app.core.policy import Selector

START, LIFE, THAW = 1_795_000_000, 3_600, 600
EPISODE = Episode(
    "pagerduty", "P1", "sev1", "frz_1", START + LIFE, LIFE, THAW, START, told_at=START, reported_at=START
)
FREEZE = Freeze(
    "frz_1",
    "t",
    "r",
    None,
    None,
    Selector.model_validate({}),
    "token",
    START,
    START + LIFE,
    "pagerduty",
    START,
)
RESOLVED = EPISODE._replace(resolved_at=START + 60, ends_at=START + 60 + THAW)


def step(
    after: int,
    *,
    firing: bool = True,
    episode: Episode | None = EPISODE,
    freeze: Freeze | None = FREEZE,
    matches: bool | None = None,
) -> Step:
    matches = firing if matches is None else matches
    return next_step(episode, freeze, START + after, firing=firing, matches=matches)


def test_an_incident_starts_a_freeze_once_and_repeats_extend_it() -> None:
    assert step(0, episode=None, freeze=None) is Step.START
    assert step(LIFE // LEAST_PART - 1) is Step.GO_ON
    assert step(LIFE // LEAST_PART) is Step.EXTEND
    short = EPISODE._replace(life=300, ends_at=START + 300)
    freeze = FREEZE._replace(ends_at=START + 300)
    assert step(LEAST_MOVE - 1, episode=short, freeze=freeze) is Step.GO_ON
    assert step(LEAST_MOVE, episode=short, freeze=freeze) is Step.EXTEND
    assert end_after(Step.EXTEND, EPISODE, START + 100) == START + 100 + LIFE


def test_a_resolved_incident_thaws_once() -> None:
    assert step(60, firing=False) is Step.THAW
    assert end_after(Step.THAW, EPISODE, START + 60) == START + 60 + THAW
    thawing = FREEZE._replace(ends_at=RESOLVED.ends_at)
    assert step(70, firing=False, episode=RESOLVED, freeze=thawing) is Step.NOTHING
    assert step(0, firing=False, episode=None, freeze=None) is Step.NOTHING


def test_an_incident_that_fires_again_before_the_thaw_goes_on() -> None:
    thawing = FREEZE._replace(ends_at=RESOLVED.ends_at)
    assert step(61, episode=RESOLVED, freeze=thawing) is Step.EXTEND
    assert step(60 + THAW - 1, episode=RESOLVED, freeze=thawing) is Step.EXTEND
    assert step(60 + THAW, episode=RESOLVED, freeze=thawing) is Step.START


def test_a_lost_end_is_a_new_incident_after_the_life() -> None:
    assert step(LIFE - 1) is Step.EXTEND
    assert step(LIFE) is Step.START
    assert step(LIFE, firing=False) is Step.NOTHING


@pytest.mark.parametrize(
    "changed",
    [
        FREEZE._replace(lifted_at=START + 10, lifted_by="alice"),
        FREEZE._replace(ends_at=START + 20),
        FREEZE._replace(ends_at=START + 9 * LIFE),
        FREEZE._replace(ends_at=None),
    ],
)
def test_a_freeze_that_a_person_changed_is_left_alone(changed: Freeze) -> None:
    assert step(30, freeze=changed) is Step.LEAVE
    assert step(30, freeze=changed, firing=False) is Step.LEAVE
    assert step(LIFE - 1, freeze=changed) is Step.LEAVE
    # Once the incident is over, another one starts a freeze of its own.
    assert step(LIFE, freeze=changed) is Step.START


def test_a_freeze_that_ended_just_before_the_life_is_started_again() -> None:
    told_late = EPISODE._replace(told_at=START + 30)
    assert step(LIFE + 10, episode=told_late) is Step.START
    assert step(LIFE + 10, episode=told_late, firing=False) is Step.NOTHING
    assert step(LIFE + 10, episode=told_late, firing=True, matches=False) is Step.NOTHING


def test_what_was_left_out_of_a_report_extends_a_freeze_and_starts_none() -> None:
    assert step(LIFE // LEAST_PART, matches=False) is Step.EXTEND
    assert step(LIFE, matches=False) is Step.NOTHING


def test_the_reports_are_noted() -> None:
    resolved = noted(EPISODE, START + 5, START + 4, firing=False)
    assert (resolved.told_at, resolved.reported_at, resolved.resolved_at) == (START + 5, START + 4, START + 5)
    again = noted(resolved, START + 9, START + 3, firing=False)
    assert (again.told_at, again.reported_at, again.resolved_at) == (START + 9, START + 4, START + 5)
    assert noted(again, START + 10, START + 10, firing=True).resolved_at is None


def test_a_step_without_a_freeze_is_nothing() -> None:
    assert move_sentence(Step.NOTHING, None) == "nothing: it has no freeze"
