// The editor of policies: checks while one types, and keeps unfinished text in this tab. The page works without it.
"use strict";

const trusted = window.trustedTypes
  ? window.trustedTypes.createPolicy("freezegate", { createHTML: (page) => page })
  : { createHTML: (page) => page };

const PAUSE = 500; // milliseconds without a key before a check
const LONGEST_PAUSE = 5_000; // for texts whose check takes seconds
const AGAIN = 5_000; // after a failure
const INDENT = "  ";

const form = document.getElementById("propose");
const address = form.getAttribute("action"); // `form.action` is a button of that name
const area = document.getElementById("text");
const gutter = document.getElementById("gutter");
const said = document.getElementById("said");
const busy = document.getElementById("busy");

// --- line numbers -----------------------------------------------------------------------------------

let marks = new Map(); // lines with findings: "✕" for errors, "!" for warnings
let drawn = "";
function drawGutter() {
  const count = area.value.split("\n").length;
  const numbers = Array.from({ length: count }, (_, index) => `${marks.get(index + 1) ?? " "} ${index + 1}`);
  const wanted = numbers.join("\n");
  if (wanted !== drawn) gutter.textContent = drawn = wanted;
  gutter.scrollTop = area.scrollTop;
}

function markLines() {
  marks = new Map();
  for (const link of document.querySelectorAll("#beside [data-line]")) {
    const isError = !link.closest(".warning");
    if (isError || !marks.has(Number(link.dataset.line))) marks.set(Number(link.dataset.line), isError ? "✕" : "!");
  }
  area.setAttribute("aria-invalid", [...marks.values()].includes("✕"));
  drawGutter();
}

// Put the cursor at a line and column, which count from 1; a column counts characters, not their halves.
function goTo(line, column = 1) {
  const lines = area.value.split("\n");
  const at = Math.min(line, lines.length) - 1;
  const before = lines.slice(0, at).reduce((sum, each) => sum + each.length + 1, 0);
  const place = before + [...lines[at]].slice(0, column - 1).join("").length;
  area.focus({ preventScroll: true });
  area.setSelectionRange(place, place);
  const height = parseFloat(getComputedStyle(area).lineHeight);
  area.scrollTop = Math.max(0, at * height - area.clientHeight / 3);
  area.scrollIntoView({ block: "nearest" });
}

// --- keys -------------------------------------------------------------------------------------------

let leaves = false; // after Escape, Tab leaves
function onKey(event) {
  if (event.key === "Escape") leaves = true;
  else if (event.key === "Tab" && !leaves && !event.ctrlKey && !event.altKey && !event.metaKey) {
    event.preventDefault();
    indent(event.shiftKey);
  } else if (event.key !== "Tab" && event.key !== "Shift") leaves = false;
}

function indent(isBack) {
  const { value, selectionStart: start, selectionEnd: end } = area;
  if (!isBack && start === end) {
    insert(INDENT, start, end);
    return;
  }
  const from = value.lastIndexOf("\n", start - 1) + 1;
  const until = end > start && value[end - 1] === "\n" ? end - 1 : end;
  const to = value.indexOf("\n", until) < 0 ? value.length : value.indexOf("\n", until);
  const lines = value.slice(from, to).split("\n");
  const moved = lines.map((each) => (isBack ? each.replace(/^ {1,2}|^\t/, "") : each && INDENT + each));
  insert(moved.join("\n"), from, to);
  if (start === end) area.setSelectionRange(...Array(2).fill(Math.max(from, start + moved[0].length - lines[0].length)));
  else area.setSelectionRange(from, from + moved.join("\n").length);
}

