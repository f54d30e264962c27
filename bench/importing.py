"""Importing 1,000 windows with the command line, start-up of Python included.

``python -m bench.importing``: wall time and CPU time of `freezegate import` for each format.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

WINDOWS = 1_000
ROUNDS = 3
ZONES = ["UTC", "Europe/Amsterdam", "America/New_York", "Asia/Tokyo", "Australia/Sydney"]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, make in FORMATS.items():
            source = Path(folder) / name
            source.write_text(make())
            runs = sorted(_run(name, source, Path(folder) / "policies.yaml") for _ in range(ROUNDS))
            print(f"{name}: {runs[ROUNDS // 2][0]:.2f} s wall, {runs[ROUNDS // 2][1]:.2f} s CPU")


def _run(name: str, source: Path, target: Path) -> tuple[float, float]:
    target.unlink(missing_ok=True)
    before, started = _cpu(), time.perf_counter()
    command = [sys.executable, "-m", "app.cli", "import", name, str(source), "--output", str(target)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _numbered() -> Iterator[tuple[int, int, str]]:
    """Yield a number, an hour and a zone for each window."""
    return ((number, 8 + number % 12, ZONES[number % len(ZONES)]) for number in range(WINDOWS))


def argocd() -> str:
    windows = [
        {
            "kind": "deny",
            "schedule": [f"{number % 60} {hour} * * 5", f"0 {hour} {number % 28 + 1} * *"][number % 2],
            "duration": f"{number % 50 + 1}h",
            "applications": [f"service-{number}"],
            "timeZone": zone,
        }
        for number, hour, zone in _numbered()
    ]
    return yaml.safe_dump({"kind": "AppProject", "spec": {"syncWindows": windows}})


def gitlab() -> str:
    periods = [
        {
            "id": number,
            "freeze_start": [f"{number % 60} {hour} * * 5", f"0 {hour} {number % 28 + 1} * *"][number % 2],
            "freeze_end": "0 7 * * 1-5",
            "cron_timezone": zone,
        }
        for number, hour, zone in _numbered()
    ]
    return json.dumps(periods)


def kargo() -> str:
    windows: list[dict[str, Any]] = [
        {
            "name": f"window-{number}",
            "kind": "Deny",
            "rrule": ["FREQ=WEEKLY", "FREQ=MONTHLY"][number % 2],
            "dtstart": f"TZID={zone}:202601{number % 28 + 1:02}T{hour:02}0000",
            "dtend": f"TZID={zone}:202601{number % 28 + 1:02}T{hour + 3:02}0000",
        }
        for number, hour, zone in _numbered()
    ]
    spec = {"promotionWindows": windows}
    return yaml.safe_dump({"kind": "ProjectConfig", "metadata": {"name": "shop"}, "spec": spec})


def prometheus() -> str:
    intervals = [
        {
            "name": f"interval-{number}",
            "time_intervals": [
                {
                    "times": [{"start_time": f"{hour:02}:00", "end_time": f"{hour + 4:02}:00"}],
                    "weekdays": [WEEKDAYS[number % 7]],
                    "location": zone,
                    **({"days_of_month": ["1:7", "-7:-1"]} if number % 2 else {}),
                }
            ],
        }
        for number, hour, zone in _numbered()
    ]
    return yaml.safe_dump({"time_intervals": intervals})


def aws() -> str:
    return ics().replace("BEGIN:VEVENT", "X-CALENDAR-TYPE:DEFAULT_OPEN\r\nBEGIN:VEVENT", 1)


def ics() -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//bench//EN"]
    for number, hour, zone in _numbered():
        date = f"2027{number % 12 + 1:02}{number % 28 + 1:02}T"
        lines += [
            *("BEGIN:VEVENT", f"UID:{number}", "DTSTAMP:20261101T000000Z", f"SUMMARY:Freeze {number}"),
            *(f"DTSTART;TZID={zone}:{date}{hour:02}0000", f"DTEND;TZID={zone}:{date}{hour + 3:02}0000"),
            *(["RRULE:FREQ=WEEKLY"] if number % 2 else []),
            "END:VEVENT",
        ]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def octopus() -> str:
    freezes = [
        {
            "Id": f"DeploymentFreezes-{number}",
            "Name": f"Freeze {number}",
            "Start": f"2027-{number % 12 + 1:02}-{number % 28 + 1:02}T{hour:02}:00:00.000+00:00",
            "End": f"2027-{number % 12 + 1:02}-{number % 28 + 1:02}T{hour + 3:02}:00:00.000+00:00",
            "ProjectEnvironmentScope": {f"Projects-{number}": ["Environments-1"]},
            "RecurringSchedule": None,
        }
        for number, hour, _ in _numbered()
    ]
    names = [{"Id": f"Projects-{number}", "Name": f"service-{number}"} for number in range(WINDOWS)]
    places = [{"Id": "Environments-1", "Name": "production"}]
    return json.dumps([*freezes, *names, *places])


def google() -> str:
    rules = [
        {
            "rolloutRestriction": {
                "id": f"rule-{number}",
                "timeWindows": {
                    "timeZone": zone,
                    "weeklyWindows": [
                        {
                            "daysOfWeek": [WEEKDAYS[number % 7].upper()],
                            "startTime": {"hours": hour},
                            "endTime": {"hours": hour + 3},
                        }
                    ],
                },
            }
        }
        for number, hour, zone in _numbered()
    ]
    return json.dumps({"name": "bench", "selectors": [{"target": {"id": "*"}}], "rules": rules})


FORMATS: dict[str, Callable[[], str]] = {
    "argocd": argocd,
    "aws": aws,
    "gitlab": gitlab,
    "google": google,
    "ics": ics,
    "kargo": kargo,
    "octopus": octopus,
    "prometheus": prometheus,
}


if __name__ == "__main__":
    main()
