"""``freezegate wait``: hold until it opens."""

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import click

from app.cli import ALLOWED, FROZEN, UNDECIDED, fail
from app.cli.decision_source import Answer, Asked, Oracle, find_oracle
from app.cli.errors import UndecidedError
from app.cli.options import as_json, asked_of, checked, question
from app.cli.report import echo, plain
from app.cli.server import DEADLINE
from app.clock import SystemClock
from app.core.notation import parse_duration, waiting_time

HEARTBEAT: Final = 300
"""Seconds between signs of life in a log: CI systems end jobs that fall silent."""

LONGEST_POLL: Final = 60

_SHORTEST_QUESTION: Final = 1.0
"""Seconds that a question may take, however little patience is left."""


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
    """How long to wait at most, and how often to ask, in seconds."""

    timeout: int | None = None
    poll: int = 30


class Teller:
    """Tells how the wait goes: a line a change and a heartbeat, or on a terminal a countdown."""

    def __init__(self, *, terminal: bool, say: Callable[[str], None], show: Callable[[str], None]) -> None:
        """Say lines with `say`; on a terminal, keep one line current with `show`."""
        self.terminal = terminal
        self._say = say
        self._show = show
        self._last = ""
        self._spoke_at = 0

    def changed(self, now: int, state: str, line: str) -> None:
        """Say a line if the state is another than the last one told."""
        if state != self._last:
            self._last, self._spoke_at = state, now
            self._say(line)

    def passing(self, now: int, state: str, left: int | None) -> None:
        """Show that time passes."""
        remaining = state + (f", opens in {waiting_time(left)}" if left is not None and left > 0 else "")
        if self.terminal:
            self._show(remaining)
        elif now - self._spoke_at >= HEARTBEAT:
            self._spoke_at = now
            self._say(remaining)


class Wait:
    """One wait, from the first question to the allow or to the end of patience."""

    def __init__(
        self, oracle: Oracle, patience: Patience, clock: Time, teller: Teller, *, as_json: bool = False
    ) -> None:
        """Ask `oracle`; with `as_json`, tell answers as the JSON objects that they are."""
        self._oracle = oracle
        self._patience = patience
        self._clock = clock
        self._teller = teller
        self._as_json = as_json

    def until_open(self, asked: Asked) -> int:
        """Ask until it opens; 0 when it does, 1 when it did not in time, 3 when nobody ever could tell."""
        began = self._clock.now()
        answered = False
        while True:
            now = self._clock.now()
            answer: Answer | None = None
            try:
                answer = self._ask(asked, now, began)
            except UndecidedError as error:
                self._teller.changed(now, str(error), f"no answer: {plain(error)}")
                if error.final:
                    return UNDECIDED
            if answer is not None:
                answered = True
                if answer.allowed:
                    return ALLOWED
            if self._patience.timeout is not None and now - began >= self._patience.timeout:
                return FROZEN if answered else UNDECIDED
            self._pause(answer, began)

    def _ask(self, asked: Asked, now: int, began: int) -> Answer:
        within = DEADLINE
        if self._patience.timeout is not None:
            within = min(within, max(_SHORTEST_QUESTION, began + self._patience.timeout - now))
        answer = self._oracle.ask(asked, now, within)
        line = json.dumps(answer.body) if self._as_json else plain(answer.body["message"])
        self._teller.changed(now, _state(answer), line)
        return answer

    def _pause(self, answer: Answer | None, began: int) -> None:
        """Until it opens, at most a poll; on a terminal second by second, so that it counts down."""
        state = "still frozen" if answer else "still no answer"
        left = answer.seconds_left if answer else None
        now = self._clock.now()
        opens = now + left if left is not None else None
        wake = now + self._length(
            left, began + self._patience.timeout - now if self._patience.timeout else None
        )
        self._teller.passing(now, state, left)
        while self._teller.terminal and wake - now > 1:
            self._clock.sleep(1)
            now = self._clock.now()
            self._teller.passing(now, state, None if opens is None else opens - now)
        self._clock.sleep(max(0.05, wake - now))

    def _length(self, left: int | None, until_timeout: int | None) -> float:
        """Seconds to pause; a little jitter keeps a hundred jobs from asking at the same instant."""
        pause = float(self._patience.poll)
        if left is not None and left > 0:
            pause = min(pause, left + random.random())  # noqa: S311 - no secret
        if until_timeout is not None:
            pause = min(pause, until_timeout)
        return max(1.0, pause)


def _state(answer: Answer) -> str:
    """What makes an answer another one: the outcome and who blocks, not the time that is left."""
    blocking = ",".join(str(entry.get("id")) for entry in answer.body["blocking"])
    return f"{answer.body['outcome']} {blocking} {answer.body['opens_at']}"


def _to(*, terminal: bool) -> Teller:
    clear = "\r\033[K" if terminal else ""
    return Teller(
        terminal=terminal,
        say=lambda line: echo(f"{clear}{line}"),
        show=lambda line: click.echo(f"{clear}{line}", nl=False),
    )


@click.command("wait")
@question
@asked_of
@click.option("--timeout", metavar="2h", callback=checked(parse_duration), help="Give up after this long.")
@click.option(
    "--poll",
    default=30,
    show_default=True,
    type=click.IntRange(1, LONGEST_POLL),
    help="Seconds between asking; asked as well when it should open.",
)
@as_json
def command(  # noqa: PLR0913 - each is an option
    *,
    service: str,
    environment: str,
    change: str,
    duration: str | None,
    server: str | None,
    policies: Path | None,
    timeout: str | None,
    poll: int,
    as_json: bool,
) -> int:
    """Wait until SERVICE may be deployed.

    Exits 0 when it opens, 1 when it did not in time, 3 when no usable answer ever came.
    A line a change, as a JSON object with --json.
    """
    patience = Patience(parse_duration(timeout) if timeout else None, poll)
    oracle = find_oracle(server, policies)
    terminal = sys.stdout.isatty() and not as_json
    held = Wait(oracle, patience, _RealTime(), _to(terminal=terminal), as_json=as_json)
    status = held.until_open(Asked(service, environment, change, duration))
    if terminal:
        click.echo("\r\033[K", nl=False)
    if status == FROZEN:
        fail("gave up waiting: still frozen")
    elif status == UNDECIDED:
        fail("gave up waiting: no usable answer")
    return status
