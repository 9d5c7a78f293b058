// The overview: one verdict, what needs somebody, what is at work, the graph and the tables.
//
// Owns: its sections. Promises: the verdict is the server's own; what failed is first and stays until somebody looked; nothing
// is counted or judged twice.

import { h, renew } from "./dom.js";
import { draw } from "./graph.js";
import { drawLevels, isThicket } from "./levels.js";
import { MOODS, NAMES, sign } from "./moods.js";
import { bar, copy, figures, mood, name, reasons, runPath, section, streamPath, tablePath, verified, ways } from "./parts.js";
import { clock, command, count, named, NONE, plural, share, short, span } from "./words.js";

const FEW_TABLES = 8, GRAPH_MAX = 160, LONG_TICK = 3;
const at = (id) => document.getElementById(id);
const chosen = { text: "", mood: "" };

export function choose(change) {
  Object.assign(chosen, change);
}

export function showOverview(facts, seen) {
  renew(at("strip"), facts.tables.length > 1 ? facts.tables.map(piece) : []);
  renew(at("attention"), attention(facts, seen));
  renew(at("work"), work(facts));
  showGraph(facts);
  showTables(facts);
  renew(at("others"), [streams(facts), events(facts), facts.tables.length || facts.streams.length ? null : empty()]);
}

const label = (table) => `${named(table.name)}: ${table.says}`;

const piece = (table) =>
  h("a", { href: tablePath(table.name), "data-mood": table.mood, "data-key": table.key, title: label(table), "aria-label": label(table) });

const empty = () =>
  h("div", { class: "panel empty" },
    h("h2", {}, "Begin here"),
    h("p", {}, "Declare a derived table in derived.py, look at what would be done, and apply it. It appears here as soon as it is installed."),
    h("ul", { class: "commands" }, ["tidemark init", "tidemark plan", "tidemark apply"].map((one) => h("li", {}, copy(one)))));

function attention(facts, seen) {
  const cards = facts.findings.map((one) => finding(one, facts, seen));
  if (!cards.length) return [];
  const wrong = facts.tables.filter((one) => one.drift > 0).map((one) => one.name);
  const all = wrong.length > 1 ? { title: `Repair all ${wrong.length}`, command: command("repair", ...wrong), body: { action: "repair", names: wrong }, ask: `Make what is wrong in ${plural(wrong.length, "table")} true again?` } : null;
  return section("Needs somebody", all ? h("p", { class: "all" }, ways([all], facts.actions.on)) : null, h("div", { class: "cards" }, cards));
}

function finding(one, facts, seen) {
  const kind = one.level === "fail" ? "wrong" : one.mood || "held";
  const isSeen = seen.has(one.key);
  const title = one.path ? h("a", { class: "name", href: one.path }, name(one.name || one.kind)) : h("span", { class: "name" }, name(one.name || one.kind));
  const actions = one.actions || [];
  return h("div", { class: "card", "data-mood": kind, "data-key": one.key },
    h("header", {}, title, one.kind !== "table" ? h("span", { class: "soft small" }, one.kind) : null, mood(kind, isSeen ? `${one.word}, seen` : one.word)),
    h("p", { class: "why" }, named(one.says)),
    one.run ? [bar(one.run), figures(one.run)] : null,
    h("footer", {}, ways(actions, facts.actions.on), actions.length || !one.next ? null : copy(one.next),
      one.level === "fail" && one.canBeSeen ? h("button", { type: "button", class: "plain", "data-do": "seen", "data-about": one.key, disabled: isSeen }, isSeen ? "Seen" : "I have seen this") : null));
}

function work(facts) {
  // A tick is over before anybody has read its name; one that takes long is work.
  const running = facts.runs.filter((run) => run.isActive && (run.kind !== "tick" || run.elapsed >= LONG_TICK));
  if (!running.length) return [];
  return section("At work", h("div", { class: "cards" }, running.map((run) => card(run, facts))));
}

function card(run, facts) {
  const path = run.id !== null ? runPath(run.id) : tablePath(run.name);
  return h("div", { class: "card", "data-mood": run.mood, "data-key": run.key },
    h("header", {}, h("a", { class: "name", href: path }, name(run.name)), h("span", { class: "soft small" }, run.kind), mood(run.mood, run.says, run.progress)),
    bar(run), figures(run), reasons(run), h("footer", {}, ways(run.actions, facts.actions.on)));
}

