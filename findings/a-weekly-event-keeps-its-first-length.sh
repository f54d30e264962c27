#!/usr/bin/env bash
# A weekly event to Monday 08:00 ends at 07:00 or 09:00 after a week-end on which the clocks change.
#
# node-ical gives each occurrence the elapsed length of the first one. From Friday 14:00 to Monday 08:00 is 66
# hours as a rule, 65 when clocks are set forward between and 67 when they are set back.
# Source: node-ical 0.26.0 (npm), run here in November 2026; RFC 5545 measures a DTEND on the wall clock (3.8.2.2).
# Why it matters to a freeze: a client that shows the gate's calendar feed would open an hour too soon after the
# last Sunday of October. The feed therefore hands out each freeze as instants in UTC, not as a weekly rule.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
npm install --silent --no-audit --no-fund --prefix "$folder" node-ical@0.26.0 >/dev/null 2>&1
cat > feed.ics <<'ICS'
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
BEGIN:VEVENT
UID:friday
DTSTAMP:20260901T000000Z
DTSTART;TZID=Europe/Amsterdam:20261002T140000
DTEND;TZID=Europe/Amsterdam:20261005T080000
RRULE:FREQ=WEEKLY;COUNT=5
SUMMARY:No deploys
END:VEVENT
END:VCALENDAR
ICS
cat > look.js <<'JS'
const ical = require("node-ical");
const event = Object.values(ical.sync.parseFile("feed.ics")).find((each) => each.type === "VEVENT");
const found = ical.expandRecurringEvent(event, { from: new Date("2026-10-20"), to: new Date("2026-10-29") });
const [friday] = found;
const end = new Date(friday.end).toISOString();
console.log("most expect: Monday 2026-10-26 08:00 in Amsterdam, which is 07:00Z");
console.log(`seen:        ${end}`);
process.exit(end === "2026-10-26T06:00:00.000Z" ? 0 : 1);
JS
TZ=UTC node look.js
