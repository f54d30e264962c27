#!/usr/bin/env bash
# A client that is asked to come back in a month comes back at once.
#
# got waits for Retry-After with a timer, and a timer of Node holds 2^31-1 milliseconds, 24.8 days: asked to wait
# longer, it fires in the next millisecond. The limit of tries is used up in a moment.
# Source: got 14.6.6 (npm) on Node 20, run here in November 2026; RFC 9110, 10.2.3.
# Why it matters to a freeze: a year-end freeze can be a month away from its end. A client that retries a 423 by
# its own settings would hammer the gate. freezegate's pages say which clients to tell not to.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cd "$folder"
npm install --silent --no-audit --no-fund --prefix "$folder" got@14.6.6 >/dev/null 2>&1
cat > look.mjs <<'JS'
import http from "node:http";
import got from "got";

const asked = [];
const gate = http.createServer((_, reply) => {
  asked.push(Date.now());
  reply.writeHead(423, { "Retry-After": String(30 * 86400) }).end();
});
await new Promise((ready) => gate.listen(0, "127.0.0.1", ready));
const retry = { limit: 2, statusCodes: [423], maxRetryAfter: Infinity };
const tries = got(`http://127.0.0.1:${gate.address().port}`, { retry }).catch(() => "gave up");
await Promise.race([tries, new Promise((late) => setTimeout(late, 20_000))]);
gate.closeAllConnections();
gate.close();
console.log("most expect: one request now, the next one in 30 days");
console.log(`seen:        ${asked.length} requests within ${asked.at(-1) - asked[0]} ms`);
process.exit(asked.length === 3 ? 0 : 1);
JS
node --no-warnings look.mjs