// Insert as typed text, so that it can be undone.
function insert(content, from, to) {
  area.setSelectionRange(from, to);
  const isDone = content ? document.execCommand("insertText", false, content) : document.execCommand("delete");
  if (isDone) return;
  area.setRangeText(content, from, to, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

// --- checks: one request at a time, and the newest text wins ------------------------------------------

let timer;
let running; // the AbortController of the request
let tookLast = 0;
function checkWithin(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(check, milliseconds);
}

async function check() {
  clearTimeout(timer);
  running?.abort(); // the gate stops then, too
  const own = running = new AbortController();
  const began = performance.now();
  busy.hidden = false; // not announced: it would interrupt at every pause
  try {
    const fields = new URLSearchParams(new FormData(form));
    fields.set("action", "check");
    fields.set("part", "check");
    const reply = await fetch(address, {
      method: "POST", body: fields, credentials: "same-origin", cache: "no-store", signal: own.signal,
    });
    if (reply.ok) {
      const page = new DOMParser().parseFromString(trusted.createHTML(await reply.text()), "text/html");
      if (own !== running) return;
      tookLast = performance.now() - began;
      replace(page);
    } else refused(reply);
  } catch (error) {
    if (error.name === "AbortError") return;
    show("The gate can’t be reached. Your text is kept; the next check is in 5 seconds.");
    checkWithin(AGAIN);
  } finally {
    if (own === running) {
      running = undefined;
      busy.hidden = true;
    }
  }
}

function refused(reply) {
  const isBusy = reply.status === 503 || reply.status === 429;
  const wait = Math.max(2, Number(reply.headers.get("retry-after")) || 0);
  const why = {
    401: "Your session has ended. Sign in in another tab, and check again; your text is kept.",
    403: "This page is from another session. Your text is kept: reload the page.",
    413: "This text is too large to be checked here.",
  }[reply.status] ?? "The gate refuses this text; press Check to see why.";
  show(isBusy ? `The gate is busy. The next check is in ${wait} seconds.` : why);
  if (isBusy) checkWithin(wait * 1_000);
}

function replace(page) {
  for (const id of ["notes", "beside", "below"]) {
    const old = document.getElementById(id);
    const fresh = document.adoptNode(page.getElementById(id));
    for (const each of old.querySelectorAll("details[open][data-id]")) {
      const same = fresh.querySelector(`details[data-id="${each.dataset.id}"]`);
      if (same) same.open = true;
    }
    const focused = old.contains(document.activeElement);
    enhance(fresh);
    old.replaceWith(fresh);
    if (focused) said.focus();
  }
  show(document.getElementById("beside").dataset.summary);
  markLines();
}

// The line of state, announced politely; the same sentence is not repeated.
function show(sentence) {
  if (said.textContent !== sentence) said.textContent = sentence;
}

// --- text kept in this tab -----------------------------------------------------------------------------

const KEPT = `freezegate ${address}`;
function texts() {
  return [...form.querySelectorAll('textarea[name^="text:"]')];
}

function keep() {
  const edits = Object.fromEntries(texts().filter((each) => each.value !== inForce(each)).map((each) => [each.name, each.value]));
  try {
    if (Object.keys(edits).length) sessionStorage.setItem(KEPT, JSON.stringify({ began: form.elements.began.value, edits }));
    else sessionStorage.removeItem(KEPT);
  } catch {
    // Storage is off, or full: then the text is in the page alone.
  }
}

// The text in force, if the field came with it.
let came;
function inForce(field) {
  return field === area ? came : undefined;
}

function restore() {
  let kept;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return;
  }
  if (!kept) return;
  for (const [name, content] of Object.entries(kept.edits)) {
    if (name === area.name) area.value = content;
    else {
      const field = document.createElement("textarea");
      Object.assign(field, { name, hidden: true, value: content });
      form.append(field);
    }
  }
  form.elements.began.value = kept.began;
  document.getElementById("restored").hidden = false;
}

function forget() {
  sessionStorage.removeItem(KEPT);
}

// --- start ----------------------------------------------------------------------------------------------

function start() {
  if ("unchanged" in area.dataset) came = area.value;
  if ("fresh" in form.dataset) restore();
  else keep();
  gutter.hidden = false;
  document.getElementById("keys").hidden = false;
  area.addEventListener("input", () => {
    drawGutter();
    keep();
    checkWithin(Math.min(LONGEST_PAUSE, Math.max(PAUSE, tookLast)));
  });
  area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
  area.addEventListener("keydown", onKey);
  area.addEventListener("blur", () => { leaves = false; });
  const button = document.getElementById("copy-text");
  if (button && navigator.clipboard) offerCopy(button);
  drawGutter();
  if (form.dataset.line) goTo(Number(form.dataset.line));
  markLines();
  if (!document.getElementById("beside").dataset.summary) check();
  // What is in force may have changed meanwhile.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) checkWithin(PAUSE); });
}

function offerCopy(button) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(area.value);
      button.textContent = "Copied";
    } catch {
      area.select();
      button.textContent = "Selected. Press Ctrl+C or ⌘C";
    }
  });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-line]");
  if (link && area) {
    event.preventDefault();
    goTo(Number(link.dataset.line), Number(link.dataset.column));
  }
  if (event.target.closest?.("[data-over]")) forget();
});
document.getElementById("discard").addEventListener("click", () => {
  forget();
  location.assign(document.querySelector("[data-over]").href);
});
form.addEventListener("submit", (event) => {
  if (!area || event.submitter?.value !== "check") return;
  event.preventDefault();
  check();
});
if (area) start();
