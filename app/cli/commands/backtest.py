"""``freezegate backtest``: judge recorded decisions by policies that are not in force."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from app.cli import ALLOWED, FROZEN, UNDECIDED, exits, fail
from app.cli.backtest_text import is_backtest, print_backtest, stopped_in_words
from app.cli.calendars import CommandCalendars
from app.cli.local_time import ZoneName, to_instant
from app.cli.options import DEFAULT_POLICIES, as_json, checked, instant_option, name, server, zone_name
from app.cli.policy_source import load_source, policy_source
from app.cli.report import print_json
from app.clock import SystemClock
from app.core.errors import MalformedValueError
from app.core.instant import format_instant, parse_instant
from app.core.interval import Period
from app.core.record_period import LONGEST_DAYS, USUAL_DAYS, record_period
from app.policies.source import Source

if TYPE_CHECKING:
    from app.gate.backtest import Progress

_FAILING: Final = {"stopped": ("stopped",), "allowed": ("allowed",), "any": ("stopped", "allowed")}


class BacktestOptions(NamedTuple):
    """The options that both ways of judging need."""

    start: str | None
    end: str | None
    timezone: str | None
    service: str | None
    environment: str | None
    change: str | None

    def period(self, zone: ZoneName) -> Period:
        """Return the start and the end; a bare date as the end includes that day.

        Raises:
            UsageError: the period is empty, or too long.
        """
        start = None if self.start is None else parse_instant(to_instant(self.start, zone))
        end = None if self.end is None else parse_instant(to_instant(self.end, zone, is_end=True))
        try:
            return record_period(SystemClock().now(), start, end)
        except MalformedValueError:
            raise click.UsageError(f"--to must be after --from, by {LONGEST_DAYS} days at most") from None


@click.command(
    "backtest",
    epilog=exits(
        "judged, whether or not anything differs",
        failed="there are decisions that --fail-on names",
        undecided="not all decisions were judged, or with --fail-on some can't be; policies can't be used, "
        "or the server can't be reached",
    ),
)
@click.argument("new", default=DEFAULT_POLICIES, metavar="[NEW]")
@server
@click.option(
    "--database-url", metavar="URL", help="Read this database of a gate instead of asking a server."
)
@instant_option("--from", "start", text=f"Start of the period; default: {USUAL_DAYS} days before its end.")
@instant_option(
    "--to", "end", text=f"End of the period, {LONGEST_DAYS} days after its start at most; default: now."
)
@click.option(
    "--timezone",
    metavar="ZONE",
    callback=checked(zone_name),
    help="Time zone of local times; default: the zone of NEW.",
)
@click.option("--service", metavar="NAME", callback=checked(name), help="Only decisions of this service.")
@click.option("--environment", metavar="NAME", callback=checked(name), help="Only of this environment.")
@click.option("--change", metavar="KIND", callback=checked(name), help="Only of this kind of change.")
@click.option(
    "--fail-on",
    type=click.Choice(list(_FAILING)),
    help="Exit 1 if deploys would have been stopped, denied claims allowed, or either of them.",
)
@as_json
def command(
    *,
    new: str,
    server: str | None,
    database_url: str | None,
    fail_on: str | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Show which recorded deploys NEW would have stopped, and which denied claims it would have allowed.

    NEW is a policy file (default: policies.yaml), a folder of them, or either of them in a git revision, such
    as `git:main:policies.yaml`. Ad-hoc freezes stand as they were, and self-tests don't run. A server judges
    for 20 seconds; for a long record, read the database. Ctrl-C stops that, and shows what was found so far.
    """
    if server is not None and database_url is not None:
        raise click.UsageError("use either --server or --database-url, not both")
    body = _backtest(new, server, database_url, BacktestOptions(**given))
    if not body["complete"]:
        fail(stopped_in_words(body))
    if as_json:
        print_json(body)
    else:
        print_backtest(body)
    return _status(body, _FAILING.get(fail_on or "", ()))


def _backtest(
    new: str, server: str | None, database_url: str | None, options: BacktestOptions
) -> dict[str, Any]:
    if database_url is None:
        return _ask_server(new, server, options)
    return _read_database(new, database_url, options)


def _status(body: dict[str, Any], failing: tuple[str, ...]) -> int:
    counts = {"stopped": body["deploys"]["stopped"], "allowed": body["denied"]["allowed"]}
    if any(counts[each] for each in failing):
        return FROZEN
    if failing and body["unknown"]["decisions"]:
        fail("--fail-on can't pass: there are decisions that can't be judged")
        return UNDECIDED
    return ALLOWED if body["complete"] else UNDECIDED


def _ask_server(new: str, server: str | None, options: BacktestOptions) -> dict[str, Any]:
    from app.cli.candidate import parse_object, post_candidate
    from app.cli.errors import UndecidedError

    calendars = CommandCalendars(SystemClock(), offline=True)
    source = policy_source(new, calendars)
    start, end = options.period(_zone(source, calendars, options))
    names = {each: getattr(options, each) for each in ("service", "environment", "change")}
    params = {"from": format_instant(start), "to": format_instant(end)}
    params |= {each: value for each, value in names.items() if value is not None}
    body = parse_object(post_candidate(server, "/policies/backtest", source, params))
    if not is_backtest(body):
        raise UndecidedError("the server's response is no backtest")
    if not body["complete"]:
        fail("the server takes no longer; give a shorter period, or read its database with --database-url")
    return body


def _zone(source: Source, calendars: CommandCalendars, options: BacktestOptions) -> ZoneName:
    def zone() -> str:
        return options.timezone or load_source(source, calendars).policy_set.timezone

    return zone


def _read_database(new: str, url: str, options: BacktestOptions) -> dict[str, Any]:
    from app.cli.database import opened
    from app.gate.backtest import BacktestRequest
    from app.gate.backtest_json import to_json

    calendars = CommandCalendars(SystemClock())
    loaded = load_source(policy_source(new, calendars), calendars)
    zone = options.timezone or loaded.policy_set.timezone
    start, end = options.period(lambda: zone)
    wanted = BacktestRequest(start, end, options.service, options.environment, options.change)
    with opened(url) as console, _interruptible() as is_interrupted, _shown_progress() as show:
        tested = console.backtest(loaded.engine.compiled, wanted, is_interrupted, show)
    return to_json(tested, loaded.policy_set, loaded.revision, wanted)


@contextlib.contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C ask for a stop, and a second one end the command at once."""
    interrupts: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        if interrupts:
            raise KeyboardInterrupt
        interrupts.append(number)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: bool(interrupts)
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _shown_progress() -> Iterator[Callable[["Progress"], None]]:
    """Return a function that shows on a terminal how far the backtest is, on one line."""
    if not sys.stderr.isatty():
        yield _show_nothing
        return
    try:
        yield _show
    finally:
        click.echo(err=True)


def _show(progress: "Progress") -> None:
    click.echo(f"\r{progress.decisions:,} of {progress.total:,} decisions", err=True, nl=False)


def _show_nothing(_: "Progress") -> None:
    pass
