"""However often a sender looks, the same is told: held against one that looks all the time."""

import contextlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.core.instant import DAY, HOUR, MINUTE
from app.core.notification import Notification, Occasion
from app.core.policy import Selector
from app.gate.claim import Claim
from app.gate.errors import InvalidFieldError, StateConflictError
from app.gate.freezes import Change, StartRequest
from app.gate.notifications import Notifications
from tests.api.fakes import FakeClock
from tests.gate.conftest import BEFORE, OPS, OTHER, Gate, gate_on
from tests.gate.test_notifications import claim, receiver, told

pytestmark = pytest.mark.anyio

START = BEFORE - 8 * HOUR
END = START + 3 * DAY


def scenario(seed: int) -> list[tuple[int, str, Any]]:
    """What people do, and when; half of it near the edge of a policy freeze."""
    chance = random.Random(seed)
    acts: list[tuple[int, str, Any]] = []
    for number in range(25):
        at = chance.randrange(START + 1, END) if number % 2 else BEFORE + 1 + chance.randrange(-120, 120)
        what = chance.choice(["freeze", "schedule", "extend", "change", "lift", "claim", "claim", "claim"])
        acts.append((at, what, chance.random()))
    return sorted(acts)


def claims(seed: int) -> list[tuple[int, str, Any]]:
    """Claims of deploys that take their time, and nothing else; most of them shortly before a freeze.

    Whether a deploy fits depends on what comes, and freezes that come later are not known to who looks often.
    """
    chance = random.Random(seed)
    hours = (chance.randrange(-2 * HOUR, HOUR) for _ in range(25))
    return sorted((BEFORE + 1 + at, "deploy", chance.random()) for at in hours)


def looks(seed: int) -> list[int]:
    """A few or many; what is older than a day is told to nobody, so that they are no further apart."""
    chance = random.Random(seed)
    some = (chance.randrange(START, END) for _ in range(chance.choice([6, 40, 200])))
    return sorted({END, *range(START, END, 23 * HOUR), *some})


async def act(gate: Gate, what: str, chance: float, made: list[str]) -> None:
    now = gate.clock.at
    selector = Selector.model_validate(
        [{}, {"environments": ["production"]}, {"services": ["web"]}][int(3 * chance)]
    )
    if what in ("freeze", "schedule"):
        begins = now + 1 + int(chance * 2 * HOUR) if what == "schedule" else None
        ends = None if chance < 0.2 else (begins or now) + 1 + int(chance * 3 * HOUR)
        wanted = StartRequest(f"F{len(made)}", "r", selector, begins, ends)
        made.append((await gate.freezes.start(OPS, wanted, gate.in_force)).id)
    elif what == "claim":
        wants: Claim = claim(["api", "web", "docs"][int(3 * chance)], actor=f"p{int(4 * chance)}")
        await gate.claims.claim(wants, gate.in_force)
    elif what == "deploy":
        service, duration = ["api", "web"][int(2 * chance)], [0, 20 * MINUTE, HOUR][int(97 * chance) % 3]
        await gate.claims.claim(claim(service, actor=f"p{int(4 * chance)}", duration=duration), gate.in_force)
    elif made:
        one = made[int(chance * len(made))]
        # What can't be done to a freeze that is over is not done.
        with contextlib.suppress(StateConflictError, InvalidFieldError):
            if what == "lift":
                await gate.freezes.lift(OTHER, one, f"Because {chance}")
            elif what == "change":
                await gate.freezes.change(OTHER, one, Change({"reason": f"{chance}"}, {}), gate.in_force)
            else:
                await gate.freezes.extend(OTHER, one, (await gate.freezes.show(one)).starts_at + 5 * HOUR)


async def lived(
    database: Path,
    policies: Path,
    acts: Sequence[tuple[int, str, Any]],
    looked_at: Sequence[int],
    *,
    many: bool,
) -> list[tuple[Any, ...]]:
    """What was told of a scenario, looked at at these instants; by one sender, or each time by another."""
    clock = FakeClock(START)
    gate = gate_on(f"sqlite:///{database}", policies, clock)
    made: list[str] = []
    got: list[Notification] = []

    def another(number: int) -> Notifications:
        return Notifications(gate.store, gate.policies, clock, [receiver()], f"sender {number}")

    sender = another(0)
    await told(sender)
    steps = sorted([*acts, *((at, "look", None) for at in looked_at)], key=lambda step: step[0])
    for number, (at, what, chance) in enumerate(steps):
        clock.at = at
        if what != "look":
            await act(gate, what, chance, made)
            continue
        if many:
            await sender.release()
            sender = another(number + 1)
        got += await told(sender)
    await gate.store.close()
    names = {each: f"F{number}" for number, each in enumerate(made)}
    # Announcements say how long it still is, and what has begun needs none.
    soon = (Occasion.POLICY_FREEZE_SOON, Occasion.FREEZE_SOON)
    return [_essence(each, names) for each in got if each.event not in soon]


def _essence(told: Notification, names: dict[str, str]) -> tuple[Any, ...]:
    """But for ids; a freeze that begins is told with the end that it has by then."""
    text = () if told.event == Occasion.FREEZE_BEGINS else told.text[1:]
    return (told.event.value, told.at, told.environments, names.get(told.subject or ""), told.title, text)


@pytest.mark.parametrize("seed", range(4))
async def test_however_often_a_sender_looks_those_whose_deploy_did_not_fit_are_told(
    tmp_path: Path, policy_file: Path, seed: int
) -> None:
    acts = claims(seed)
    every = [at for at, _, _ in acts] + [*range(START, END + DAY, 10 * MINUTE)]
    often = await lived(tmp_path / "often.db", policy_file, acts, every, many=False)
    rarely = [*looks(seed), END + 20 * HOUR]
    seldom = await lived(tmp_path / "seldom.db", policy_file, acts, rarely, many=seed % 2 == 0)
    assert sorted(map(str, seldom)) == sorted(map(str, often))
    (opened,) = (each for each in often if each[0] == "gate-open")
    denied = opened[5][0].count("(")
    assert denied > 3


@pytest.mark.parametrize("seed", range(8))
async def test_however_often_a_sender_looks_the_same_is_told(
    tmp_path: Path, policy_file: Path, seed: int
) -> None:
    acts = scenario(seed)
    every = [at for at, _, _ in acts] + [*range(START, END + 1, 10 * MINUTE)]
    often = await lived(tmp_path / "often.db", policy_file, acts, every, many=False)
    seldom = await lived(tmp_path / "seldom.db", policy_file, acts, looks(seed), many=seed % 2 == 0)
    assert sorted(map(str, seldom)) == sorted(map(str, often))
    assert len(often) > 5
    for name in {each[3] for each in often if each[3]}:
        assert [each for each in seldom if each[3] == name] == [each for each in often if each[3] == name]
