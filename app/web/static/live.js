// Keeps the dashboard live: on an event from the server it fetches the page and updates the parts that differ.
"use strict";

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("freezegate", { createHTML: (page) => page })
  : { createHTML: (page) => page };

const MOST_DECISIONS = 25;
const STALE_AFTER = 40_000; // milliseconds; the server sends a heartbeat every 15 seconds

const live = document.getElementById("live");

// --- fetching the page ----------------------------------------------------------------------------

const SOON = [50, 450]; // milliseconds; a range, because every open dashboard gets the event at the same moment
const LATER = [3_000, 6_000]; // for events that can come many times a second
const AGAIN = [4_000, 6_000]; // after a failure
const AGAIN_SOON = [500, 1_000]; // a replica is at most half a second behind
const AT_LAST = [240_000, 300_000]; // without events: for the line of now, and the title of a background tab

let timer;
let due = Infinity;
function refreshWithin([least, most]) {
  const at = performance.now() + least + Math.random() * (most - least);
  if (at >= due) return;
  clearTimeout(timer);
  due = at;
  timer = setTimeout(refresh, at - performance.now());
}

let asking = false;
let failing = false;
let behind = false;
let wanted = 0; // the place in the record that the page must have reached
let meanwhile = []; // decisions received while the page was loading, which may lack them
async function refresh() {
  due = Infinity;
  if (asking) {
    refreshWithin(SOON);
    return;
  }
  asking = true;
  meanwhile = [];
  const atLeast = wanted;
  let pace = AT_LAST;
  try {
    show(await ask().finally(() => { asking = false; }));
    meanwhile.forEach(showDecision);
    failing = false;
    // Another replica may have rendered the page before it saw the event that this one sent.
    const wasBehind = behind;
    behind = Number(live.dataset.seq) < atLeast;
    if (behind) pace = wasBehind ? LATER : AGAIN_SOON;
    if (document.hidden || stream?.readyState === EventSource.OPEN) heard();
  } catch {
    failing = true;
    pace = AGAIN;
    stale();
  }
  refreshWithin(pace);
}

async function ask() {
  const reply = await fetch(location.pathname + location.search, {
    credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(10_000),
  });
  if (reply.redirected) location.reload(); // the session has ended: follow the server's redirect
  // A page with an invalid query is complete, and shows the errors.
  if (reply.redirected || !(reply.ok || reply.status === 422)) throw new Error(reply.statusText);
  ahead = Date.parse(reply.headers.get("date")) - Date.now() || 0;
  return new DOMParser().parseFromString(policy.createHTML(await reply.text()), "text/html");
}

function show(page) {
  const before = states();
  const focused = document.activeElement;
  document.title = page.title;
  const [icon, freshIcon] = [document, page].map((each) => each.querySelector("link[rel=icon]"));
  if (icon.getAttribute("href") !== freshIcon.getAttribute("href")) icon.replaceWith(document.adoptNode(freshIcon));
  Object.assign(live.dataset, page.getElementById("live").dataset);
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh) continue;
    enhance(fresh);
    change(part, fresh);
  }
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  announce(before, states());
  document.dispatchEvent(new Event("shown"));
}

// Change only the nodes that differ, so that focus, scroll positions, open details, selections and half-written
// input stay as they are.
function change(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.classList.contains("detail") || old.isEqualNode(fresh)) return; // the script fills .detail itself
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !isOfViewer(old, name)) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !isOfViewer(old, name)) old.removeAttribute(name);
  }
  changeChildren(old, fresh);
}

function isOfViewer(element, attribute) {
  return attribute === "open" && element.localName === "details";
}

