"""``freezegate wait``: hold until it opens."""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import click

from app.cli import ALLOWED, FROZEN, UNDECIDED, fail
from app.cli.options import asked_of, question
from app.cli.oracle import Answer, Asked, Oracle, UndecidedError, find_oracle
from app.cli.report import echo
from app.clock import SystemClock
from app.core.explain import waiting_time
from app.core.instant import parse_instant
from app.core.notation import parse_duration

HEARTBEAT: Final = 300
"""Seconds between signs of life in a log: CI systems end jobs that fall silent."""


class Time(Protocol):
    """The time, and a way to let some of it pass."""

    def now(self) -> int:
        """The present instant."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class _RealTime(SystemClock):
    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Patience(NamedTuple):
    """How long to wait at most, and how often to ask."""

    timeout: int | None
    poll: int


class Teller:
    """Tells how the wait goes: a line a change and a heartbeat, or on a terminal a countdown."""

    def __init__(self, *, terminal: bool, say: Callable[[str], None]) -> None:
        """Say lines with `say`."""
        self._terminal = terminal
        self._say = say
        self._last = ""
        self._spoke_at = 0

    def changed(self, now: int, state: str, line: str) -> None:
        """Say a line if the state is another than the last one told."""
        if state != self._last:
            self._last, self._spoke_at = state, now
            self._say(line)

    def passing(self, now: int, left: int | None) -> None:
        """Show that time passes."""
        remaining = "still frozen" + (f", opens in {waiting_time(left)}" if left and left > 0 else "")
        if self._terminal:
            click.echo(f"\r\033[K{remaining}", nl=False)
        elif now - self._spoke_at >= HEARTBEAT:
            self._spoke_at = now
            self._say(remaining)


def wait(oracle: Oracle, asked: Asked, patience: Patience, clock: Time, teller: Teller) -> int:
    """Ask until it opens; 0 when it does, 1 when it did not in time, 3 when nobody ever could tell."""
    began = clock.now()
    answered = False
    while True:
        now = clock.now()
        answer: Answer | None = None
        try:
            answer = oracle.ask(asked, now)
            answered = True
            teller.changed(now, _state(answer), answer.body["message"])
        except UndecidedError as error:
            teller.changed(now, str(error), f"no answer: {error}")
            if error.refused:
                return UNDECIDED
        if answer is not None and answer.allowed:
            return ALLOWED
        left = _seconds_left(answer, now)
        if patience.timeout is not None and now + 1 - began > patience.timeout:
            return FROZEN if answered else UNDECIDED
        teller.passing(now, left)
        clock.sleep(_pause(patience, left, began, now))


def _state(answer: Answer) -> str:
    """What makes an answer another one: the outcome and who blocks, not the time that is left."""
    blocking = ",".join(str(entry.get("id")) for entry in answer.body["blocking"])
    return f"{answer.body['outcome']} {blocking} {answer.body.get('opens_at')}"


def _seconds_left(answer: Answer | None, now: int) -> int | None:
    opens_at = answer and answer.body.get("opens_at")
    return parse_instant(opens_at) - now if opens_at else None


def _pause(patience: Patience, left: int | None, began: int, now: int) -> float:
    """Until it opens, at most a poll; a little jitter keeps a hundred jobs from asking at once."""
    pause = float(patience.poll)
    if left is not None and left > 0:
        pause = min(pause, left + random.random())  # noqa: S311 - no secret
    if patience.timeout is not None:
        pause = min(pause, max(1.0, began + patience.timeout - now))
    return max(1.0, pause)


@click.command("wait")
@question
@asked_of
@click.option("--timeout", metavar="2h", help="Give up after this long.")
@click.option(
    "--poll", default=30, show_default=True, type=click.IntRange(1, 60), help="Seconds between asking."
)
def command(
    *,
    service: str,
    environment: str,
    change: str,
    duration: str | None,
    server: str | None,
    policies: Path | None,
    timeout: str | None,
    poll: int,
) -> int:
    """Hold until SERVICE may be deployed. Exits 0 when it opens, 1 when it did not in time."""
    patience = Patience(parse_duration(timeout) if timeout else None, poll)
    terminal = sys.stdout.isatty()
    teller = Teller(terminal=terminal, say=lambda line: echo(f"\r\033[K{line}" if terminal else line))
    asked = Asked(service, environment, change, duration)
    status = wait(find_oracle(server, policies)(), asked, patience, _RealTime(), teller)
    if status == FROZEN:
        fail("gave up waiting: still frozen")
    return status
