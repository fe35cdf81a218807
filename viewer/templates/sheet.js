"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const store = `evolgraph-labels-${data.run}`;
const flags = data.reasons.map(([flag]) => flag);
const name = (pair) => JSON.stringify([pair.sample, pair.round, pair.qa]);
let labels = {};
try { labels = JSON.parse(localStorage.getItem(store)) || {}; } catch { labels = {}; }
let now = Math.max(data.pairs.findIndex((pair) => !labels[name(pair)]), 0);

function made(tag, text, kind) {
  const one = document.createElement(tag);
  if (text !== undefined) one.textContent = text;
  if (kind) one.className = kind;
  return one;
}

function keep() {
  try { localStorage.setItem(store, JSON.stringify(labels)); } catch { at("kept").textContent = "Not kept by this browser: save before you close the page."; }
}

function pictures(pair) {
  const svg = (tag, values) => {
    const one = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(values)) one.setAttribute(key, value);
    return one;
  };
  return pair.images.map((image, index) => {
    const frame = made("div", undefined, "picture");
    if (!data.images[image.sha256]) {
      frame.append(made("p", "The image was not there when this sheet was made.", "gone"));
      return frame;
    }
    const { width, height } = image;
    const field = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": image.path });
    field.append(svg("image", { href: data.images[image.sha256], width, height, preserveAspectRatio: "none" }));
    for (const box of pair.boxes.filter((one) => (one.image || 0) === index)) {
      const [x1, y1, x2, y2] = box.bbox;
      const group = svg("g", { class: "box" });
      const place = { x: x1 * width, y: y1 * height, width: (x2 - x1) * width, height: (y2 - y1) * height };
      group.append(svg("rect", { ...place, class: "halo" }), svg("rect", { ...place, class: "edge" }));
      const label = svg("text", { x: place.x + width / 160, y: place.y + height / 22, "font-size": Math.max(width, height) / 40 });
      label.textContent = box.label;
      group.append(label);
      field.append(group);
    }
    frame.append(field);
    return frame;
  });
}

function told(place, qa) {
  const parts = [made("p", qa.question, "question")];
  if (qa.steps.length) {
    const steps = made("ol", undefined, "steps");
    for (const step of qa.steps) { const item = made("li"); item.append(made("span", step)); steps.append(item); }
    parts.push(steps);
  }
  parts.push(made("p", qa.answer, "answer"));
  at(place).replaceChildren(...parts);
}

function show() {
  const pair = data.pairs[now];
  const label = labels[name(pair)];
  at("images").replaceChildren(...pictures(pair));
  at("caption").textContent = pair.caption;
  at("direction").textContent = pair.direction;
  at("form").textContent = pair.child.form.replaceAll("_", " ");
  told("parent", pair.parent);
  told("child", pair.child);
  for (const choice of document.querySelectorAll("[data-accept]")) choice.setAttribute("aria-pressed", String(label !== undefined && String(label.accept) === choice.dataset.accept));
  for (const choice of document.querySelectorAll("[data-flag]")) choice.setAttribute("aria-pressed", String(Boolean(label) && label.reasons.includes(choice.dataset.flag)));
  const done = Object.keys(labels).length;
  at("place").textContent = `Pair ${now + 1} of ${data.pairs.length}`;
  at("done").textContent = `${done} labelled`;
  at("bar").setAttribute("width", String((100 * done) / data.pairs.length));
  at("save").disabled = !done;
  at("hint").textContent = label && !label.accept && !label.reasons.length ? "Say why: at least one reason." : "";
}

function go(by) {
  now = Math.min(Math.max(now + by, 0), data.pairs.length - 1);
  show();
  scrollTo({ top: 0 });
}

function put(accept, reasons) {
  labels[name(data.pairs[now])] = { accept, reasons };
  keep();
}

function accept() { put(true, []); go(1); show(); }

function reject() {
  const label = labels[name(data.pairs[now])];
  put(false, label && !label.accept ? label.reasons : []);
  show();
}

function toggle(flag) {
  const label = labels[name(data.pairs[now])];
  const known = label && !label.accept ? label.reasons : [];
  put(false, known.includes(flag) ? known.filter((one) => one !== flag) : [...known, flag]);
  show();
}

function save() {
  const lines = data.pairs.flatMap((pair) => {
    const label = labels[name(pair)];
    return label ? [JSON.stringify({ run: data.run, sample: pair.sample, round: pair.round, qa: pair.qa, accept: label.accept, reasons: label.reasons })] : [];
  });
  const link = made("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "application/jsonl" }));
  link.download = "labels.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

for (const [index, [flag, words]] of data.reasons.entries()) {
  const choice = made("button", undefined, "flag");
  choice.type = "button";
  choice.dataset.flag = flag;
  choice.append(made("kbd", String(index + 1)), made("span", words));
  choice.addEventListener("click", () => toggle(flag));
  at("flags").append(choice);
}
at("accept").addEventListener("click", accept);
at("reject").addEventListener("click", reject);
at("back").addEventListener("click", () => go(-1));
at("next").addEventListener("click", () => go(1));
at("save").addEventListener("click", save);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  const keys = { a: accept, r: reject, s: save, arrowleft: () => go(-1), arrowright: () => go(1) };
  if (keys[key]) keys[key]();
  else if (flags[Number(key) - 1]) toggle(flags[Number(key) - 1]);
  else return;
  event.preventDefault();
});
show();
