"""Insights as lines for a terminal: the numbers of the dashboard's page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.cli.report import plain, print_table
from app.cli.status_text import Line
from app.core.counted import counted
from app.core.notation import waiting_time

MEASURES: Final = ("failures", "deploys", "denials", "overrides")
"""The measures by hour of the week, as on the page."""

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = 24

Body = Mapping[str, Any]


def summary(body: Body) -> Iterator[Line]:
    """Yield the totals, what stands out, and the sentences below them."""
    totals, waits = body["totals"], body["waits"]
    median = waits.get("median_s")
    counts = ", ".join(counted(totals[f"{noun}s"], noun) for noun in ("deploy", "denial", "override"))
    wait = "-" if median is None else waiting_time(median)
    yield Line(f"{counts}, failed {_rate(totals)}, median wait {wait}")
    for text in body["findings"]:
        yield Line(f"  {plain(text)}", "green" if ": better" in text else "yellow")
    if not body["findings"]:
        yield Line(
            "  No policy, environment or hour of the week stands out, or there are too few reports to tell."
        )
    yield Line(f"  {plain(body['in_words'])} {plain(waits['in_words'])}")


def print_policies(body: Body) -> None:
    """Print the policies, with the deploys inside their windows and the others."""
    rows = [
        (each["title"] or each["id"], each["denials"], each["overrides"], *_compared(each["comparison"]))
        for each in body["policies"]
    ]
    if rows:
        print_table(("POLICY", "DENIALS", "OVERRIDES", "FAILED INSIDE", "FAILED ELSE", "VERDICT"), rows)


def print_environments(body: Body) -> None:
    """Print the environments, with the overridden deploys and the others."""
    rows = [
        (each["environment"], each["deploys"], each["denials"], *_compared(each["comparison"]))
        for each in body["environments"]
    ]
    if rows:
        head = ("ENVIRONMENT", "DEPLOYS", "DENIALS", "FAILED OVERRIDDEN", "FAILED ELSE", "VERDICT")
        print_table(head, rows)


def hour_lines(body: Body, measure: str) -> Iterator[str]:
    """Yield a row for each day of the week, with a column for each of its hours."""
    hours: Sequence[Body] = body["hours"]
    enough = body["method"]["enough"]
    yield f"{measure} by hour of the week, {body['timezone']} time"
    yield "     " + "".join(f"{hour:>5}" for hour in range(_HOURS))
    for number, day in enumerate(_DAYS):
        found = hours[number * _HOURS : (number + 1) * _HOURS]
        yield f"{day}  " + "".join(f"{_cell(each, measure, enough):>5}" for each in found)


def _cell(each: Body, measure: str, enough: int) -> str:
    """Return an hour's amount; of too few reports the counts, and nothing where there is nothing."""
    if measure != "failures":
        return str(each[measure] or ".")
    if not each["reported"]:
        return "."
    if each["reported"] < enough:
        return f"{each['failed']}/{each['reported']}"
    return f"{each['rate']:.0%}"


def _compared(found: Body | None) -> tuple[str, str, str]:
    if found is None:
        return "-", "-", "-"
    return _rate(found["inside"]), _rate(found["others"]), found["verdict"]


def _rate(tally: Body) -> str:
    """Return a rate with its counts and its confidence interval."""
    if tally["rate"] is None:
        return "-"
    low, high = tally["interval"]
    return f"{tally['rate'] * 100:.0f} % of {tally['reported']:,} ({low * 100:.0f} to {high * 100:.0f} %)"
