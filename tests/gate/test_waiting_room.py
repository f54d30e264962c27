"""No caller takes the room of all others, and vendors have places kept."""

from typing import Final

import pytest

from app.core.decision import Question
from app.core.hold import POLLED
from app.core.instant import DAY
from app.gate import waiting_room
from app.gate.errors import BusyError
from app.gate.holds import MOST_UNFINISHED, HoldRequest, Holds
from app.identity.caller import Caller, Role
from tests.gate.conftest import AFTER, Gate

pytestmark = pytest.mark.anyio

ANYBODY: Final = Caller("", Role.CI)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A room for seven: one is kept for vendors, five are the most of a caller, two of anybody."""
    monkeypatch.setattr("app.gate.holds.MOST_UNFINISHED", 7)
    monkeypatch.setattr(waiting_room, "KEPT_FOR_VENDORS", 1)
    monkeypatch.setattr(waiting_room, "MOST_OF_CALLER", 4)
    monkeypatch.setattr(waiting_room, "MOST_ANONYMOUS", 2)


async def ask(gate: Gate, caller: Caller, key: str, responder: str = POLLED) -> None:
    wanted = HoldRequest(Question("api"), responder, key, {}, AFTER + DAY)
    await Holds(gate.store, gate.clock, gate.cache).hold(caller, wanted, gate.in_force)


@pytest.mark.usefixtures("small")
async def test_callers_without_a_key_share_a_small_part_of_the_room(gate: Gate) -> None:
    for number in range(2):
        await ask(gate, ANYBODY, f"{number}")
    for responder in (POLLED, "callback"):
        with pytest.raises(BusyError, match="2 deploys wait already for callers without a key; send one"):
            await ask(gate, ANYBODY, "third", responder)
    await ask(gate, ANYBODY, "0")  # the one that waits already
    await ask(gate, Caller("pipeline", Role.CI), "third")


@pytest.mark.usefixtures("small")
async def test_one_caller_leaves_room_for_others_and_callers_leave_room_for_vendors(gate: Gate) -> None:
    for number in range(4):
        await ask(gate, Caller("pipeline", Role.CI), f"{number}")
    with pytest.raises(BusyError, match="4 deploys wait already for pipeline"):
        await ask(gate, Caller("pipeline", Role.CI), "fifth")
    for number in range(2):
        await ask(gate, Caller(f"other {number}", Role.CI), f"other {number}")
    with pytest.raises(BusyError, match=r"6 deploys wait already$"):
        await ask(gate, Caller("late", Role.CI), "late")
    await ask(gate, Caller("github", Role.CI), "run", "github")
    with pytest.raises(BusyError, match=r"7 deploys wait already$"):
        await ask(gate, Caller("github", Role.CI), "run 2", "github")


def test_the_parts_fit_in_the_room() -> None:
    assert waiting_room.MOST_ANONYMOUS < waiting_room.MOST_OF_CALLER
    assert waiting_room.MOST_OF_CALLER + waiting_room.KEPT_FOR_VENDORS < MOST_UNFINISHED
