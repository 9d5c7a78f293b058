// What a state means for whoever looks: one of seven moods, a sign for each, and the words.
//
// Owns: `moodOf`, `wordsOf` and `glyph`. Promises: a state that this page does not know is unknown and never well; a sign differs
// from the others by its form, not by its colour alone.

import { s } from "./dom.js";

// From the worst to the best; what needs somebody comes first.
export const MOODS = ["wrong", "held", "unknown", "filling", "behind", "idle", "true"];

export const NAMES = {
  true: "true", behind: "behind", filling: "filling", held: "held back", wrong: "needs attention", unknown: "unknown", idle: "not live",
};

const BY_STATE = {
  planned: "idle", installing: "filling", backfilling: "filling", verifying: "filling", throttled: "held", paused: "held",
  interrupted: "held", failed: "wrong", quarantined: "wrong", halted: "wrong", retired: "idle", live: "true", running: "filling",
  waiting: "true", done: "true", finished: "true", cancelled: "idle", delivered: "true", stalled: "held",
};

export const moodOfState = (state) => BY_STATE[state] || "unknown";

const PATHS = {
  true: "M6 .5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11Z",
  behind: "M6 .5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11Zm0 1.7a3.8 3.8 0 0 1 3.8 3.8h-7.6a3.8 3.8 0 0 1 3.8-3.8Z",
  filling: "M6 .5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11Zm0 1.7a3.8 3.8 0 1 1 0 7.6a3.8 3.8 0 0 1 0-7.6Z",
  held: "M2 1.2h2.9v9.6H2ZM7.1 1.2H10v9.6H7.1Z",
  wrong: "M6 0L12 6L6 12L0 6Z",
  unknown: "M6 0L12 6L6 12L0 6ZM6 2.4L2.4 6L6 9.6L9.6 6Z",
  idle: "M1.5 5h9v2h-9Z",
};

// The sign of a mood, 12 by 12, inside another SVG. A filling shows how far it is.
export function glyph(mood, done, x = 0, y = 0) {
  const known = PATHS[mood] ? mood : "unknown";
  const parts = [s("path", { d: PATHS[known] })];
  if (known === "filling" && typeof done === "number" && done > 0) {
    const turn = 2 * Math.PI * Math.min(0.999, done);
    const [dx, dy] = [6 + 3.8 * Math.sin(turn), 6 - 3.8 * Math.cos(turn)];
    parts.push(s("path", { d: `M6 6V2.2A3.8 3.8 0 ${turn > Math.PI ? 1 : 0} 1 ${dx.toFixed(2)} ${dy.toFixed(2)}Z` }));
  }
  return s("g", { class: "sign", "data-mood": known, transform: `translate(${x} ${y})` }, parts);
}

// The same as a picture of its own, for text.
export function sign(mood, done) {
  return s("svg", { class: "sign-box", viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true" }, glyph(mood, done));
}
