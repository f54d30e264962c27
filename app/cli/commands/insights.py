"""``freezegate insights``: what the rules stop, and how deploys fare."""

from typing import Any

import click

from app.cli import ALLOWED, exits
from app.cli.api_client import ask
from app.cli.errors import UndecidedError
from app.cli.insights_text import MEASURES, hour_lines, print_environments, print_policies, summary
from app.cli.local_time import to_instant, zone_of_server
from app.cli.options import as_json, checked, instant_option, name, server, timezone
from app.cli.report import echo, echo_line, print_json
from app.core.record_period import LONGEST_DAYS, USUAL_DAYS


@click.command(
    "insights", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@instant_option("--from", "start", text=f"Start of the period; default: {USUAL_DAYS} days before its end.")
@instant_option(
    "--to", "end", text=f"End of the period, {LONGEST_DAYS} days after its start at most; default: now."
)
@click.option("--service", metavar="NAME", callback=checked(name), help="Only decisions of this service.")
@click.option("--environment", metavar="NAME", callback=checked(name), help="Only of this environment.")
@click.option("--change", metavar="KIND", callback=checked(name), help="Only of this kind of change.")
@click.option("--hours", "measure", type=click.Choice(MEASURES), help="Show this by hour of the week, too.")
@timezone
@server
@as_json
def command(
    *,
    server: str | None,
    timezone: str | None,
    as_json: bool,
    start: str | None,
    end: str | None,
    measure: str | None,
    **wanted: str | None,
) -> int:
    """Show deploys, denials, overrides and failures, by policy and by environment.

    The numbers are those of the dashboard's page. Uses the API key in FREEZEGATE_API_KEY.
    """
    params = {key: text for key, text in wanted.items() if text is not None}
    zone = zone_of_server(server, timezone)
    for key, text in (("from", start), ("to", end)):
        if text is not None:
            params[key] = to_instant(text, zone, is_end=key == "to")
    body = ask(server, "GET", "/insights", params=params)
    if not isinstance(body.get("totals"), dict):
        raise UndecidedError("the server's response can't be used: it has no insights")
    if as_json:
        print_json(body)
    else:
        _print(body, measure)
    return ALLOWED


def _print(body: dict[str, Any], measure: str | None) -> None:
    for line in summary(body):
        echo_line(line.text, line.colour)
    for print_part in (print_policies, print_environments):
        echo("")
        print_part(body)
    if measure is not None:
        echo("")
        for text in hour_lines(body, measure):
            echo(text)
