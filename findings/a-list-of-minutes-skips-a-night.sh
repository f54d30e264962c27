#!/usr/bin/env bash
# A cron job at 02:15 runs on the night that skips that hour. A job at 02:15 and 02:45 doesn't.
#
# When clocks are set forward at 02:00, croner moves a single time in the missing hour to 03:00. Two minutes in a list
# are dropped for that night, without a warning.
# Source: croner 11.0.1 (npm), run here in November 2026. cronsim 2.8 (PyPI) runs both at 03:00.
# Why it matters to a freeze: a freeze that opens by such an expression doesn't open in one night of the year, and adding
# a second minute changes what the first one does. In app/core/windows/cron.py, a start in a skipped hour moves to the
# first instant after the gap, however many there are; only a wildcard minute or hour has none to make up for.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
npm install --silent --no-audit --no-fund --prefix "$folder" croner@11.0.1 >/dev/null 2>&1
cat > look.mjs <<'JS'
import { Cron } from "croner";
const evening = new Date("2027-03-27T20:00:00Z"); // in Amsterdam, clocks are set forward at 2027-03-28T01:00Z
const next = (line) => new Cron(line, { timezone: "Europe/Amsterdam" }).nextRun(evening).toISOString();
const seen = { "15 2 * * *": next("15 2 * * *"), "15,45 2 * * *": next("15,45 2 * * *") };
console.log("most expect: both run next on the same night");
console.log("seen:       ", seen);
const as_described =
  seen["15 2 * * *"] === "2027-03-28T01:00:00.000Z" && seen["15,45 2 * * *"] === "2027-03-29T00:15:00.000Z";
process.exit(as_described ? 0 : 1);
JS
node look.mjs
