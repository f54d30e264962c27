"""Export as the freeze periods of a GitLab project: a script that creates them, or JSON.

GitLab freezes from a firing of `freeze_start` to the next of `freeze_end`. It only sets `CI_DEPLOY_FREEZE` in
pipelines that are created meanwhile; jobs must look at it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from app.core.decision import Rule
from app.core.decision_text import one_line
from app.core.instant import DAY
from app.policies.exporters.cron import instant_cron, weekly_cron, yearly_cron
from app.policies.exporters.export import Exported, ExportOptions
from app.policies.exporters.plan import Planned, Target, heading, plan
from app.policies.exporters.recurring import WeeklySpan
from app.policies.loaded import LoadedPolicies

TARGET: Final = Target("GitLab", endless=False)

_SCRIPT: Final = """\
set -eu
: "${GITLAB_TOKEN:?a token of a maintainer of the project, with the scope api}"
: "${GITLAB_PROJECT:?the id of the project, or its path with %2F for /}"
periods="${GITLAB_URL:-https://gitlab.com}/api/v4/projects/$GITLAB_PROJECT/freeze_periods"
create() {
  curl --fail --silent --show-error --header "PRIVATE-TOKEN: $GITLAB_TOKEN" \\
    --header "Content-Type: application/json" --data "$1" "$periods"
  echo
}
"""
"""The head of the script. It deletes nothing, for a project may have periods of its own."""


class Period(NamedTuple):
    """A freeze period, with the names of the API."""

    freeze_start: str
    freeze_end: str
    cron_timezone: str


def gitlab(loaded: LoadedPolicies, options: ExportOptions) -> Exported:
    """Return the freeze periods of a service or environment."""
    found = plan(loaded.engine, options, TARGET)
    planned = [(each.rule, list(periods(each))) for each in found.policies]
    listed = [period._asdict() for _, of_rule in planned for period in of_rule]
    if options.as_json:
        text = json.dumps(listed, indent=2) + "\n"
    else:
        text = _script(heading(found, loaded.revision, options, TARGET), planned)
    return Exported(text, len(listed), found.remarks)


def _script(comment: Sequence[str], planned: Iterable[tuple[Rule, Sequence[Period]]]) -> str:
    lines = ["#!/bin/sh", "# Prints the periods that it creates, with ids; delete those of the last export."]
    lines += [f"# {one_line(line)}" for line in comment]
    lines += _SCRIPT.splitlines()
    for rule, of_rule in planned:
        lines += ["", f"# {rule.id}: {one_line(rule.title)}"]
        lines += [f"create '{json.dumps(period._asdict())}'" for period in of_rule]
    return "".join(f"{line}\n" for line in lines)


def periods(planned: Planned) -> Iterator[Period]:
    """Yield the periods of a planned rule."""
    for span in planned.weekly:
        yield Period(weekly_cron(span.weekdays, span.time), _weekly_end(span), span.zone.name)
    for year in planned.yearly:
        start, end = (
            yearly_cron(bound.month, bound.day, bound.time or 0) for bound in (year.start, year.end)
        )
        yield Period(start, end, year.zone.name)
    for first, last in planned.once:
        yield Period(instant_cron(first), _dated_end(last), "UTC")


def _dated_end(instant: int) -> str:
    """Return the expression for the end of an explicit window.

    GitLab freezes from last year's start to the next end. So an end on 29 February, which most years lack,
    is said as the last day of February.
    """
    return instant_cron(instant).replace(" 29 2 ", " L 2 ")


def _weekly_end(span: WeeklySpan) -> str:
    days, time = divmod(span.time + span.length, DAY)
    return weekly_cron([(day + days) % 7 for day in span.weekdays], time)
