// Keeps the dashboard live. Every page is whole without it.
"use strict";

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("freezegate", { createHTML: (page) => page })
  : { createHTML: (page) => page };

const MOST_DECISIONS = 25;
const STALE_AFTER = 40_000; // milliseconds; the server sends a sign of life every 15 seconds

// --- times: how long it still takes, and what the viewer's own clock says -----------------------

function waiting(seconds) {
  const left = seconds >= 3600 ? Math.ceil(seconds / 60) * 60 : seconds;
  const parts = [
    [Math.floor(left / 86400), "d"],
    [Math.floor((left % 86400) / 3600), "h"],
    [Math.floor((left % 3600) / 60), "min"],
    [left % 60, "s"],
  ];
  return parts.filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`).join(" ") || "0 s";
}

function countDown() {
  let due = false;
  for (const each of document.querySelectorAll("[data-until]")) {
    const left = Math.round((Date.parse(each.dataset.until) - now()) / 1000);
    each.textContent = left > 0 ? `in ${waiting(left)}` : "now";
    due ||= left === 0;
  }
  if (due) refreshSoon();
  for (const each of document.querySelectorAll("[data-clock]")) each.textContent = clock(each.dataset.clock);
}

// What a clock on the wall of a zone shows; the server writes it in the same way.
function clock(timeZone) {
  const shown = new Intl.DateTimeFormat("en-US", {
    timeZone, weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  });
  const part = Object.fromEntries(shown.formatToParts(now()).map(({ type, value }) => [type, value]));
  return `${part.weekday} ${part.day} ${part.month} ${part.hour}:${part.minute}`;
}

// The server's clock, for the viewer's own may be wrong.
let ahead = 0;
function now() {
  return Date.now() + ahead;
}

function ownTimes(within) {
  for (const each of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(each.dateTime);
    const own = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    if (!each.textContent.includes(own) && !each.nextElementSibling?.classList.contains("zone")) {
      // The day only where it is another one: it stands there already.
      const named = (part) => moment.toLocaleDateString("en-US", { [part]: part === "day" ? "numeric" : "short" });
      const day = `${named("weekday")} ${named("day")} ${named("month")}`;
      const beside = text("span", "zone", ` (${each.textContent.startsWith(day) ? "" : `${day} `}${own} your time)`);
      each.after(beside);
    }
  }
}

// --- live: the server says what changed, and the parts of the page that show it are replaced ----

let refreshing;
let soon = false;
function refreshSoon() {
  if (soon) return;
  soon = true;
  clearTimeout(refreshing);
  // Not all at once: everybody who watches learns of a change in the same moment.
  refreshing = setTimeout(refresh, 50 + Math.random() * 400);
}

let failing = false;
async function refresh() {
  refreshing = undefined;
  soon = false;
  try {
    const reply = await fetch(location.pathname + location.search, {
      credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(10_000),
    });
    if (reply.redirected) location.reload(); // the session is over: the server says where to go
    if (!reply.ok || reply.redirected) throw new Error(reply.statusText);
    ahead = Date.parse(reply.headers.get("date")) - Date.now() || 0;
    const page = new DOMParser().parseFromString(policy.createHTML(await reply.text()), "text/html");
    document.title = page.title;
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (fresh && !isInUse(part)) replace(part, fresh);
    }
    countDown();
    failing = false;
    if (stream?.readyState === EventSource.OPEN) heard();
  } catch {
    failing = true;
    stale();
    refreshing ??= setTimeout(refresh, 5_000);
  }
}

// Nobody likes a form that is emptied while they write in it, or a text that folds up while they read.
function isInUse(part) {
  return part.contains(document.activeElement) && document.activeElement.matches("input, select");
}

function replace(part, fresh) {
  const name = (each, index) => each.dataset.id || String(index);
  const open = new Map([...part.querySelectorAll("details")].map((each, index) => [name(each, index), each.open]));
  part.replaceChildren(...[...fresh.childNodes].map((each) => document.adoptNode(each)));
  part.querySelectorAll("details").forEach((each, index) => { each.open = open.get(name(each, index)) ?? each.open; });
  ownTimes(part);
}

function showDecision(decision) {
  const list = document.querySelector("#live-decisions .decisions");
  const part = document.getElementById("live-decisions");
  if (!part || (part.dataset.ofService && part.dataset.ofService !== decision.service)
    || (part.dataset.ofEnvironment && part.dataset.ofEnvironment !== decision.environment)
    || (part.dataset.ofOutcome && part.dataset.ofOutcome !== decision.outcome)) return;
  if (!list) {
    refreshSoon();
    return;
  }
  if (list.querySelector(`[data-id="${CSS.escape(decision.decision_id)}"]`)) return;
  const item = document.createElement("li");
  const details = item.appendChild(document.createElement("details"));
  details.dataset.id = decision.decision_id;
  const summary = details.appendChild(document.createElement("summary"));
  const outcome = document.createElement("span");
  outcome.className = "outcome";
  outcome.append(text("span", `pill ${decision.outcome}`, decision.outcome));
  summary.append(outcome, " ",
    text("span", "what", `${decision.service} → ${decision.environment}`), " ",
    text("bdi", "by", decision.actor || decision.by || ""), " ");
  const time = text("time", "", new Date(decision.at).toLocaleString());
  time.dateTime = decision.at;
  summary.append(time);
  details.append(text("p", "", decision.message));
  for (const entry of [...decision.blocking, ...decision.warnings]) {
    details.append(text("p", "", `${entry.title}: ${entry.reason}${entry.contact ? ` Ask ${entry.contact}.` : ""}`));
  }
  if (decision.ref) details.append(text("p", "", decision.ref));
  details.append(text("code", "", decision.decision_id));
  list.prepend(item);
  while (list.children.length > MOST_DECISIONS) list.lastElementChild.remove();
  // The rest of its explanation comes with the page, a little later: there may be many of them.
  refreshing ??= setTimeout(refresh, 3_000 + Math.random() * 3_000);
}

function text(name, style, content) {
  const element = document.createElement(name);
  if (style) element.className = style;
  // Without the marks that would turn round the words of ours after it, as the server does.
  element.textContent = content.replace(/[\u202a-\u202e\u2066-\u2069]/g, "");
  return element;
}

// --- whether it is live at all -------------------------------------------------------------------

const live = document.getElementById("live");
let heardAt = Date.now();

function heard() {
  heardAt = Date.now();
  if (live && !failing) live.hidden = true;
}

function stale() {
  if (!live) return;
  live.textContent = `Not live: this is as of ${new Date(heardAt).toLocaleTimeString()}. Trying again …`;
  live.hidden = false;
}

let stream;
function listen() {
  stream = new EventSource("/events");
  // The first state, too: something may have changed since the page was written.
  for (const name of ["state", "freeze", "override", "policies", "missed"]) {
    stream.addEventListener(name, () => { heard(); refreshSoon(); });
  }
  stream.addEventListener("decision", (event) => { heard(); showDecision(JSON.parse(event.data)); });
  stream.addEventListener("alive", heard);
  stream.onerror = () => {
    stale();
    // Browsers come back by themselves, except after an answer that is no stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5_000);
  };
}

// --- small comforts --------------------------------------------------------------------------------

function offerCopies() {
  for (const block of document.querySelectorAll(".copyable")) {
    const button = text("button", "copy", "Copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      const content = block.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(content);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(block.querySelector("code"));
        button.textContent = "Selected: copy it with the keyboard";
      }
    });
    block.after(button);
  }
}

function tellStretches() {
  for (const type of ["focusin", "mouseover"]) {
    document.addEventListener(type, (event) => {
      const stretch = event.target.closest?.(".picture g.stretch");
      if (stretch) stretch.closest(".picture").querySelector(".detail").textContent = stretch.getAttribute("aria-label");
    });
  }
}

// A picture is one stop for the tab key; within it the arrow keys go from stretch to stretch.
function stepThroughPictures() {
  document.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const picture = event.target.closest?.(".picture .scroll");
    if (!step || !picture) return;
    const stretches = [...picture.querySelectorAll("g.stretch[tabindex]")];
    const next = stretches[stretches.indexOf(document.activeElement) + step];
    if (!next) return;
    next.focus();
    event.preventDefault();
  });
}

ownTimes(document);
offerCopies();
stepThroughPictures();
tellStretches();
if (live) {
  countDown();
  setInterval(countDown, 1000);
  setInterval(() => { if (Date.now() - heardAt > STALE_AFTER) stale(); }, 5_000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshSoon(); });
  listen();
}
