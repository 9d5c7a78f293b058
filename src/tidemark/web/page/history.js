// The history: every time that a duty did something, newest first.
//
// Owns: its page and the table of runs. Promises: thousands of runs are read a page at a time, and only when asked for.

import { h } from "./dom.js";
import { copy, mood, name, runPath, since, tablePath } from "./parts.js";
import { command, count, milliseconds, named, plural, span } from "./words.js";

export function runsTable(runs, hasNames = true) {
  const heads = ["Run", "State", hasNames ? "About" : null, "When", "Took", "Rows", "Written", "Longest hold"].filter(Boolean);
  return h("div", { class: "scroll" }, h("table", { class: "rows" },
    h("thead", {}, h("tr", {}, heads.map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", {}, runs.map((run) => row(run, hasNames)))));
}

function row(run, hasNames) {
  return h("tr", { "data-key": run.key },
    h("td", {}, h("a", { class: "name", href: runPath(run.id) }, `${run.kind} ${run.id}`)),
    h("td", {}, mood(run.mood, run.state)),
    hasNames ? h("td", { class: "wide" }, h("a", { href: tablePath(run.name) }, name(run.name))) : null,
    h("td", { "data-label": "when" }, since(run.started, run.startedFor)),
    h("td", { "data-label": "took" }, span(run.seconds)), h("td", { "data-label": "rows" }, count(run.done)),
    h("td", { "data-label": "written" }, count(run.written)), h("td", { "data-label": "longest hold" }, milliseconds(run.longest)));
}

export function historyPage(about, facts, here) {
  const problem = Object.values(here.problems)[0];
  return [
    h("div", { class: "head" }, h("h1", {}, "History", about ? [" of ", name(about)] : null),
      h("p", {}, "One line for every time that a duty did something; the newest first. ", copy(about ? command("history", about) : "tidemark history"))),
    h("section", { class: "panel", "aria-label": "Runs" },
      problem ? h("p", { class: "none alarm" }, `This cannot be read now: ${named(problem)}`) : null,
      !here.told.runs ? (problem ? null : h("p", { class: "none" }, "Looking…")) : here.runs.length ? runsTable(here.runs) : h("p", { class: "none" }, "Nothing was done yet."),
      here.next !== null && here.next !== undefined
        ? h("p", { class: "more" }, h("button", { type: "button", "data-do": "more" }, `Older than run ${here.next}`), h("span", { class: "soft small" }, ` ${plural(here.runs.length, "run")} shown`)) : null),
  ];
}