function isChosen(table) {
  if (chosen.mood && table.mood !== chosen.mood) return false;
  return !chosen.text || table.name.toLowerCase().includes(chosen.text.toLowerCase());
}

function showGraph(facts) {
  const panel = at("graph-panel");
  let tables = facts.tables;
  if (tables.length > GRAPH_MAX) tables = tables.filter((one) => (chosen.text || chosen.mood ? isChosen(one) : one.mood !== "true")).slice(0, GRAPH_MAX);
  panel.hidden = facts.tables.length === 0;
  if (panel.hidden) return;
  if (!tables.length) {
    renew(at("graph"), [h("p", { class: "none" }, `${plural(facts.tables.length, "derived table")}, all of them true. Find one by its name to see what it comes from.`)]);
    renew(at("graph-key"), []);
    return;
  }
  const { nodes, lines } = graphOf(tables, facts);
  if (isThicket(nodes, lines, at("graph").clientWidth)) drawLevels(at("graph"), nodes, lines);
  else draw(at("graph"), nodes, lines);
  const there = MOODS.filter((one) => tables.some((table) => table.mood === one));
  renew(at("graph-key"), there.length > 1 ? there.map((one) => h("li", {}, sign(one, 0.4), NAMES[one])) : []);
}

// Generations of one name are one node: the one that readers have, or the newest.
export function graphOf(tables, facts) {
  const here = new Map();
  for (const table of tables) {
    const other = here.get(table.name);
    if (!other || MOODS.indexOf(table.mood) < MOODS.indexOf(other.mood)) here.set(table.name, table);
  }
  const nodes = [], lines = [], sources = new Set();
  for (const table of here.values()) {
    for (const source of table.sources) {
      sources.add(source);
      lines.push({ from: `source ${source}`, to: `table ${table.name}`, flows: table.flows });
    }
    for (const read of table.reads) if (here.has(read)) lines.push({ from: `table ${read}`, to: `table ${table.name}`, flows: table.flows });
  }
  for (const source of [...sources].sort()) {
    const scans = tables.some((one) => one.scanned.includes(source));
    nodes.push({ id: `source ${source}`, name: source, isSource: true, aside: scans ? "scanned" : "", label: `Source ${named(source)}` });
  }
  for (const table of here.values()) {
    const rate = table.run && table.run.isActive && table.run.rate ? `${short(table.run.rate)}/s` : table.mood === "wrong" && ["at commit", "not known"].includes(table.lagSays) ? "" : table.lagSays;
    nodes.push({
      id: `table ${table.name}`, name: table.name, href: tablePath(table.name), mood: table.mood, says: table.says, aside: table.brief, rate,
      share: table.run && table.run.isActive ? table.run.progress : null, label: `${label(table)}${rate ? `, ${rate}` : ""}`,
    });
  }
  return { nodes, lines, facts };
}

function showTables(facts) {
  const panel = at("tables-panel"), many = facts.tables.length > FEW_TABLES;
  panel.hidden = facts.tables.length === 0;
  if (panel.hidden) return;
  at("find").closest("label").hidden = !many;
  panel.classList.toggle("dense", many);
  const there = MOODS.filter((one) => facts.tables.some((table) => table.mood === one));
  if (chosen.mood && !there.includes(chosen.mood)) chosen.mood = "";
  renew(at("filters"), many && there.length > 1 ? there.map((one) => filter(one, facts)) : []);
  const shown = facts.tables.filter(isChosen);
  renew(at("tables"), [
    shown.length
      ? h("table", { class: "tables" }, head(), h("tbody", {}, shown.map((one) => row(one, many))))
      : h("p", { class: "none" }, "No derived table is called that."),
  ]);
}

function filter(kind, facts) {
  const how = facts.tables.filter((one) => one.mood === kind).length;
  return h("button", { type: "button", "data-do": "filter", "data-mood": kind, "data-key": kind, "aria-pressed": String(chosen.mood === kind) },
    sign(kind, 0.4), `${NAMES[kind]} ${count(how)}`);
}

