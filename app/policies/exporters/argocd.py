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

TARGET: Final = Target("Argo CD", endless=True)


class SyncWindow(NamedTuple):
    """A sync window that denies."""

    schedule: str
    length: int
    zone: str

    @property
    def duration(self) -> str:
        """Its length, as Go writes durations."""
        hours, rest = divmod(self.length, HOUR)
        minutes = f"{rest // MINUTE}m" if rest else ""
        return f"{hours}h{minutes}" if hours else minutes


def argocd(loaded: LoadedPolicies, options: ExportOptions) -> Exported:
    """Return a patch of an AppProject with the sync windows of a service or environment."""
    found = plan(loaded.engine, options, TARGET)
    lines = [f"# {one_line(line)}" for line in heading(found, loaded.revision, options, TARGET)]
    windows = [(each.rule, window) for each in found.policies for window in sync_windows(each)]
    lines += ["spec:", "  syncWindows:" if windows else "  syncWindows: []"]
    named = ""
    for rule, window in windows:
        if rule.id != named:
            named = rule.id
            lines.append(f"    # {rule.id}: {one_line(rule.title)}")
        lines += _entry(window, options)
    return Exported("".join(f"{line}\n" for line in lines), len(windows), found.remarks)


def sync_windows(planned: Planned) -> Iterator[SyncWindow]:
    """Yield the windows of a planned rule."""
    for span in planned.weekly:
        # Two days of each: at midnight itself, a window of one day is over and the next has not begun.
        length = 2 * DAY if span.is_endless else span.length
        yield SyncWindow(weekly_cron(span.weekdays, span.time), length, span.zone.name)
    for year in planned.yearly:
        schedule = yearly_cron(year.start.month, year.start.day, year.start.time or 0)
        yield SyncWindow(schedule, year.length, year.zone.name)
    for start, end in planned.once:
        yield SyncWindow(instant_cron(start), end - start, "UTC")


def _entry(window: SyncWindow, options: ExportOptions) -> Iterator[str]:
    applications = ", ".join(json.dumps(each) for each in options.applications)
    yield "    - kind: deny"
    yield f'      schedule: "{window.schedule}"'
    yield f"      duration: {window.duration}"
    yield f"      timeZone: {window.zone}"
    yield f"      applications: [{applications}]"
