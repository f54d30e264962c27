"""``freezegate wait``: wait until one or several services may be deployed."""

import json
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import click

from app.cli import ALLOWED, FROZEN, UNDECIDED, exits, fail
from app.cli.decision_source import Answer, DecisionSource, Query, ServerDecisionSource, find_source
from app.cli.errors import UndecidedError
from app.cli.held_claim import HeldClaim
from app.cli.options import (
    as_json,
    checked,
    claim_options,
    question_options,
    reject_claim_conflicts,
    services,
    source_options,
)
from app.cli.report import echo, plain
from app.cli.server import DEADLINE, address
from app.cli.together import Together
from app.clock import SystemClock
from app.core.notation import parse_duration, waiting_time

HEARTBEAT: Final = 300
"""Seconds between heartbeat lines in a log, because CI systems end silent jobs."""

LONGEST_POLL: Final = 60

_SHORTEST_QUERY: Final = 1.0
"""Seconds that a query may take, however close the timeout is."""


class Time(Protocol):
    """A clock that can sleep."""

    def now(self) -> int:
        """Return the present instant."""
        ...

    def sleep(self, seconds: float) -> None:
        """Sleep so many seconds."""
        ...


class _RealTime(SystemClock):
    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class WaitOptions(NamedTuple):
    """The longest wait and the time between two queries, in seconds."""

    timeout: int | None = None
    poll: int = 30


class ProgressPrinter:
    """Prints the progress of a wait: a line per change and a heartbeat, or a countdown on a terminal."""

    def __init__(
        self, *, terminal: bool, print_line: Callable[[str], None], show_status: Callable[[str], None]
    ) -> None:
        """Print lines with `print_line`; on a terminal, keep one status line current with `show_status`."""
        self.terminal = terminal
        self._print_line = print_line
        self._show_status = show_status
        self._last_state = ""
        self._printed_at = 0

    def changed(self, now: int, state: str, line: str) -> None:
        """Print a line if the state differs from the last one printed."""
        if state != self._last_state:
            self._last_state, self._printed_at = state, now
            self._print_line(line)

    def waiting(self, now: int, state: str, left: int | None) -> None:
        """Update the status line, or print a heartbeat line when one is due."""
        remaining = state + (f", opens in {waiting_time(left)}" if left is not None and left > 0 else "")
        if self.terminal:
            self._show_status(remaining)
        elif now - self._printed_at >= HEARTBEAT:
            self._printed_at = now
            self._print_line(remaining)


class Wait:
    """One wait, from the first query to an allow or the timeout."""

    def __init__(
        self,
        source: DecisionSource,
        options: WaitOptions,
        clock: Time,
        progress: ProgressPrinter,
        *,
        as_json: bool = False,
    ) -> None:
        """Ask `source`; with `as_json`, print each answer as its JSON object."""
        self._source = source
        self._options = options
        self._clock = clock
        self._progress = progress
        self._as_json = as_json

    def until_open(self, query: Query) -> int:
        """Ask until it opens. Return 0 when it does, 1 on timeout, 3 if no usable answer ever came."""
        began = self._clock.now()
        answered = False
        while True:
            now = self._clock.now()
            answer: Answer | None = None
            try:
                answer = self._ask(query, now, began)
            except UndecidedError as error:
                self._progress.changed(now, str(error), f"no answer: {plain(error)}")
                if error.final:
                    return UNDECIDED
            if answer is not None and answer.allowed:
                return ALLOWED
            answered = answered or answer is not None
            if self._is_over(now - began):
                return FROZEN if answered else UNDECIDED
            self._pause(answer, began)

    def _is_over(self, waited: int) -> bool:
        return self._options.timeout is not None and waited >= self._options.timeout

    def _ask(self, query: Query, now: int, began: int) -> Answer:
        deadline = DEADLINE
        if self._options.timeout is not None:
            deadline = min(deadline, max(_SHORTEST_QUERY, began + self._options.timeout - now))
        answer = self._source.ask(query, now, deadline)
        line = json.dumps(answer.body) if self._as_json else plain(answer.body["message"])
        self._progress.changed(now, _state(answer), line)
        return answer

    def _pause(self, answer: Answer | None, began: int) -> None:
        """Sleep until it opens, at most one poll; second by second on a terminal, to count down."""
        state = "still frozen" if answer else "still no answer"
        left = answer.seconds_left if answer else None
        now = self._clock.now()
        opens = now + left if left is not None else None
        wake = now + self._pause_seconds(
            left, began + self._options.timeout - now if self._options.timeout else None
        )
        self._progress.waiting(now, state, left)
        while self._progress.terminal and wake - now > 1:
            self._clock.sleep(1)
            now = self._clock.now()
            self._progress.waiting(now, state, None if opens is None else opens - now)
        self._clock.sleep(max(0.05, wake - now))

    def _pause_seconds(self, left: int | None, until_timeout: int | None) -> float:
        """Return the seconds to sleep, with jitter so that a hundred jobs don't ask at the same instant."""
        pause = float(self._options.poll)
        if left is not None and left > 0:
            pause = min(pause, left + random.random())  # noqa: S311 - no secret
        if until_timeout is not None:
            pause = min(pause, until_timeout)
        return max(1.0, pause)


