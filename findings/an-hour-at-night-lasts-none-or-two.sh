#!/usr/bin/env bash
# A daily event from 02:30 to 03:30 is two hours long on one night of the year, and empty on another.
#
# recurring-ical-events moves start and end to the day as wall-clock times. When clocks are set back, 02:30 is
# read as its first pass and 03:30 lies after the second: two hours. When they are set forward, 02:30 does not
# exist and stands for the same instant as 03:30: an occurrence of no length.
# Source: recurring-ical-events 3.8.2 with icalendar 7.3.2 (PyPI), run here in November 2026; RFC 5545, 3.3.5.
# Why it matters to a freeze: a nightly batch window read from a calendar protects nothing in that night.
# freezegate gives the library wall-clock times without a zone, and finds the instants by its own rule.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check icalendar==7.3.2 recurring-ical-events==3.8.2 2>/dev/null
env/bin/python - <<'PYTHON'
import sys

import icalendar
import recurring_ical_events

calendar = icalendar.Calendar.from_ical(
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\nUID:batch\r\n"
    "DTSTAMP:20261001T000000Z\r\nDTSTART;TZID=Europe/Amsterdam:20261020T023000\r\n"
    "DTEND;TZID=Europe/Amsterdam:20261020T033000\r\nRRULE:FREQ=DAILY\r\nSUMMARY:Batch\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)
hours = {}
for day in ((2026, 10, 24), (2026, 10, 25), (2027, 3, 28)):
    [event] = recurring_ical_events.of(calendar).at(day)
    seconds = event["DTEND"].dt.timestamp() - event["DTSTART"].dt.timestamp()
    hours["%d-%02d-%02d" % day] = seconds / 3600
print("most expect: an hour each night")
print(f"seen:        {hours}")
sys.exit(list(hours.values()) != [1, 2, 0])
PYTHON
