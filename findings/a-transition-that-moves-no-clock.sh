#!/usr/bin/env bash
# On 2026-11-01, Vancouver leaves daylight saving time, and no clock moves.
#
# British Columbia, Alberta and Manitoba stay on the offsets of their last summer. The database records that as a
# standard time under a new name: the name changes and dst() goes from one hour to zero, while the offset from UTC is
# what it was. Winnipeg's time is called EST from then on.
# Source: tzdata 2026.6 (PyPI; IANA 2026f), run here in November 2026.
# Why it matters to a freeze: code that finds clock changes by dst() or by the zone's name sees one where no hour is
# skipped or repeated, and code that adds dst() to a standard offset is an hour off. app/core/wallclock.py goes by the
# offset alone: stretches in which it is constant are one regime.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check tzdata==2026.6 2>/dev/null
PYTHONTZPATH="" env/bin/python - <<'PYTHON'
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo


def seen(zone: str, day: datetime) -> tuple[str, int, int]:
    local = day.astimezone(ZoneInfo(zone))
    return local.tzname(), local.dst().seconds // 3600, local.utcoffset() // timedelta(hours=1)


before, after = (datetime(2026, *day, 12, tzinfo=timezone.utc) for day in ((10, 31), (11, 2)))
found = {zone: (seen(zone, before), seen(zone, after)) for zone in ("America/Vancouver", "America/Winnipeg")}
print("most expect: when dst() goes from 1 to 0 hours, the offset from UTC changes by as much")
print("seen, as name, dst(), offset, before and after 2026-11-01:")
for zone, (one, other) in found.items():
    print(f"  {zone}: {one} {other}")
sys.exit(
    found
    != {
        "America/Vancouver": (("PDT", 1, -7), ("MST", 0, -7)),
        "America/Winnipeg": (("CDT", 1, -5), ("EST", 0, -5)),
    }
)
PYTHON
