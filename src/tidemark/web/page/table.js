// The page of one derived table: how it is, what it comes from, how it is kept true, and what was done for it.
//
// Owns: its page. Promises: everything that `tidemark explain` tells is here; a generation beside the one that readers have is shown.

import { h } from "./dom.js";
import { runsTable } from "./history.js";
import { sign } from "./moods.js";
import { graphOf } from "./overview.js";
import { bar, copy, fact, figures, lists, mood, name, panel, reasons, runPath, verified, ways } from "./parts.js";
import { command, count, dedent, moment, named, plural, quoted, share, span } from "./words.js";

const QUERY_LINES = 24;

export function tablePage(about, facts, here) {
  const tables = facts ? facts.tables.filter((one) => one.name === about) : [];
  const crumbs = h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/" }, "Overview"), " / derived table");
  if (!tables.length) {
    return [crumbs, h("div", { class: "head" }, h("h1", {}, name(about)), h("p", {}, facts ? "There is no derived table of that name here." : "Looking…")),
      facts && here.told.runs && here.told.runs.length ? panel("What was done", runsTable(here.told.runs, false)) : null];
  }
  return [
    crumbs,
    h("div", { class: "head" }, h("h1", {}, name(about)), mood(tables[0].mood, tables[0].says, tables[0].run ? tables[0].run.progress : null),
      h("p", {}, findingsOf(tables[0]))),
    tables.map((one) => now(one, tables.length > 1, facts)),
    here.told.drift && here.told.drift.length ? panel("Rows that are wrong", drift(here.told.drift), picked(about, here, facts)) : null,
    panel("Where it stands", h("div", { class: "scroll", id: "near", "data-own": "graph", tabindex: 0, role: "group", "aria-label": "What it comes from and what reads it" })),
    panel("What to do", commands(tables[0], facts)),
    here.told.audit && here.told.audit.length ? panel("What operators did", operators(here.told.audit)) : null,
    panel("What was done", here.told.runs ? (here.told.runs.length ? runsTable(here.told.runs, false) : h("p", { class: "none" }, "Nothing yet.")) : h("p", { class: "none" }, named(here.problems.runs || "Looking…")),
      h("p", { class: "more" }, h("a", { class: "button", href: `#/history/${encodeURIComponent(about)}` }, "Its whole history"))),
    explain(here),
  ];
}

function findingsOf(table) {
  if (!table.findings.length) return table.mood === "true" ? "Its rows equal its query." : "";
  return table.findings.map((one) => `It ${named(one.says)}`).join(". ").replace(/\.*$/, ".");
}

function now(table, isOneOfMany, facts) {
  const { lag, run } = table;
  const title = isOneOfMany ? `Generation ${table.generation}${table.shown ? ", which readers have" : ", not shown yet"}` : "Now";
  const own = run && run.isActive;
  return panel(title,
    run && run.state !== "live" ? h("div", { class: "active", "data-mood": run.mood },
      h("p", { class: "figures" }, mood(run.mood, run.says, run.progress), run.id !== null ? h("a", { href: runPath(run.id) }, `${run.kind} ${run.id}`) : null, own && run.holder ? h("span", {}, `by ${named(run.holder)}`) : null),
      bar(run), figures(run), reasons(run), run.failure ? h("p", { class: "alarm" }, named(run.failure)) : null, h("p", { class: "figures" }, ways(run.actions, facts.actions.on))) : null,
    h("dl", { class: "facts" },
      fact("Freshness", table.freshness === "commit" ? "every commit" : table.freshness === "tick" ? "ticks" : table.freshness, table.freshness === "commit" ? "true at each commit of anybody" : lag.seconds !== null && lag.changes ? `behind since ${span(lag.seconds)}` : null),
      fact("Class", table.klass, table.way ? `last batch: ${named(table.way)}` : null),
      fact("Lag", table.lagSays === "at commit" ? "none" : table.lagSays || "–", table.waiting ? `${table.waiting} waiting` : table.captures.ok ? "nothing waits" : "changes may be missed"),
      table.rows === null ? null : fact("Rows", `${table.rowsEstimated ? "about " : ""}${count(table.rows)}`, table.rowsAt ? `counted ${moment(table.rowsAt)}` : null),
      fact("Drift", table.drift ? h("span", { class: "alarm" }, plural(table.drift, "row")) : "none", table.drift ? "known to be wrong" : "known"),
      fact("Verified", verified(table), table.verifiedAt ? "last time nothing differed" : table.state !== "live" ? null : table.drift ? "rows differ" : "repaired since: verify it again"),
      fact("Coverage", table.coverage === null ? "–" : share(table.coverage), table.coverage === null ? "no worker verifies it by itself" : "of keys in the last 24 h"),
      fact("Captures", table.captures.ok ? "in place" : h("span", { class: "alarm" }, "not in place"), table.captures.ok ? null : named(table.captures.says)),
      table.shadow ? fact("In shadow", `since ${moment(table.shadow.since)}`, shadowOf(table.shadow)) : null),
    table.reason ? h("p", { class: "none small" }, `Why its last batch was made true that way: ${named(table.reason)}`) : null,
    table.scans.length ? lists([["Scans", table.scans]]) : null);
}

