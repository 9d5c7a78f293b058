// The graph of sources and derived tables, with state, lag and rate on it.
//
// Owns: drawing it as SVG, and showing what belongs together where somebody points or stands. Promises: every node is a link that
// the keyboard reaches and that says everything in words; names are measured and cut, never markup; it is laid out again only
// when its shape or its width changed.

import { renew, s } from "./dom.js";
import { joined, key, layOut } from "./layers.js";
import { glyph } from "./moods.js";
import { named } from "./words.js";

const LARGE = { width: [180, 230], height: 48, source: 32, gap: 12 }, SMALL = { width: [158, 230], height: 27, source: 25, gap: 6 };
const FEW = 24, MARGIN = 2, NARROW = 640;

const ruler = document.createElement("canvas").getContext("2d");
const graphemes = typeof Intl.Segmenter === "function" ? new Intl.Segmenter() : null;
const laid = new WeakMap(), asked = new WeakMap();

// Cut a text so that it is at most `width` wide in the font of the page.
export function cut(text, width, font) {
  ruler.font = font;
  if (ruler.measureText(text).width <= width) return text;
  const parts = graphemes ? Array.from(graphemes.segment(text.slice(0, 200)), (one) => one.segment) : Array.from(text.slice(0, 200));
  let low = 0, high = parts.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (ruler.measureText(`${parts.slice(0, middle).join("")}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${parts.slice(0, low).join("")}…`;
}

// Draw into `box`. `nodes` are {id, name, href, mood, share, says, rate, label, isSource}, `lines` {from, to, flows}.
export function draw(box, nodes, lines) {
  const room = box.clientWidth - 2 * MARGIN;
  if (room <= 0) return;
  const across = room >= NARROW, small = nodes.length > FEW;
  const size = small ? SMALL : LARGE;
  const shape = JSON.stringify([room, nodes.map((one) => [one.id, one.isSource]), lines.map((one) => [one.from, one.to])]);
  if (laid.get(box)?.shape !== shape) laid.set(box, { shape, found: layOut(nodes, lines, { across, size, room }) });
  const { boxes, routes, width, height } = laid.get(box).found;
  // What is narrower than its place stands in the middle of it, in its own size.
  const full = Math.max(room, width), shift = MARGIN + (full - width) / 2;
  const font = getComputedStyle(document.body).fontFamily;
  const drawn = s("svg", {
    class: `graph${small ? " small" : ""}`, width: full + 2 * MARGIN, height: height + 2 * MARGIN,
    viewBox: `${-shift} ${-MARGIN} ${full + 2 * MARGIN} ${height + 2 * MARGIN}`,
    "data-lines": lines.length > 80 ? "many" : "few",
  });
  drawn.append(s("g", { class: "lines" }, lines.map((one) => line(one, routes))));
  drawn.append(s("g", { class: "nodes" }, nodes.map((one) => node(one, boxes.get(one.id), font))));
  renew(box, [drawn]);
  // What was drawn anew knows nothing of who points where.
  brighten(box);
}

function line(one, routes) {
  const path = routes.get(key(one));
  if (!path) return null;
  return s("path", { d: path, "data-key": key(one), class: one.flows ? "flows" : null, "data-from": one.from, "data-to": one.to });
}

function node(one, box, font) {
  const inside = box.width - 14 - (one.isSource ? 12 : 30);
  const says = one.says || "", rate = one.rate || "", low = box.height < 40;
  const bold = `${one.isSource ? 400 : low ? 500 : 600} ${low ? 12.5 : 13}px ${font}`, plain = `400 11.5px ${font}`;
  const left = one.isSource ? 12 : 30;
  const parts = [s("title", {}, one.label), s("rect", { class: "card", width: box.width, height: box.height, rx: low ? 7 : 9 })];
  if (!one.isSource) parts.push(glyph(one.mood, one.share, 10, low ? box.height / 2 - 6 : 12));
  if (low) {
    const { aside } = one;
    const told = aside ? cut(aside, box.width * 0.42, plain) : "";
    ruler.font = plain;
    const room = inside - (told ? ruler.measureText(told).width + 8 : 0);
    parts.push(s("text", { class: "name", x: left, y: box.height / 2 + 4.5 }, cut(named(one.name), room, bold)));
    if (told) parts.push(s("text", { class: "says", x: box.width - 10, y: box.height / 2 + 4, "text-anchor": "end" }, told));
  } else {
    parts.push(s("text", { class: "name", x: left, y: 20 }, cut(named(one.name), inside, bold)));
    ruler.font = plain;
    const beside = rate ? ruler.measureText(rate).width + 10 : 0;
    parts.push(s("text", { class: "says", x: left, y: 37 }, cut(says, inside - beside, plain)));
    if (rate) parts.push(s("text", { class: "rate", x: box.width - 12, y: 37, "text-anchor": "end" }, rate));
  }
  if (typeof one.share === "number" && one.mood !== "true") {
    const length = box.width - 20;
    parts.push(s("rect", { class: "track", x: 10, y: box.height - 4, width: length, height: 2, rx: 1 }));
    parts.push(s("rect", { class: "done", x: 10, y: box.height - 4, width: Math.max(0, length * one.share), height: 2, rx: 1 }));
  }
  const facts = {
    "data-key": one.id, "data-node": one.id, "data-mood": one.mood, class: one.isSource ? "source" : "derived",
    transform: `translate(${Math.round(box.x)} ${Math.round(box.y)})`, "aria-label": one.label,
  };
  return one.href ? s("a", { ...facts, href: one.href }, parts) : s("g", { ...facts, role: "img" }, parts);
}

// Where somebody points or stands, everything that it comes from and everything that comes from it stays bright.
export function follow(box) {
  const ask = (id) => {
    asked.set(box, id);
    brighten(box);
  };
  const of = (event) => event.target.closest?.("[data-node]")?.dataset.node ?? null;
  box.addEventListener("pointerover", (event) => ask(of(event)));
  box.addEventListener("pointerleave", () => ask(null));
  box.addEventListener("focusin", (event) => ask(of(event)));
  box.addEventListener("focusout", () => ask(null));
}

function brighten(box) {
  const drawn = box.querySelector("svg.graph"), id = asked.get(box) ?? null;
  if (!drawn) return;
  const bright = id === null ? new Set() : joined(Array.from(drawn.querySelectorAll("[data-from]"), (one) => ({ from: one.dataset.from, to: one.dataset.to })), id);
  drawn.classList.toggle("asked", id !== null);
  for (const one of drawn.querySelectorAll("[data-node]")) one.classList.toggle("on", bright.has(one.dataset.node));
  for (const one of drawn.querySelectorAll("[data-from]")) {
    one.classList.toggle("on", bright.has(one.dataset.from) && bright.has(one.dataset.to));
  }
}
