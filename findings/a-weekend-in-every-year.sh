#!/usr/bin/env bash
# The weekend of a calendar's year is that of today, unless you ask for each day.
#
# Until 2021, the weekend of the Emirates was Friday and Saturday. A calendar loaded for 2015 has `weekend` Saturday and
# Sunday, while `is_weekend` of a day in it knows better. Algeria, Kuwait, Oman, Qatar, Saudi Arabia, Sudan, Taiwan and
# Yemen are alike; Saudi Arabia moved it in the middle of 2013.
# Source: holidays 0.109 (PyPI), run here in November 2026.
# Why it matters to a freeze: eves and "until the next working day" are counted by weekends. By the attribute, a freeze of
# 2015 ends on a Friday instead of the Sunday, so a replay or a backtest of old deploys is wrong without a word. In
# app/core/holiday_calendar.py, weekends are asked for day by day.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check holidays==0.109 2>/dev/null
env/bin/python - <<'PYTHON'
import calendar
import datetime
import sys

import holidays

emirates = holidays.AE(years=[2015])
week = [datetime.date(2015, 6, day) for day in range(1, 8)]
by_attribute = sorted(calendar.day_abbr[day] for day in emirates.weekend)
by_day = sorted(f"{day:%a}" for day in week if emirates.is_weekend(day))
print("most expect: the weekend of a calendar of 2015 is the same by both: Fri, Sat")
print(f"seen:        by attribute {by_attribute}, by day {by_day}")
sys.exit((by_attribute, by_day) != (["Sat", "Sun"], ["Fri", "Sat"]))
PYTHON