def _state(answer: Answer) -> str:
    """Return the part of an answer whose change is printed; the time left is not part of it."""
    blocking = ",".join(str(entry.get("id")) for entry in answer.body["blocking"])
    return f"{answer.body['outcome']} {blocking} {answer.body['opens_at']}"


def _progress_printer(*, terminal: bool) -> ProgressPrinter:
    clear = "\r\033[K" if terminal else ""
    return ProgressPrinter(
        terminal=terminal,
        print_line=lambda line: echo(f"{clear}{line}"),
        show_status=lambda line: click.echo(f"{clear}{line}", nl=False),
    )


def hold(
    held: HeldClaim,
    query: Query,
    options: WaitOptions,
    clock: Time,
    progress: ProgressPrinter,
    *,
    as_json: bool = False,
) -> int:
    """Wait with a hold; take it back unless it lets the deploy through. Return the exit status."""
    wait = Wait(held, options, clock, progress, as_json=as_json)
    try:
        with _terminated_in_order():
            status = wait.until_open(query)
    except _TerminatedError:
        held.give_up(query, clock.now())
        signal.raise_signal(signal.SIGTERM)
        raise
    except BaseException:
        held.give_up(query, clock.now())
        raise
    last = None if status == ALLOWED else held.give_up(query, clock.now())
    if last is None:
        return status
    progress.changed(
        clock.now(), "released", json.dumps(last.body) if as_json else plain(last.body["message"])
    )
    return ALLOWED


class _TerminatedError(BaseException):
    """The process is told to end, by SIGTERM."""


@contextmanager
def _terminated_in_order() -> Iterator[None]:
    """Let work that SIGTERM cuts short end in order; the process ends by that signal all the same."""

    def end(_number: int, _frame: object) -> None:
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.command(
    "wait",
    epilog=exits(
        "allowed",
        failed="still frozen at the timeout",
        undecided="undecided: no usable answer ever came, or a refused request",
    ),
)
@services
@question_options
@source_options
@click.option("--timeout", metavar="2h", callback=checked(parse_duration), help="Give up after this long.")
@click.option(
    "--poll",
    default=30,
    show_default=True,
    type=click.IntRange(1, LONGEST_POLL),
    help="Seconds between queries; it also asks at the time it should open.",
)
@click.option(
    "--claim",
    is_flag=True,
    help="Record the deploy on the server, where it waits for its turn and is released in batches.",
)
@claim_options
@as_json
def command(  # noqa: PLR0913 - each is an option
    *,
    services: tuple[str, ...],
    environment: str,
    change: str,
    duration: str | None,
    server: str | None,
    policies: Path | None,
    timeout: str | None,
    poll: int,
    claim: bool,
    as_json: bool,
    **claim_texts: str | None,
) -> int:
    """Wait until SERVICE may be deployed, or until several may, all at the same time.

    Prints a line per change; with --json, each is the JSON of an answer. With --claim, the last one is the
    recorded decision, and the wait is taken back if it is interrupted.
    """
    options = WaitOptions(parse_duration(timeout) if timeout else None, poll)
    claim_fields = {name: value for name, value in claim_texts.items() if value is not None}
    reject_claim_conflicts(
        services,
        claim=claim,
        elsewhere=policies is not None,
        claim_fields=claim_fields,
        other="--policies",
    )
    found = find_source(server, policies)
    question = found if len(services) == 1 else Together(found, services)
    query = Query(services[0], environment, change, duration)
    terminal = sys.stdout.isatty() and not as_json
    progress = _progress_printer(terminal=terminal)
    if claim:
        if len(services) > 1:
            query = query._replace(service=", ".join(services), services=services)
        url = address(server)
        claims = ServerDecisionSource(url, claim_fields)
        held = HeldClaim(url, claim_fields, question, claims, timeout)
        status = hold(held, query, options, _RealTime(), progress, as_json=as_json)
    else:
        status = Wait(question, options, _RealTime(), progress, as_json=as_json).until_open(query)
    if terminal:
        click.echo("\r\033[K", nl=False)
    if status == FROZEN:
        fail("gave up waiting: still frozen")
    elif status == UNDECIDED:
        fail("gave up waiting: no usable answer")
    return status