// How the columns that others still write were beside these rows when somebody looked.
const shadowOf = (told) => `of ${named(told.table)}, which others go on writing; ${told.compared_at
  ? `${count(told.rows_differing)} of ${plural(told.rows, "row")} differed ${moment(told.compared_at)}` : "not compared yet"}`;

// What it comes from and what reads it, as nodes and lines of the graph.
export function neighbours(about, facts) {
  const mine = facts.tables.filter((one) => one.name === about);
  const near = new Set([about, ...mine.flatMap((one) => one.reads), ...facts.tables.filter((one) => one.reads.includes(about)).map((one) => one.name)]);
  const around = facts.tables.filter((one) => near.has(one.name));
  const { nodes, lines } = graphOf(around, facts);
  const kept = lines.filter((one) => one.to === `table ${about}` || one.from === `table ${about}`);
  const joined = new Set([`table ${about}`, ...kept.flatMap((one) => [one.from, one.to])]);
  return { nodes: nodes.filter((one) => joined.has(one.id)), lines: kept };
}

const commands = (table, facts) =>
  h("ul", { class: "commands" }, table.actions.map((one) => h("li", {}, h("span", {}, one.title), ways([one], facts.actions.on))));

const operators = (lines) =>
  h("ol", { class: "time" }, lines.map((one) => h("li", {}, sign(one.outcome === "done" ? "behind" : "wrong"), named(`${one.action} ${one.detail}`.trim()),
    one.outcome === "done" ? "" : `: ${named(one.outcome)}`, h("time", { datetime: one.at }, `${moment(one.at)} · by ${named(one.who)}`))));

// Rows that somebody ticked, by the keys that the server gave; what is right again is no longer among them.
const picks = { about: "", ids: new Set() };

export function pick(box) {
  if (picks.about !== box.dataset.about) Object.assign(picks, { about: box.dataset.about, ids: new Set() });
  if (box.checked) picks.ids.add(box.dataset.pick);
  else picks.ids.delete(box.dataset.pick);
}

function picked(about, here, facts) {
  const ids = here.told.drift.map((one) => one.id).filter((one) => picks.about === about && picks.ids.has(one));
  if (!ids.length) return h("p", { class: "none small" }, "Tick rows to repair these alone.");
  const line = [command("repair", about), ...ids.map((one) => `--key ${quoted(one)}`)].join(" ");
  const title = `Repair ${plural(ids.length, "row")}`;
  const action = { title, command: line, body: { action: "repair", names: [about], keys: ids }, ask: `Make ${plural(ids.length, "row")} of ${named(about)} true again?` };
  return h("p", { class: "picked" }, ways([action], facts && facts.actions.on));
}

