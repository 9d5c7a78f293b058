// Pieces that several pages are made of.
//
// Owns: moods with their words, bars, commands to copy, buttons of actions, figures of a run. Promises: an action is always there
// as a command, and as a button only when the server says that it may be done here.

import { h } from "./dom.js";
import { sign } from "./moods.js";
import { ago, count, isNumber, named, NONE, plural, range, share, short, span } from "./words.js";

export const name = (text) => h("bdi", {}, named(text));
export const mood = (kind, says, done) => h("span", { class: "mood", "data-mood": kind }, sign(kind, done), says);
export const tablePath = (table) => `#/table/${encodeURIComponent(table)}`;
export const streamPath = (stream) => `#/stream/${encodeURIComponent(stream)}`;
export const runPath = (run) => `#/run/${encodeURIComponent(run)}`;

export function bar(run) {
  const known = isNumber(run.progress);
  return h("div", {
    class: "bar", role: "progressbar", "aria-label": `How far ${named(run.name)} is`, "aria-valuemin": 0, "aria-valuemax": 100,
    "aria-valuenow": known ? Math.floor(run.progress * 100) : null, "aria-valuetext": known ? share(run.progress) : "not known",
    "data-mood": run.mood,
  }, h("i", { share: known ? run.progress : 0 }));
}

export const copy = (text) =>
  h("button", { type: "button", class: "copy", "data-do": "copy", "data-text": text, title: "Copy this command" },
    h("span", {}, h("span", { class: "unseen" }, "Copy the command "), named(text)));

export const button = (action) =>
  h("button", {
    type: "button", class: action.grave ? "grave" : null, "data-do": "act", "data-ask": action.ask || null, "data-title": action.title,
    "data-body": JSON.stringify(action.body), "data-command": action.command,
  }, action.title);

// Everything that can be done about something: buttons where they may be used, and always the command.
export function ways(actions, isOn) {
  return actions.map((action) => [isOn && action.body ? button(action) : null, copy(action.command)]);
}

export function eta(run) {
  const { state, seconds, low, high } = run.eta;
  if (run.mood === "held" || run.mood === "wrong") return null;
  if (isNumber(low) && isNumber(high)) return `${range(low, high)} left`;
  if (isNumber(seconds)) return `about ${span(seconds)} left`;
  return state === "measuring" ? "measuring how long it takes" : null;
}

export function figures(run) {
  const total = isNumber(run.total) ? ` of ${run.totalIsEstimate ? "about " : ""}${count(run.total)}` : "";
  const found = [h("span", {}, h("b", {}, count(run.done)), `${total} rows`)];
  if (isNumber(run.progress)) found.push(h("span", {}, h("b", {}, share(run.progress))));
  if (isNumber(run.rate)) found.push(h("span", {}, h("b", {}, `${short(run.rate)}/s`)));
  const left = eta(run);
  if (left) found.push(h("span", {}, left));
  if (run.quarantined) found.push(h("span", { class: "alarm" }, `${plural(run.quarantined, "key")} quarantined`));
  if (run.attempt > 1) found.push(h("span", {}, `attempt ${run.attempt}`));
  return h("div", { class: "figures" }, found);
}

export const reasons = (run) =>
  run.reasons.length ? h("ul", { class: "reasons", "aria-label": "Why it is held back" }, run.reasons.map((one) => h("li", {}, one))) : null;

export function fact(title, value, more) {
  return h("div", {}, h("dt", {}, title), h("dd", {}, value ?? NONE, more ? h("small", {}, more) : null));
}

// What is live was verified before anybody saw it; a difference that was found since takes that back.
export const verified = (table) => (table.verifiedAt ? since(table.verifiedAt, table.verifiedFor) : table.state === "live" ? "not any more" : "not yet");

export const since = (text, seconds) => (text ? h("time", { datetime: text, title: text }, ago(seconds)) : "never");

export const section = (title, ...children) => [h("h2", { class: "section" }, title), ...children];

export const panel = (title, ...children) =>
  h("section", { class: "panel" }, h("header", {}, h("h2", {}, title)), ...children);

const LINES_SHOWN = 5;

// Pairs of a title and one or more lines of text; those without any are left out, and of many the first are shown.
export function lists(pairs) {
  const rows = pairs.map(([title, value]) => {
    const lines = (Array.isArray(value) ? value : [value]).filter((one) => one !== null && one !== undefined && one !== "");
    if (!lines.length) return null;
    const shown = lines.map((one) => (typeof one === "string" ? named(one) : one));
    return [h("dt", {}, title), h("dd", {}, shown.length === 1 ? shown[0] : few(shown, title))];
  });
  return rows.some(Boolean) ? h("dl", { class: "lists" }, rows) : null;
}

function few(lines, title) {
  const items = lines.map((one) => h("li", {}, one));
  if (items.length <= LINES_SHOWN + 1) return h("ul", {}, items);
  return [h("ul", {}, items.slice(0, LINES_SHOWN)),
    h("details", { "data-key": title }, h("summary", {}, `${count(items.length - LINES_SHOWN)} more`), h("ul", {}, items.slice(LINES_SHOWN)))];
}
