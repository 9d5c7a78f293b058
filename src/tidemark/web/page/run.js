// The page of one run: how far it is, how it goes, why it rests, what it runs, and what was quarantined.
//
// Owns: its page and the small charts. Promises: a chart says in words what it draws, and since when it was watched; a run whose
// worker gives no sign of life never looks as if it went on.

import { h, s } from "./dom.js";
import { paces } from "./facts.js";
import { sign } from "./moods.js";
import { bar, copy, fact, figures, mood, name, panel, reasons, since, tablePath, ways } from "./parts.js";
import { ago, command, count, dedent, isNumber, milliseconds, moment, named, NONE, plural, short, span } from "./words.js";

export function runPage(about, facts, here) {
  const told = here.told.run;
  const crumbs = h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/" }, "Overview"), " / ", h("a", { href: "#/history" }, "History"), " / run");
  const problem = here.problems.run;
  if (!told) return [crumbs, h("div", { class: "head" }, h("h1", {}, `Run ${named(about)}`), h("p", { class: problem ? "alarm" : null }, problem ? named(problem) : "Looking…"))];
  const { past, active } = told;
  const state = active && active.isActive ? active : past;
  return [
    crumbs,
    h("div", { class: "head" }, h("h1", {}, `${past.kind[0].toUpperCase()}${past.kind.slice(1)} of `, h("a", { href: tablePath(past.name) }, name(past.name))),
      mood(state.mood, active && active.isActive ? active.says : past.state, active ? active.progress : null), h("p", {}, `Run ${past.id}`, past.message ? `: ${named(past.message)}` : "")),
    problem ? h("p", { class: "none alarm" }, `This cannot be read now: ${named(problem)}`) : null,
    past.cause || (active && active.failure) ? h("section", { class: "card", "data-mood": "wrong" }, h("h2", {}, "Why it ended"), h("p", { class: "why" }, named(past.cause || active.failure)), h("footer", {}, ways(active ? active.actions : [], facts && facts.actions.on))) : null,
    panel("How far it is", active ? [bar(active), figures(active), reasons(active)] : null,
      h("dl", { class: "facts" },
        fact("Rows", count(past.done), isNumber(past.total) ? `of ${count(past.total)}` : null), fact("Written", count(past.written), "rows that differed"),
        fact("Began", since(past.started, past.startedFor), moment(past.started)), fact("Took", span(past.seconds), past.ended ? null : "so far"),
        fact("Longest hold", milliseconds(past.longest), "of any transaction of it"),
        fact("Runner", past.holder ? named(past.holder) : NONE, active && active.isActive ? (isNumber(active.updatedFor) ? `heard ${ago(active.updatedFor)}` : null) : "at that time"),
        active ? fact("Niceness", isNumber(active.nice) ? `${active.nice} s` : "default", "of rest for each second of work") : null)),
    charts(told, here),
    toDo(past, active, facts),
    told.quarantine.length ? panel(`Quarantine: ${plural(told.quarantine.length, "key")}`, quarantine(told.quarantine), copy(command("backfill retry", past.name))) : null,
    panel("What happened", timeline(told)),
    told.statements.length ? panel("The very SQL", told.statements.map((one) => h("details", {}, h("summary", {}, named(one.title)), h("pre", { tabindex: 0 }, dedent(one.sql))))) : null,
  ];
}

function toDo(past, active, facts) {
  const steps = active ? [...active.actions, ...paces(active)].map((one) => h("li", {}, h("span", {}, one.title), ways([one], facts && facts.actions.on))) : [];
  const table = facts && facts.tables.find((one) => one.name === past.name);
  if (!steps.length && past.state !== "done" && table && table.next) steps.push(h("li", {}, h("span", {}, "Go on"), copy(table.next)));
  return steps.length ? panel("What to do", h("ul", { class: "commands" }, steps)) : null;
}

function charts(told, here) {
  const { samples } = told;
  const drawn = samples.length > 1 ? chartsOf(samples, samples.map((one) => one.seconds), "") : chartsOf(here.memory, here.memory.map((one) => one.at / 1000), "since this page was opened");
  return drawn.length ? panel("How it goes", h("div", { class: "sparks" }, drawn)) : null;
}

function chartsOf(samples, at, more) {
  const of = (pick) => samples.map(pick).map((value) => (isNumber(value) ? value : null));
  const target = samples.map((one) => one.target_ms).findLast(isNumber);
  return [
    spark("Hold of a chunk", at, of((one) => (one.chunks ? one.hold_ms / one.chunks : null)), milliseconds, more, { aim: target, over: of((one) => one.longest_ms) }),
    spark("Rows in a chunk", at, of((one) => one.size), count, more),
    spark("Rows a second", at, of((one) => one.rate), (value) => `${short(value)}/s`, more),
  ].filter(Boolean);
}