function drift(rows) {
  const values = (all) => (all.length ? all.map((one) => h("div", {}, h("span", { class: "soft" }, name(one.column), " "), h("span", { class: "mono" }, named(one.value)))) : h("span", { class: "soft" }, "no row"));
  return h("div", { class: "scroll" }, h("table", { class: "rows" },
    h("thead", {}, h("tr", {}, ["", "Key", "What", "Stored", "True"].map((one) => h("th", { scope: "col" }, one || h("span", { class: "unseen" }, "Picked"))))),
    h("tbody", {}, rows.map((row) => {
      const differs = (one, place, other) => !other[place] || String(other[place].value) !== String(one.value);
      const stored = row.stored.filter((one, place) => row.kind !== "different" || differs(one, place, row.true));
      const truth = row.true.filter((one, place) => row.kind !== "different" || differs(one, place, row.stored));
      const label = `Repair the row ${row.key.map((one) => `${named(one.column)} ${named(one.value)}`).join(", ")}`;
      return h("tr", { "data-key": row.id }, h("td", { class: "tick" }, h("input", { type: "checkbox", "data-pick": row.id, "data-about": row.name, "aria-label": label })),
        h("td", { class: "wide" }, values(row.key)), h("td", { "data-label": "what" }, named(row.kind)),
        h("td", { class: "wide", "data-label": "stored" }, values(stored)), h("td", { class: "wide", "data-label": "true" }, values(truth)));
    }))));
}

function explain(here) {
  const told = here.told.explain;
  if (!told) return panel("How it is kept true", h("p", { class: "none" }, here.problems.explain ? `This cannot be read now: ${named(here.problems.explain)}` : "Looking…"));
  const query = dedent(told.query), writer = told.writer_microseconds;
  const figures = writer ? Object.entries(writer).filter(([, value]) => typeof value === "number").map(([what, value]) => `${what.replaceAll("_", " ")}: ${value} µs`).join(", ") : "";
  return panel("How it is kept true",
    lists([
      ["Class", `${told.class}, at ${told.freshness} freshness`], ["Why", told.reasons], ["Cost", told.cost], ["Work", told.formula],
      ["A writer pays", [told.writer, figures]], ["Key", (told.key || []).join(", ")], ["Recomputed by", told.unit && String(told.unit) !== String(told.key) ? told.unit.join(", ") : null],
      ["How changes reach it", told.routes], ["Captures", told.captures], ["Looked up by", (told.indexes || []).map((one) => `${one.source} (${one.columns})`)],
      ["Indexes", told.restriction], ["Fan-out", told.fan_out], ["How old it can be", told.staleness], ["Exact but for", told.exactness],
      ["Who waits for whom", told.locks], ["Measured", told.measured], ["Cheaper", told.cheaper], ["Stored beside it", told.supports], ["Notes", told.notes],
      ["Rows in", h("span", { class: "mono" }, named(told.store))],
    ]),
    (told.missing_indexes || []).length ? h("div", { class: "beside" }, h("h3", {}, "Indexes that would help"), told.missing_indexes.map((one) => h("p", {}, copy(one.statement), h("span", { class: "soft small" }, ` ${named(one.reason)}`)))) : null,
    (told.operators || []).length ? h("details", {}, h("summary", {}, `Its ${plural(told.operators.length, "operator")}`), h("div", { class: "scroll" }, h("table", { class: "rows" },
      h("thead", {}, h("tr", {}, ["Operator", "Class", "Why"].map((one) => h("th", { scope: "col" }, one)))),
      h("tbody", {}, told.operators.map((one) => h("tr", {}, h("td", { class: "wide" }, named(one.what)), h("td", { "data-label": "class" }, named(one.class)), h("td", { class: "wide" }, named(one.reason)))))))) : null,
    h("details", { open: query.split("\n").length <= QUERY_LINES ? true : null }, h("summary", {}, "The query"), h("pre", { tabindex: 0 }, query)));
}
