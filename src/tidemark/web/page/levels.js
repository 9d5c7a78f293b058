// The graph where its lines would be a thicket: who stands on which level, in lists, and what belongs to the one that was chosen.
//
// Owns: when lists say more than lines, the lists, and which place is chosen. Promises: everything that the graph has is here, by
// name and in words, on the narrowest screen too; what needs somebody comes first and is never folded away.

import { h, renew } from "./dom.js";
import { draw } from "./graph.js";
import { joined, levelsOf } from "./layers.js";
import { MOODS, sign } from "./moods.js";
import { count, named } from "./words.js";

const NARROW = 640, FEW_NARROW = 10, FEW_WIDE = 44, LINES_MAX = 64, LISTED_NARROW = 8, LISTED_WIDE = 18;
const chosen = { id: "" }, drawn = new WeakMap(), asked = new WeakMap();

// Whether so many nodes and lines are better read as lists in so much room.
export function isThicket(nodes, lines, room) {
  return room < NARROW ? nodes.length > FEW_NARROW : nodes.length > FEW_WIDE || lines.length > LINES_MAX;
}

// Show what belongs to a place, or everything again when it is chosen a second time or has no name.
export function choosePlace(id) {
  chosen.id = chosen.id === id ? "" : id;
}

// `nodes` and `lines` are those of the graph.
export function drawLevels(box, nodes, lines) {
  const known = new Map(nodes.map((one) => [one.id, one]));
  if (!known.has(chosen.id)) chosen.id = "";
  const near = chosen.id ? joined(lines, chosen.id) : null, around = known.get(chosen.id), room = box.clientWidth;
  const most = room < NARROW ? LISTED_NARROW : LISTED_WIDE;
  const close = near ? { nodes: nodes.filter((one) => near.has(one.id)), lines: lines.filter((one) => near.has(one.from) && near.has(one.to)) } : null;
  // What belongs to one is seldom a thicket.
  const isDrawn = close !== null && !isThicket(close.nodes, close.lines, room);
  const levels = isDrawn ? [] : levelsOf(nodes, lines).map((ids, depth) => level(ids.map((id) => known.get(id)), depth, near, most));
  renew(box, [
    around ? h("p", { class: "around" }, "What belongs to ", around.href ? h("a", { class: "name", href: around.href }, h("bdi", {}, named(around.name))) : h("b", {}, h("bdi", {}, named(around.name))),
      h("button", { type: "button", class: "plain", "data-do": "place", "data-place": "" }, "Show everything")) : h("p", { class: "none small" }, "Choose one to see what it comes from and what reads it."),
    isDrawn ? h("div", { class: "close", "data-own": "graph", "data-key": "close" }) : h("div", { class: "levels", "data-key": "levels" }, levels),
  ]);
  if (isDrawn) draw(box.querySelector(".close"), close.nodes, close.lines);
  drawn.set(box, lines);
  brighten(box);
}

function level(all, depth, near, most) {
  const shown = near ? all.filter((one) => near.has(one.id)) : all;
  if (!shown.length) return null;
  const title = depth === 0 ? "Sources" : depth === 1 ? "Derived from them" : `Level ${depth}`;
  const told = near ? `${count(shown.length)} of ${count(all.length)}` : count(all.length);
  shown.sort((a, b) => MOODS.indexOf(a.mood) - MOODS.indexOf(b.mood));
  // What needs somebody is listed however much there is.
  const first = near ? shown : shown.filter((one, place) => place < most || !["true", undefined].includes(one.mood));
  const rest = shown.slice(first.length);
  return h("section", { class: "level", "data-key": `level ${depth}`, "aria-label": `${title}, ${told}` },
    h("h3", {}, title, h("span", { class: "soft" }, ` ${told}`)),
    h("ul", {}, first.map(place)),
    rest.length ? h("details", { "data-key": "rest" }, h("summary", {}, `${count(rest.length)} more${depth ? ", all true" : ""}`), h("ul", {}, rest.map(place))) : null);
}

function place(one) {
  const isChosen = one.id === chosen.id;
  const aside = one.aside || "";
  return h("li", { "data-key": one.id },
    h("button", { type: "button", class: "place", "data-do": "place", "data-place": one.id, "data-node": one.id, "data-mood": one.mood || "source", "aria-pressed": String(isChosen), "aria-label": one.label, title: one.label },
      one.isSource ? h("i", { class: "dot" }) : sign(one.mood, one.share), h("span", { class: "name" }, h("bdi", {}, named(one.name))), aside ? h("span", { class: "says" }, aside) : null));
}

// Where somebody points or stands, what belongs to it stays bright.
export function followLevels(box) {
  const ask = (event) => {
    asked.set(box, event.target.closest?.("[data-place]")?.dataset.place || "");
    brighten(box);
  };
  const rest = () => {
    asked.set(box, "");
    brighten(box);
  };
  box.addEventListener("pointerover", ask);
  box.addEventListener("pointerleave", rest);
  box.addEventListener("focusin", ask);
  box.addEventListener("focusout", rest);
}

function brighten(box) {
  const levels = box.querySelector(".levels"), id = asked.get(box) || "";
  if (!levels) return;
  const bright = id && !chosen.id ? joined(drawn.get(box) || [], id) : null;
  levels.classList.toggle("asked", bright !== null);
  for (const one of levels.querySelectorAll("[data-node]")) one.classList.toggle("on", bright !== null && bright.has(one.dataset.node));
}