const WIDE = 300, HIGH = 64;

// `values` at the moments `at`; `aim` is a line that they should stay under, `over` a second curve above them.
export function spark(title, at, values, says, more, { aim = null, over = [] } = {}) {
  const known = values.filter(isNumber), length = at[at.length - 1] - at[0];
  if (known.length < 2 || !(length > 0)) return null;
  const top = 1.05 * Math.max(...known, ...over.filter(isNumber), isNumber(aim) ? aim * 1.15 : 0, 1e-9);
  const x = (place) => (((at[place] - at[0]) / length) * WIDE).toFixed(1), y = (value) => (HIGH - (value / top) * HIGH).toFixed(1);
  const first = values.findIndex(isNumber), last = values.findLastIndex(isNumber), newest = known[known.length - 1];
  const aimSays = isNumber(aim) ? `, target ${says(aim)}` : "";
  const most = over.some(isNumber) ? `, longest ${says(Math.max(...over.filter(isNumber)))}` : "";
  const label = `${title}: now ${says(newest)}, least ${says(Math.min(...known))}, most ${says(Math.max(...known))}${most}${aimSays}${more ? `, ${more}` : ""}`;
  const curve = path(values, x, y);
  return h("figure", { class: "spark" },
    h("figcaption", {}, title, h("span", {}, h("b", {}, says(newest)), isNumber(aim) ? ` of ${says(aim)}` : "", most ? h("span", { class: "most" }, most.slice(1)) : null)),
    s("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      s("title", {}, label), s("line", { class: "floor", x1: 0, x2: WIDE, y1: HIGH, y2: HIGH }),
      isNumber(aim) ? s("line", { class: "aim", x1: 0, x2: WIDE, y1: y(aim), y2: y(aim) }) : null,
      known.length === values.length ? s("path", { class: "area", d: `${curve}L${x(last)} ${HIGH}L${x(first)} ${HIGH}Z` }) : null,
      over.some(isNumber) ? s("path", { class: "over", d: path(over, x, y) }) : null, s("path", { class: "curve", d: curve })));
}

function path(values, x, y) {
  let open = false;
  return values.map((value, place) => {
    const step = isNumber(value) ? `${open ? "L" : "M"}${x(place)} ${y(value)}` : "";
    open = isNumber(value);
    return step;
  }).join("");
}

function quarantine(keys) {
  return h("div", { class: "scroll" }, h("table", { class: "rows" },
    h("thead", {}, h("tr", {}, ["Key", "Error", "Attempt", "Found"].map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", {}, keys.map((one) => h("tr", {}, h("td", { class: "wide mono" }, named(one.key.join(", "))), h("td", { class: "wide" }, named(one.error)),
      h("td", { "data-label": "attempt" }, count(one.attempt)), h("td", { "data-label": "found" }, moment(one.found_at)))))));
}

// What happened in its time: its beginning and end, what operators did, and what holds it back now.
function timeline(told) {
  const { past, active } = told;
  const done = told.audit.filter((one) => Date.parse(one.at) >= Date.parse(past.started) && (!past.ended || Date.parse(one.at) <= Date.parse(past.ended)));
  const items = [{ at: past.started, mood: "filling", says: "It began", more: past.holder ? `by ${named(past.holder)}` : "" },
    ...done.map((one) => ({
      at: one.at, mood: one.outcome === "done" ? "behind" : "wrong", says: named(`${one.action} ${one.detail}`.trim()) + (one.outcome === "done" ? "" : `: ${named(one.outcome)}`), more: `by ${named(one.who)}`,
    })).sort((a, b) => Date.parse(a.at) - Date.parse(b.at))];
  if (active && active.wish) items.push({ at: null, mood: "held", says: `It was asked to ${named(active.wish)}`, more: "it does so after the chunk at hand" });
  for (const one of active && active.isActive ? active.reasons : []) items.push({ at: null, mood: "held", says: `It is held back: ${one}`, more: "now" });
  if (past.ended) items.push({ at: past.ended, mood: past.mood, says: `It ended: ${past.state}`, more: past.cause ? named(past.cause) : "" });
  return h("ol", { class: "time" }, items.map((one) => h("li", {}, sign(one.mood, 0.4), one.says, h("time", one.at ? { datetime: one.at } : {}, [one.at ? moment(one.at) : "", one.more].filter(Boolean).join(" · ")))));
}
