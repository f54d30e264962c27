#!/usr/bin/env bash
# The same holiday calendar has other names on another machine.
#
# Without a `language`, the package takes the process's LANG. German holidays are in German on a desktop set to German or
# without LANG, in English in a container with LANG=C.UTF-8, and in Thai under th_TH.
# Source: holidays 0.109 (PyPI), run here in November 2026. The official Python images set LANG=C.UTF-8.
# Why it matters to a freeze: a rule for `*Weihnachtstag*` works in a test at the desk and freezes nothing in the
# container. app/core/holiday_calendar.py asks for the calendar's own language by name, and matches English names too.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check holidays==0.109 2>/dev/null
cat > look.py <<'PYTHON'
from holidays import country_holidays

print(country_holidays("DE", years=2026).get("2026-12-25"))
PYTHON
name() { env -u LANGUAGE -u LC_ALL LANG="$1" PYTHONUTF8=1 env/bin/python look.py; }
desk=$(name de_DE.UTF-8) container=$(name C.UTF-8) elsewhere=$(name th_TH.UTF-8)
echo "most expect: one name for 25 December in the calendar of Germany"
echo "seen:        $desk (de_DE), $container (C.UTF-8), $elsewhere (th_TH)"
[ "$desk" = "Erster Weihnachtstag" ] && [ "$container" = "Christmas Day" ] && [ "$elsewhere" != "$container" ]
