// Enhancements of the server's pages, each of which is complete without them.
"use strict";

function text(name, style, content) {
  const element = document.createElement(name);
  if (style) element.className = style;
  // Strip the characters that would reverse the text after it, as the server does.
  element.textContent = content.replace(/[\u202a-\u202e\u2066-\u2069]/g, "");
  return element;
}

// --- times: countdowns, and the viewer's own local time -----------------------------------------

function waiting(seconds, roughly = false) {
  const unit = roughly && seconds >= 86400 ? 3600 : seconds >= 3600 ? 60 : 1;
  const left = Math.ceil(seconds / unit) * unit;
  const parts = [
    [Math.floor(left / 86400), "d"],
    [Math.floor((left % 86400) / 3600), "h"],
    [Math.floor((left % 3600) / 60), "min"],
    [left % 60, "s"],
  ];
  return parts.filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`).join(" ") || "0 s";
}

// Update the countdowns; return whether one has just reached zero.
function countDown(within) {
  let due = false;
  for (const each of within.querySelectorAll("[data-until]")) {
    const left = Math.round((Date.parse(each.dataset.until) - now()) / 1000);
    const said = left > 0 ? `in ${waiting(left, "roughly" in each.dataset)}` : "now";
    due ||= left <= 0 && each.textContent !== said;
    if (each.textContent !== said) each.textContent = said;
  }
  for (const each of within.querySelectorAll("[data-clock]")) each.textContent = clock();
  return due;
}

// Local time in the gate's zone, from the offsets that the server sends: a browser's zone data may be old and
// contradict the times beside it.
function localParts(at) {
  const offsets = JSON.parse(document.getElementById("live").dataset.offsets);
  const [, seconds, label] = offsets.findLast(([from]) => from * 1000 <= at) ?? offsets[0];
  const shown = new Date(at + seconds * 1000);
  const name = (part) => shown.toLocaleDateString("en-US", { timeZone: "UTC", [part]: "short" });
  const two = (number) => String(number).padStart(2, "0");
  return {
    minute: `${name("weekday")} ${shown.getUTCDate()} ${name("month")} ${two(shown.getUTCHours())}:${two(shown.getUTCMinutes())}`,
    seconds: shown.getUTCSeconds() ? `:${two(shown.getUTCSeconds())}` : "",
    label,
  };
}

// The time on the wall display, in the server's format.
function clock() {
  return localParts(now()).minute;
}

// An instant in the server's format.
function localTime(at) {
  const { minute, seconds, label } = localParts(at);
  return `${minute}${seconds} ${label}`;
}

// The server's clock, because the viewer's may be wrong.
let ahead = 0;
function now() {
  return Date.now() + ahead;
}

function ownTimes(within) {
  // In the gate's own zone there is nothing to add, and the browser's zone data may be old.
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (own === document.getElementById("live")?.dataset.zone) return;
  for (const each of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(each.dateTime);
    const own = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    if (!each.textContent.includes(own) && !each.nextElementSibling?.classList.contains("zone")) {
      // The day only if it differs from the one shown.
      const named = (part) => moment.toLocaleDateString("en-US", { [part]: part === "day" ? "numeric" : "short" });
      const day = `${named("weekday")} ${named("day")} ${named("month")}`;
      const beside = text("span", "zone", ` (${each.textContent.startsWith(day) ? "" : `${day} `}${own} your time)`);
      each.after(beside);
    }
  }
}

// --- on the whole page ----------------------------------------------------------------------------

function enhance(within) {
  ownTimes(within);
  countDown(within);
  for (const block of within.querySelectorAll(".copyable")) {
    if (block.nextElementSibling?.classList.contains("copy")) continue;
    const button = text("button", "copy", block.dataset.copy ?? "Copy");
    button.type = "button";
    block.after(button);
  }
}

async function copy(button) {
  const code = button.previousElementSibling.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected. Press Ctrl+C or ⌘C";
  }
}

for (const type of ["focusin", "mouseover"]) {
  document.addEventListener(type, (event) => {
    const stretch = event.target.closest?.(".picture .stretch, .year a.stretch");
    if (stretch) stretch.closest("figure").querySelector(".detail").textContent = stretch.getAttribute("aria-label");
  });
}
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button.copy");
  if (button) copy(button);
});

// A picture is one tab stop; within it the arrow keys move from stretch to stretch, or from day to day.
document.addEventListener("keydown", (event) => {
  const picture = event.target.closest?.(".picture .scroll, .year .scroll");
  const down = picture?.closest(".year") ? { ArrowDown: 1, ArrowUp: -1 } : {};
  const step = { ArrowRight: 1, ArrowLeft: -1, ...down }[event.key];
  if (!step || !picture) return;
  const stretches = [...picture.querySelectorAll(".stretch[tabindex]")];
  const next = stretches[stretches.indexOf(document.activeElement) + step];
  if (!next) return;
  next.focus();
  event.preventDefault();
});

// Ticking all of a group unticks the others, and the reverse.
document.addEventListener("change", (event) => {
  const box = event.target;
  const all = box.checked && box.closest?.(".boxes")?.querySelector("[data-all]");
  if (!all) return;
  for (const each of box.closest(".boxes").querySelectorAll("input")) {
    if (each !== box && (box === all || each === all)) each.checked = false;
  }
});

// A double click on a button grants or freezes once. A form that only downloads may be sent again.
const sent = new WeakSet();
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || "repeatable" in event.target.dataset) return;
  if (sent.has(event.target)) event.preventDefault();
  sent.add(event.target);
  setTimeout(() => sent.delete(event.target), 5_000); // the request may have been stopped and be sent again
});

// Offer the viewer's own zone beside the gate's.
for (const select of document.querySelectorAll("select[data-own-zone]")) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = [...select.options].find(({ value }) => value === own);
  if (known) known.textContent += known.textContent.includes("(") ? "" : " (yours)";
  else select.append(new Option(`${own} (yours)`, own));
}

enhance(document);
