"""``freezegate diff``: show which hours open or close between two policy sets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from app.cli import ALLOWED, FROZEN, UNDECIDED, exits, fail
from app.cli.calendars import CommandCalendars
from app.cli.git_source import GitSource
from app.cli.local_time import ZoneName, to_instant, zone_of_server
from app.cli.options import TEXT, as_json, checked, format_of, instant_option, server, zone_name
from app.cli.policy_source import load_source, policy_source
from app.cli.report import echo, plain, writing
from app.clock import SystemClock
from app.core.diff.period import LONGEST_DAYS, USUAL_DAYS, diff_period
from app.core.diff.rendering import JSON, MARKDOWN, SVG
from app.core.errors import MalformedValueError
from app.core.instant import format_instant, parse_instant
from app.core.interval import Period
from app.policies.loaded import LoadedPolicies
from app.policies.source import Snapshot

_FORMATS: Final = {TEXT: JSON, "json": JSON, "markdown": MARKDOWN, "svg": SVG}
_FAILING: Final = {"opens": ("opens",), "closes": ("closes",), "any": ("opens", "closes")}


class DiffOptions(NamedTuple):
    """The options of the command that both ways of comparing need."""

    kind: str
    start: str | None
    end: str | None
    timezone: str | None
    offline: bool
    fail_on: str | None

    def period(self, zone: ZoneName) -> Period:
        """Return the period of the comparison; a bare date as its end includes that day.

        Raises:
            UsageError: it is empty, or too long.
        """
        start = None if self.start is None else parse_instant(to_instant(self.start, zone))
        end = None if self.end is None else parse_instant(to_instant(self.end, zone, is_end=True))
        try:
            return diff_period(SystemClock().now(), start, end)
        except MalformedValueError:
            raise click.UsageError(f"--to must be after --from, by {LONGEST_DAYS} days at most") from None


class DiffResult(NamedTuple):
    """A difference in the chosen form, its representation, and its lines."""

    text: str
    body: dict[str, Any]


@click.command(
    "diff",
    epilog=exits(
        "compared, whether or not anything differs",
        failed="hours differ that --fail-on names",
        undecided="policies can't be used, --fail-on can't be judged because OLD is missing or not all could "
        "be compared, or the server can't be reached or refuses the request",
    ),
)
@click.argument("sources", nargs=-1, required=True, metavar="[OLD] NEW")
@click.option("--against-server", is_flag=True, help="Compare NEW with what a server has in force.")
@server
@instant_option("--from", "start", text="Start of the comparison; default: now.")
@instant_option(
    "--to",
    "end",
    text=f"End of the comparison, {LONGEST_DAYS} days later at most; default: {USUAL_DAYS} days later.",
)
@click.option(
    "--timezone",
    metavar="ZONE",
    callback=checked(zone_name),
    help="Time zone of local times; default: the zone of NEW.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(_FORMATS)),
    default=TEXT,
    show_default=True,
    help="Form of the difference: markdown for a pull request, svg for a picture.",
)
@as_json
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead of standard output; an existing file is overwritten.",
)
@click.option(
    "--fail-on",
    type=click.Choice(list(_FAILING)),
    help="Exit 1 if hours open, close, or either of them.",
)
@click.option("--offline", is_flag=True, help="Don't fetch calendars by URL; their events are not compared.")
def command(
    *,
    sources: tuple[str, ...],
    against_server: bool,
    server: str | None,
    as_json: bool,
    output: Path | None,
    **given: Any,
) -> int:
    """Show which hours open or close if NEW takes the place of OLD.

    OLD and NEW are each a policy file, a folder of them, or either of them in a git revision:
    `git:main:policies.yaml`. Ad-hoc freezes are left out, and self-tests don't run.
    """
    options = DiffOptions(**given)
    options = options._replace(kind=format_of(options.kind, as_json=as_json))
    _check_sources(sources, server, against_server=against_server)
    compare = _compare_with_server(server) if against_server else _compare_files
    result = compare(sources, options)
    _write(result, options, output)
    return ALLOWED if options.fail_on is None else _judge(result.body, options.fail_on)


def _judge(body: dict[str, Any], fail_on: str) -> int:
    if any(body[each] for each in _FAILING[fail_on]):
        return FROZEN
    if not body["complete"]:
        fail("not all was compared, so --fail-on can't be judged")
        return UNDECIDED
    return ALLOWED


def _check_sources(sources: tuple[str, ...], server: str | None, *, against_server: bool) -> None:
    wanted = 1 if against_server else 2
    if len(sources) != wanted:
        raise click.UsageError(
            "with --against-server, give only NEW"
            if against_server
            else "give OLD and NEW, or NEW and --against-server"
        )
    if server is not None and not against_server:
        raise click.UsageError("--server goes with --against-server only")


def _compare_files(sources: tuple[str, ...], options: DiffOptions) -> DiffResult:
    from app.core.diff import TooManyHoursError, diff, to_json
    from app.core.diff.rendering import Compared, render
    from app.core.wallclock import zone

    calendars = CommandCalendars(SystemClock(), offline=options.offline)
    new = load_source(policy_source(sources[1], calendars), calendars)
    old = _old(sources[0], new, calendars, options.fail_on)
    home = zone(options.timezone or new.policy_set.timezone)
    period = options.period(lambda: home.name)
    try:
        found = diff(old.engine, new.engine, period)
    except TooManyHoursError as error:
        raise click.UsageError(str(error)) from None
    body = to_json(found, home, old.revision, new.revision)
    kind = _FORMATS[options.kind]
    text = "" if kind == JSON else render(Compared(found, home, old.revision, new.revision), kind)
    return DiffResult(text, body)


def _old(text: str, new: LoadedPolicies, calendars: CommandCalendars, fail_on: str | None) -> LoadedPolicies:
    """Load the old set; for a file that its revision doesn't have, the new set without policies.

    Raises:
        UndecidedError: the revision doesn't have it, and --fail-on would pass whatever opens.
    """
    from dataclasses import replace

    from app.cli.errors import UndecidedError
    from app.core.engine import Engine

    source = policy_source(text, calendars)
    if not isinstance(source, GitSource) or source.exists:
        return load_source(source, calendars)
    if fail_on is not None:
        raise UndecidedError(f"{text} does not exist, so --fail-on can't be judged{source.near}")
    echo(plain(f"{text} does not exist: compared with no policies{source.near}"), colour="yellow", err=True)
    nothing = new.policy_set.model_copy(update={"policies": [], "tests": []})
    return replace(
        new, policy_set=nothing, engine=Engine(nothing), revision=Snapshot({}).revision, tests=(), warnings=()
    )


def _compare_with_server(url: str | None) -> Callable[[tuple[str, ...], DiffOptions], DiffResult]:
    def compare(sources: tuple[str, ...], options: DiffOptions) -> DiffResult:
        from app.cli.candidate import parse_object, post_candidate
        from app.cli.errors import UndecidedError

        source = policy_source(sources[0], CommandCalendars(SystemClock(), offline=True))
        period = options.period(zone_of_server(url, options.timezone))
        params = {"from": format_instant(period.start), "to": format_instant(period.end)}
        body = parse_object(post_candidate(url, "/policies/diff", source, params))
        if not _is_diff(body):
            raise UndecidedError("the server's response is no difference of policies")
        kind, text = _FORMATS[options.kind], ""
        if kind != JSON:
            text = post_candidate(url, "/policies/diff", source, params, kind).decode("utf-8", "replace")
        return DiffResult(text, body)

    return compare


def _is_diff(body: dict[str, Any]) -> bool:
    flags = all(isinstance(body.get(name), bool) for name in ("opens", "closes", "complete"))
    lines = body.get("in_words")
    return flags and isinstance(lines, list) and all(isinstance(line, str) for line in lines)


def _write(result: DiffResult, options: DiffOptions, output: Path | None) -> None:
    if output is None:
        click.echo(_text(result, options), nl=False)
        return
    with writing(output):
        output.write_text(_text(result, options), encoding="utf-8")


def _text(result: DiffResult, options: DiffOptions) -> str:
    import json

    if options.kind == TEXT:
        return "".join(f"{plain(line)}\n" for line in result.body["in_words"])
    return result.text or json.dumps(result.body) + "\n"