function changeChildren(old, fresh) {
  const names = new Set([...fresh.children].map(key));
  // In the order of the page, because one stretch of a calendar may be drawn in several rows.
  const known = new Map();
  for (const each of old.children) {
    const name = key(each);
    if (!known.has(name)) known.set(name, []);
    known.get(name).push(each);
  }
  let place = old.firstChild;
  for (const each of [...fresh.childNodes]) {
    while (place && key(place) && !names.has(key(place))) place = removed(place);
    const name = key(each);
    const found = name ? known.get(name)?.shift() : isAlike(place, each) ? place : undefined;
    if (!found || found.nodeName !== each.nodeName) {
      old.insertBefore(document.adoptNode(each), place);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else old.insertBefore(found, place);
    change(found, each);
  }
  while (place) place = removed(place);
}

// Return the identity of an element among its siblings, so that a button never becomes that of another entry.
function key(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  return node.getAttribute("id") || node.dataset.id || node.getAttribute("action")
    || (node.matches(".stretch") && node.getAttribute("aria-label")) || "";
}

function isAlike(place, each) {
  return place?.nodeName === each.nodeName && !key(place);
}

function removed(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

// Announce changed states to screen readers, once and politely.
function announce(before, after) {
  const said = [];
  for (const [name, { state, why }] of after) {
    if (before.has(name) && before.get(name).state !== state) said.push(`${name} is ${state} now${why}.`);
  }
  if (said.length) document.getElementById("announced").textContent = said.join(" ");
}

function states() {
  const found = new Map();
  for (const each of document.querySelectorAll("[data-state][data-names]")) {
    found.set(each.dataset.names, { state: each.dataset.state, why: "" });
  }
  for (const each of document.querySelectorAll("[data-environment]")) {
    const { environment, state, why } = each.dataset;
    found.set(environment, { state, why: state === "frozen" && why ? `: ${why}` : "" });
  }
  const verdict = document.querySelector("#live-answer .verdict");
  if (verdict) found.set("The answer to your question", { state: `“${verdict.textContent}”`, why: "" });
  return found;
}

// --- decisions: shown from their events, because there may be too many to fetch the page for each ----

function showDecision(decision) {
  const part = document.getElementById("live-decisions");
  const services = decision.services || [decision.service];
  if (!part || (part.dataset.ofService && !services.includes(part.dataset.ofService))
    || (part.dataset.ofEnvironment && part.dataset.ofEnvironment !== decision.environment)
    || (part.dataset.ofOutcome && part.dataset.ofOutcome !== decision.outcome)) return;
  const list = part.querySelector(".decisions");
  if (!list) {
    refreshWithin(SOON);
    return;
  }
  refreshWithin(LATER); // the page has the rest of its explanation
  if (asking) meanwhile.push(decision);
  if (list.querySelector(`[data-id="${CSS.escape(decision.decision_id)}"]`)) return;
  const item = document.createElement("li");
  item.dataset.id = decision.decision_id;
  const details = item.appendChild(document.createElement("details"));
  details.dataset.id = decision.decision_id;
  details.append(summary(decision), "\n", text("p", "", decision.message), "\n", explanation(decision));
  ownTimes(item);
  list.prepend("\n", item);
  const most = Number(part.dataset.most) || MOST_DECISIONS;
  while (list.children.length > most) list.lastElementChild.remove();
}

function summary(decision) {
  const line = document.createElement("summary");
  const outcome = document.createElement("span");
  outcome.className = "outcome";
  outcome.append(text("span", `pill ${decision.outcome}`, decision.outcome));
  const time = text("time", "", localTime(Date.parse(decision.at)));
  time.dateTime = decision.at;
  line.append(outcome, " ", text("span", "what", `${decision.service} → ${decision.environment}`), " ",
    text("bdi", "by", decision.actor || decision.by || ""), " ", time);
  return line;
}

function explanation(decision) {
  const list = document.createElement("dl");
  const row = (name, ...content) => {
    const value = document.createElement("dd");
    value.append(...content);
    list.append("\n", text("dt", "", name), value);
  };
  const same = (entry) => [entry.reason, entry.title].map((said) => said.trim().replace(/\.+$/, "").toLowerCase());
  const own = (entry) => (new Set(same(entry)).size > 1 ? entry.reason : "");
  const why = (entry) => `${own(entry)}${entry.contact ? ` Ask ${entry.contact}.` : ""}`.trim();
  for (const entry of decision.blocking) row(entry.title, why(entry));
  for (const entry of decision.warnings) row(`Warning: ${entry.title}`, why(entry));
  if (decision.services) row("Services", decision.services.join(", "));
  row("Asked by", decision.by || "anonymous");
  row("Kind of change", decision.change);
  if (decision.ref) row("Ref", decision.ref);
  if (decision.run_url) row("Run", linked(decision.run_url));
  row("Decision", text("code", "", decision.decision_id));
  return list;
}

function linked(content) {
  if (!/^https?:\/\//.test(content)) return content;
  const link = text("a", "", content);
  link.href = content;
  link.rel = "noreferrer";
  return link;
}

// --- connection state ----------------------------------------------------------------------------

let heardAt = Date.now();

function heard() {
  heardAt = Date.now();
  if (!failing) live.hidden = true;
}

function stale() {
  const said = `Not live: last updated ${localTime(heardAt + ahead)}. Reconnecting …`;
  if (live.textContent !== said) live.textContent = said;
  live.hidden = false;
}

let stream;
let listeningSince;
function listen() {
  stream?.close();
  // A browser allows six connections per host over all of its tabs, so background tabs close theirs.
  if (document.hidden) return;
  listeningSince = Date.now();
  stream = new EventSource(`${live.dataset.root}/events`);
  let isFirst = true;
  const on = (name, react) => stream.addEventListener(name, (event) => {
    react(JSON.parse(event.data), Number(event.lastEventId) || 0);
    heard();
  });
  const changed = (_, place) => {
    wanted = Math.max(wanted, place);
    refreshWithin(SOON);
  };
  on("state", (_, place) => {
    // The first event is the current state, which has hardly ever changed since the page was rendered.
    const isKnown = isFirst && live.hidden && Number(live.dataset.seq) >= place;
    isFirst = false;
    if (isKnown) refreshWithin(LATER);
    else changed(_, place);
  });
  on("freeze", changed);
  on("policies", changed);
  on("override", (what, place) => (what.kind === "override-spent" ? refreshWithin(LATER) : changed(what, place)));
  on("decision", showDecision);
  for (const name of ["hold", "outcome", "missed"]) on(name, () => refreshWithin(LATER));
  on("alive", () => {});
  stream.onerror = () => {
    stale();
    // Browsers reconnect by themselves, except after a response that is not a stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5_000);
  };
}

// Reconnect if a connection is silently dead, such as after a laptop slept or behind a proxy.
function checkHeartbeat() {
  if (document.hidden || Date.now() - Math.max(heardAt, listeningSince) <= STALE_AFTER) return;
  stale();
  listen();
}

// --- start ----------------------------------------------------------------------------------------

setInterval(() => { if (countDown(document)) refreshWithin(SOON); }, 1000);
setInterval(checkHeartbeat, 5_000);
document.addEventListener("visibilitychange", () => {
  listen();
  if (!document.hidden) refreshWithin(SOON);
});
refreshWithin(AT_LAST);
listen();
