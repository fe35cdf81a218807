// Hovering, keys and news. Everything works without it but these.
"use strict";

const POLL_MS = 2000;

// A box and the places that cite it light up together.
function light(key) {
  for (const one of document.querySelectorAll(".lit")) one.classList.remove("lit");
  for (const one of document.querySelectorAll(".picture svg")) one.classList.toggle("busy", Boolean(key));
  if (!key) return;
  for (const one of document.querySelectorAll("[data-box]")) {
    if (one.dataset.box === key) one.classList.add("lit");
  }
}
for (const [on, off] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  document.addEventListener(on, (event) => {
    const found = event.target.closest && event.target.closest("[data-box]");
    if (found) light(found.dataset.box);
  });
  document.addEventListener(off, (event) => {
    if (event.target.closest && event.target.closest("[data-box]")) light("");
  });
}

// An image that is not there leaves its place empty.
document.addEventListener("error", (event) => {
  if (event.target.tagName === "IMG") event.target.classList.add("gone");
}, true);

// A filter that is chosen is applied; fields that are left empty stay out of the address.
document.addEventListener("change", (event) => {
  if (event.target.tagName === "SELECT" && event.target.form) event.target.form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  for (const field of event.target.elements) field.disabled = field.name !== "" && field.value === "";
});

// Keys: j and k go on, Enter opens, / searches.
function move(step) {
  const rows = [...document.querySelectorAll("tr[data-row]")];
  if (!rows.length) {
    const link = document.querySelector(step > 0 ? "a[rel=next]" : "a[rel=prev]");
    if (link) link.click();
    return;
  }
  const at = rows.findIndex((row) => row.classList.contains("at"));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at + step))];
  if (at >= 0) rows[at].classList.remove("at");
  next.classList.add("at");
  next.scrollIntoView({ block: "nearest" });
}
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest && event.target.closest("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const search = document.querySelector("[data-search]");
  if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "j" || event.key === "k") {
    move(event.key === "j" ? 1 : -1);
  } else if (event.key === "Enter") {
    const link = document.querySelector("tr.at a");
    if (link && !event.target.closest("a")) link.click();
  }
});

// While the run goes on, the page is fetched anew whenever there is news; what is open stays open.
const pulse = document.body.dataset.pulse;
let version = "";
function swap(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const main = document.getElementById("main");
  for (const one of main.querySelectorAll("details[id]")) {
    const twin = fresh.getElementById(one.id);
    if (twin) twin.open = one.open;
  }
  const at = [...main.querySelectorAll("tr[data-row]")].findIndex((row) => row.classList.contains("at"));
  const row = fresh.querySelectorAll("tr[data-row]")[at];
  if (row) row.classList.add("at");
  main.replaceChildren(...document.adoptNode(fresh.getElementById("main")).childNodes);
  document.getElementById("state").replaceWith(document.adoptNode(fresh.getElementById("state")));
}
async function follow() {
  const typing = document.activeElement && document.activeElement.closest("input, select");
  try {
    const told = await (await fetch(pulse)).json();
    if (version && told.version !== version && !typing) {
      const answer = await fetch(location.href);
      if (answer.ok) swap(await answer.text());
      version = told.version;
    }
    version = version || told.version;
    if (!told.live && told.version === version) return;
  } catch {
    const state = document.getElementById("state");
    state.textContent = "viewer stopped";
    state.className = "state lost";
  }
  setTimeout(follow, POLL_MS);
}
if (pulse) follow();
