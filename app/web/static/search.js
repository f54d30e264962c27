// The search over services: suggestions for the question and for the services of a form, and the answer in place.
"use strict";

const MOST_SUGGESTED = 8;
const valuesOf = (list) => [...(list?.options ?? [])].map((each) => each.value);
const suggested = valuesOf(document.getElementById("services"));

// The names that have what is typed in them; those that begin with it, or have a part that does, stand first.
function matching(typed, known) {
  const rank = (name) => (name.startsWith(typed) ? 0 : /[-_./]/.test(name[name.indexOf(typed) - 1]) ? 1 : 2);
  return known.filter((name) => name.includes(typed))
    .sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1)).slice(0, MOST_SUGGESTED);
}

let lists = 0;
function suggest(field) {
  // The form of a role with a scope suggests its own services.
  const own = field.form.querySelector(".own-services");
  const known = own ? valuesOf(own) : suggested;
  if (!known.length) return;
  const isMany = field.dataset.search === "many";
  const list = document.createElement("ul");
  list.id = `suggested-${lists += 1}`;
  list.className = "suggested";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  field.parentElement.append(list);
  field.removeAttribute("list");
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id], ["aria-expanded", "false"]]) {
    field.setAttribute(name, value);
  }
  let active = -1;

  // Of several names, the one that is being typed: the last.
  const before = () => (isMany ? field.value.slice(0, field.value.lastIndexOf(",") + 1) : "");
  const typed = () => field.value.slice(before().length).trim().toLowerCase();

  function close() {
    list.hidden = true;
    active = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function open() {
    const found = typed() ? matching(typed(), known) : [];
    if (!found.length || (found.length === 1 && found[0] === typed())) {
      close();
      return;
    }
    list.replaceChildren(...found.map((name, place) => {
      const item = text("li", "", "");
      const at = name.indexOf(typed());
      item.append(name.slice(0, at), text("b", "", name.slice(at, at + typed().length)), name.slice(at + typed().length));
      item.id = `${list.id}-${place}`;
      item.dataset.name = name;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      return item;
    }));
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    mark(-1);
  }

  function mark(place) {
    active = place;
    [...list.children].forEach((each, at) => each.setAttribute("aria-selected", String(at === place)));
    if (place < 0) field.removeAttribute("aria-activedescendant");
    else field.setAttribute("aria-activedescendant", list.children[place].id);
  }

  function take(item) {
    field.value = isMany ? `${before()}${before() ? " " : ""}${item.dataset.name}, ` : item.dataset.name;
    close();
    if (!isMany) field.form.requestSubmit();
  }

  field.addEventListener("input", open);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      if (list.hidden) open();
      const count = list.hidden ? 0 : list.children.length;
      if (count) mark((active + step + (active < 0 && step < 0 ? 1 : 0) + count) % count);
      event.preventDefault();
    } else if (event.key === "Enter" && active >= 0) {
      take(list.children[active]);
      event.preventDefault();
    } else if (event.key === "Escape" && !list.hidden) {
      close();
      event.preventDefault();
    }
  });
  // Before the field loses the focus.
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const item = event.target.closest("li");
    if (item) take(item);
  });
}

document.querySelectorAll("[data-search]").forEach(suggest);

// --- the question ---------------------------------------------------------------------------------

const question = document.querySelector("form[data-ask]");

// The address has only what differs from the question of the page without fields.
function address() {
  const fields = new URLSearchParams([...new FormData(question)].filter(([, value]) => value));
  for (const each of question.querySelectorAll("select")) {
    if ([...each.options].some((option) => option.dataset.usual !== undefined && option.selected)) fields.delete(each.name);
  }
  return `${location.pathname}?${fields}`;
}

// In words, what is folded away.
function summarise() {
  const { environment, change, at, duration } = Object.fromEntries(new FormData(question));
  const parts = [environment, `${change} change`, at ? "at another time" : "now"];
  if (duration) parts.push(`takes ${duration}`);
  question.querySelector("[data-summary]").textContent = parts.join(", ");
}

question?.addEventListener("change", summarise);
question?.addEventListener("submit", async (event) => {
  event.preventDefault();
  history.pushState(null, "", address());
  asked = location.search;
  question.classList.add("asking");
  await refresh();
  const told = document.querySelector("#live-answer .answer, #live-answer .alert");
  if (told) document.getElementById("announced").textContent = told.querySelector(".sentence")?.textContent ?? told.textContent;
  question.classList.remove("asking");
});
// Back and forward show another question. A link within the page is an entry of the history, too, but no question.
let asked = location.search;
addEventListener("popstate", () => {
  if (location.search !== asked) location.reload();
});

// A form of ops begins with its first field, and Escape closes it.
for (const each of document.querySelectorAll("#operate > details")) {
  each.addEventListener("toggle", () => { if (each.open) each.querySelector(".field input").focus({ preventScroll: true }); });
  each.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    each.open = false;
    each.querySelector("summary").focus();
  });
}

// The key / goes to the search, as long as nothing is being typed elsewhere.
document.addEventListener("keydown", (event) => {
  const field = document.getElementById("ask-service");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !field) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  field.focus();
  field.select();
  event.preventDefault();
});
