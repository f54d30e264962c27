#!/usr/bin/env bash
# `*/1` and `*` are the same days, and yet not the same cron expression.
#
# Where day of month and day of week are both restricted, cron fires on either. Whether `*/1` counts as a
# restriction differs: croniter takes `0 0 */1 * 1` for every day, cronsim (Debian's rule: a field that begins
# with a star) for Mondays. With `*` in its place both say Mondays.
# Source: croniter 7.0.0 and cronsim 2.8 (PyPI), run here in November 2026.
# Why it matters to a freeze: an expression that is copied from one tool to another freezes seven days instead
# of one, or one instead of seven. freezegate reads it as Debian does, and lint says how it reads such a line.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check croniter==7.0.0 cronsim==2.8 2>/dev/null
env/bin/python - <<'PYTHON'
import sys
from datetime import datetime

from croniter import croniter
from cronsim import CronSim

start, step = datetime(2027, 1, 1), "0 0 */1 * 1"
one, other = croniter(step, start), CronSim(step, start)
named = {
    "croniter": [one.get_next(datetime).strftime("%a") for _ in range(4)],
    "cronsim": [next(other).strftime("%a") for _ in range(4)],
}
print(f"most expect: `{step}` is `0 0 * * 1`, Mondays, in every library")
print(f"seen:        {named}")
sys.exit(named != {"croniter": ["Sat", "Sun", "Mon", "Tue"], "cronsim": ["Mon"] * 4})
PYTHON
