#!/usr/bin/env bash
# A country's calendar can end next year, and the years after it look like years without holidays.
#
# Sri Lanka has 25 public holidays in 2026 and none in 2027: its dates follow the moon and are listed year by
# year. Asking for 2027 gives an empty calendar, without an exception or a warning at the default settings.
# Source: holidays 0.109 (PyPI), run here in November 2026.
# Why it matters to a freeze: from 1 January every holiday freeze of that country is gone. freezegate warns
# when the data end within a year, and shows the package's version beside each decision.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check holidays==0.109 2>/dev/null
env/bin/python -W error - <<'PYTHON'
import sys

import holidays

days = {year: len(holidays.LK(years=[year])) for year in (2026, 2027)}
print("most expect: an error, a warning, or at least the days that never move")
print(f"seen:        {days[2026]} holidays in 2026, {days[2027]} in 2027, and no warning")
sys.exit(days != {2026: 25, 2027: 0})
PYTHON