const head = () =>
  h("thead", {}, h("tr", {}, ["Derived table", "State", "Lag", "Drift", "Verified", "Kept"].map((one) => h("th", { scope: "col" }, one))));

function row(table, dense) {
  const running = table.run && table.run.isActive;
  const gone = table.generation > 1 ? h("span", { class: "under" }, `generation ${table.generation}`) : null;
  const covered = table.coverage === null || !table.verifiedAt || (dense && table.coverage >= 1) ? null : h("span", { class: "under" }, `${share(table.coverage)} of keys in 24 h`);
  return h("tr", { "data-key": table.key },
    h("td", {}, h("a", { class: "name", href: tablePath(table.name) }, name(table.name)), gone),
    h("td", { "data-label": "" }, mood(table.mood, table.says, running ? table.run.progress : null), running ? [bar(table.run), h("span", { class: "under" }, table.run.line)] : null),
    h("td", { "data-label": "lag" }, table.lagSays || NONE, table.waiting ? h("span", { class: "under" }, `${table.waiting} waiting`) : null),
    h("td", { "data-label": "drift" }, table.drift ? h("span", { class: "alarm" }, plural(table.drift, "row")) : "none"),
    h("td", { "data-label": "verified" }, verified(table), covered),
    h("td", { "data-label": "kept" }, table.klass, h("span", { class: "under" }, table.freshness === "commit" ? "at every commit" : `at ${table.freshness}s`)));
}

function streams(facts) {
  if (!facts.streams.length) return null;
  return h("section", { class: "panel" }, h("header", {}, h("h2", {}, "Streams")),
    h("table", { class: "rows" },
      h("thead", {}, h("tr", {}, ["Stream", "State", "Position", "Blocks", "Events", "Waiting for somebody"].map((one) => h("th", { scope: "col" }, one)))),
      h("tbody", {}, facts.streams.map((one) => h("tr", { "data-key": one.name },
        h("td", {}, h("a", { class: "name", href: streamPath(one.name) }, name(one.name))),
        h("td", {}, mood(one.mood, one.state), one.cause ? h("span", { class: "under" }, named(one.cause)) : null),
        h("td", { "data-label": "position" }, count(one.position)), h("td", { "data-label": "blocks" }, count(one.blocks)),
        h("td", { "data-label": "events" }, count(one.events)),
        h("td", { "data-label": "waiting" }, one.open ? h("span", { class: "hint" }, one.open) : "nothing"))))));
}

function events(facts) {
  const { waiting, failed, delivered } = facts.events;
  if (!waiting && !failed && !delivered) return null;
  return h("section", { class: "panel" }, h("header", {}, h("h2", {}, "Events of crossings"), failed ? ways([{ title: "Try again", command: "tidemark outbox retry", body: { action: "retry-events", names: [] } }], facts.actions.on) : null),
    h("div", { class: "figures" }, h("span", {}, h("b", {}, count(waiting)), " waiting"), h("span", {}, h("b", {}, count(delivered)), " delivered"),
      h(failed ? "a" : "span", { class: failed ? "alarm" : null, href: failed ? "#/outbox" : null }, `${count(failed)} failed`)));
}

// A line ends between two clauses rather than in one of them.
const clauses = (sentence) => sentence.split(/(?<=;) /).flatMap((one, place) => [place ? " " : "", h("span", {}, one)]);

export function showVerdict(box, facts, reach) {
  const lost = reach.state === "lost";
  const kind = lost || reach.state === "late" ? "unknown" : facts ? facts.verdict.mood : "unknown";
  box.dataset.mood = kind;
  const title = reach.state === "late" ? `Looking again; this was so at ${clock(reach.heard)}` : lost ? (reach.answered ? "Not known: the state cannot be read" : "Not known: the server does not answer") : facts ? facts.verdict.sentence : "Looking…";
  const more = lost || !facts ? "" : facts.verdict.more;
  const going = facts ? facts.runs.filter((one) => one.isActive && typeof one.progress === "number") : [];
  const done = going.length ? going.reduce((sum, one) => sum + one.progress, 0) / going.length : null;
  renew(box, [sign(kind, done), h("div", {}, h("h1", {}, clauses(named(title))), more ? h("p", {}, more) : null)]);
}
