#!/usr/bin/env bash
# A part of a country can have fewer days off than the country alone.
#
# Asked for the United States, the package knows Friday 2027-12-24 as the observed Christmas Day. Asked for
# Massachusetts, it does not: the state is given its own rule for substitute days, and no warning comes.
# Source: holidays 0.109 (PyPI), run here in November 2026.
# Why it matters to a freeze: you narrow `country: US` to `subdivision: MA` to get more days, and a day on
# which the office is empty becomes a working day. `freezegate lint` names such days.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check holidays==0.109 2>/dev/null
env/bin/python - <<'PYTHON'
import datetime
import sys

import holidays

day = datetime.date(2027, 12, 24)
country = holidays.US(years=[2027]).get(day)
state = holidays.US(subdiv="MA", years=[2027]).get(day)
print(f"most expect: what is off in the whole country is off in Massachusetts: {country}")
print(f"seen:        US {country!r}, US-MA {state!r}")
sys.exit(not (country and state is None))
PYTHON
