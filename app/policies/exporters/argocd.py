"""Export as the sync windows of an Argo CD AppProject.

Argo CD compares wall-clock times: a window is active from a firing of its schedule until its duration has
passed on the wall clock of its zone. So every recurring window has the same meaning there. Each becomes a
`deny` window, those of `allow-only` policies for the time outside: several `allow` windows would open if any
of them is active, and policies only if all of them are.
"""

import json
from collections.abc import Iterator
from typing import Final, NamedTuple

from app.core.decision_text import one_line
from app.core.instant import DAY, HOUR, MINUTE
from app.policies.exporters.cron import instant_cron, weekly_cron, yearly_cron
from app.policies.exporters.export import Exported, ExportOptions
from app.policies.exporters.plan import Planned, Target, heading, plan
from app.policies.loaded import LoadedPolicies

_TARGET: Final = Target("Argo CD", endless=True)


class _Window(NamedTuple):
    """A sync window."""

    schedule: str
    length: int
    zone: str


def argocd(loaded: LoadedPolicies, options: ExportOptions) -> Exported:
    """Return a patch of an AppProject with the sync windows of a service or environment."""
    found = plan(loaded.engine, options, _TARGET)
    lines = [f"# {one_line(line)}" for line in heading(found, loaded.revision, options, _TARGET)]
    windows = [(each.policy, window) for each in found.policies for window in _windows(each)]
    lines += ["spec:", "  syncWindows:" if windows else "  syncWindows: []"]
    named = ""
    for policy, window in windows:
        if policy.id != named:
            named = policy.id
            lines.append(f"    # {policy.id}: {one_line(policy.title)}")
        lines += _entry(window, options)
    return Exported("".join(f"{line}\n" for line in lines), len(windows), found.remarks)


def _windows(planned: Planned) -> Iterator[_Window]:
    for span in planned.weekly:
        # Two days of each: at midnight itself, a window of one day is over and the next has not begun.
        length = 2 * DAY if span.is_endless else span.length
        yield _Window(weekly_cron(span.weekdays, span.time), length, span.zone.name)
    for year in planned.yearly:
        schedule = yearly_cron(year.start.month, year.start.day, year.start.time or 0)
        yield _Window(schedule, year.length, year.zone.name)
    for start, end in planned.once:
        yield _Window(instant_cron(start), end - start, "UTC")


def _entry(window: _Window, options: ExportOptions) -> Iterator[str]:
    hours, rest = divmod(window.length, HOUR)
    minutes = f"{rest // MINUTE}m" if rest else ""
    applications = ", ".join(json.dumps(each) for each in options.applications)
    yield "    - kind: deny"
    yield f'      schedule: "{window.schedule}"'
    yield f"      duration: {f'{hours}h' if hours else ''}{minutes}"
    yield f"      timeZone: {window.zone}"
    yield f"      applications: [{applications}]"
