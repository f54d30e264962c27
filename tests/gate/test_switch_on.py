"""A policy that warns, tried as one that denies: the line to change, the hours, the recorded deploys."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import UnknownNameError
from app.core.instant import HOUR, parse_instant
from app.gate.backtest import Backtests
from app.gate.errors import BusyError
from app.gate.in_force import InForce, Policies
from app.gate.switch_on import SwitchOn, switch_on
from app.policies.source import Source
from app.store.store import Store
from tests.api.fakes import FakeClock
from tests.store.records import PATIENT

MAIN = """version: 1
timezone: Europe/Amsterdam
environments: [production]
policies:
  - {id: night, title: Nights, reason: Sleep., when: [{daily: {from: "22:00", to: "06:00"}}]}
"""
TEAM = """version: 1
policies:
  - &evening
    id: evening
    title: Evenings
    reason: Nobody is around.
    when:
      - daily: {from: "20:00", to: "23:00"}
    # It only warns until spring.
    effect: warn
"""
NOW = parse_instant("2026-11-27T12:00:00Z")


@pytest.fixture(scope="module")
def in_force(tmp_path_factory: pytest.TempPathFactory) -> InForce:
    folder: Path = tmp_path_factory.mktemp("policies")
    (folder / "main.yaml").write_text(MAIN)
    (folder / "team.yaml").write_text(TEAM)
    return Policies().load(Source(folder), NOW)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path_factory.mktemp('gate') / 'gate.db'}", deadline=PATIENT)
    yield opened
    opened.let_go()


def tried(in_force: InForce, store: Store, policy_id: str, *, unwanted: bool = False) -> SwitchOn:
    clock = FakeClock(NOW)
    return switch_on(in_force, policy_id, 30, Backtests(store, clock), clock, lambda: unwanted)


def test_the_line_is_that_of_the_effect_in_the_file_of_the_policy(in_force: InForce, store: Store) -> None:
    found = tried(in_force, store, "evening")
    assert found.line == ("team.yaml", TEAM.splitlines().index("    effect: warn") + 1)


def test_the_hours_that_close_are_those_that_nothing_else_denies(in_force: InForce, store: Store) -> None:
    (difference,) = tried(in_force, store, "evening").found.differences
    lengths = {(each.end - each.start, each.opens, each.after) for each in difference.hours}
    assert lengths == {(2 * HOUR, False, ("evening",))}
    assert len(difference.hours) == 60


def test_an_empty_record_counts_nothing(in_force: InForce, store: Store) -> None:
    found = tried(in_force, store, "evening")
    assert (found.effect.policy.id, found.effect.stopped, found.tested.complete) == ("evening", 0, True)


def test_nothing_is_tried_for_a_policy_that_is_not_there_nor_for_nobody(
    in_force: InForce, store: Store
) -> None:
    with pytest.raises(UnknownNameError):
        tried(in_force, store, "nothing")
    with pytest.raises(BusyError):
        tried(in_force, store, "evening", unwanted=True)
