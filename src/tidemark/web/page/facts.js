// What the server says, in the form in which the page shows it.
//
// Owns: `readFacts`, `readRun` and `readPast`; the only place that knows the names in the server's JSON. Promises: what is missing or
// of a kind that this page does not know becomes "not known" and never "well"; the verdict and the findings are the server's own.

import { MOODS, moodOfState } from "./moods.js";
import { runPath, streamPath, tablePath } from "./parts.js";
import { command, count, isNumber, moment, named, plural, range, share, short, span } from "./words.js";

const WORKING = new Set(["running", "installing", "backfilling", "verifying"]);
const ENGINES = { sqlite: "SQLite", postgres: "PostgreSQL", postgresql: "PostgreSQL" };
const LEVELS = { pass: "true", warn: "held", fail: "wrong" };
const list = (value) => (Array.isArray(value) ? value : []);
const number = (value) => (isNumber(value) ? value : null);

// The whole of `/status`. Raises an error when it is none.
export function readFacts(told) {
  if (!told || !told.verdict || !Array.isArray(told.tables)) throw new Error("the answer is no status");
  const tables = told.tables.map(readTable);
  const backfills = list(told.backfills).map(readRun);
  tables.sort((a, b) => MOODS.indexOf(a.mood) - MOODS.indexOf(b.mood) || compare(a.name, b.name) || a.generation - b.generation);
  const runs = [...tables.map((one) => one.run).filter(Boolean), ...backfills];
  const streams = list(told.streams).map(readStream);
  const facts = {
    at: told.at, database: told.database || "", engine: ENGINES[told.engine] || told.engine || "", tables, runs, streams,
    sources: list(told.sources), events: { waiting: 0, delivered: 0, failed: 0, ...told.outbox }, actions: { on: Boolean(told.actions && told.actions.allowed) },
    holders: list(told.holders), findings: [],
  };
  facts.findings = readFindings(told.verdict, facts);
  facts.verdict = readVerdict(told.verdict, facts);
  return facts;
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function readVerdict(told, facts) {
  const kind = LEVELS[told.level] || "unknown";
  const calm = kind === "held" && facts.findings.length === 0;
  const parts = [facts.tables.length ? `${plural(facts.tables.length, "derived table")} from ${plural(facts.sources.length, "source")}` : ""];
  const isBare = !facts.tables.length && !facts.streams.length && !facts.runs.length;
  return {
    mood: isBare && kind === "wrong" ? "idle" : calm ? "filling" : kind, sentence: told.sentence || "The server gives no verdict.",
    more: [...parts, facts.holders.length ? `${plural(new Set(facts.holders.map((one) => one.holder)).size, "worker")} at it` : ""].filter(Boolean).join(" · "),
  };
}

// What needs somebody: one entry for each thing. What is merely under way is shown as work.
function readFindings(verdict, facts) {
  const about = new Map();
  for (const one of list(verdict.findings)) {
    const key = `${one.kind} ${one.name}`;
    if (!about.has(key)) about.set(key, []);
    about.get(key).push(one);
  }
  const found = [];
  for (const all of about.values()) {
    const { kind, name } = all[0];
    const table = kind === "table" ? facts.tables.find((one) => one.name === name) : null;
    const run = kind === "table" ? facts.runs.find((one) => one.name === name && one.kind === "fill") : kind === "backfill" ? facts.runs.find((one) => one.name === name && one.kind === "backfill") : null;
    const failed = all.some((one) => one.level === "fail");
    if (kind === "ledger" && !facts.tables.length) continue;
    if (!failed && run && run.isActive) continue;
    found.push({
      key: all.map((one) => `${one.kind}\n${one.name}\n${one.says}`).join("\n"), kind, name, level: failed ? "fail" : "warn",
      mood: table && table.mood !== "true" ? table.mood : "held", word: failed ? (table ? table.says : "failed") : table ? table.says : run ? run.says : "waits",
      says: all.map((one) => sentence(one.says)).join(" "), next: (all.find((one) => one.next) || {}).next || "",
      path: pathOf(kind, name, table, run), run: run && isNumber(run.progress) && run.progress < 1 ? run : null,
      actions: table && table.drift ? table.actions.filter((one) => one.verb === "repair") : run && !run.isActive ? run.actions : [], canBeSeen: failed,
    });
  }
  return found.sort((a, b) => compare(a.level, b.level) || compare(a.name, b.name));
}

function pathOf(kind, name, table, run) {
  if (table) return tablePath(name);
  if (kind === "stream") return streamPath(name);
  if (kind === "outbox") return "#/outbox";
  return run && run.id !== null ? runPath(run.id) : "";
}

function sentence(text) {
  const said = String(text || "").trim().replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, moment);
  if (!said) return "";
  return said[0].toUpperCase() + said.slice(1) + (/[.?!]$/.test(said) ? "" : ".");
}

function readTable(told) {
  const lag = told.lag || {}, verification = told.verification || {}, captures = told.captures || { ok: false, says: "unknown" };
  const run = told.run ? readRun(told.run) : null;
  const table = {
    key: `${told.name} ${told.generation}`, name: String(told.name), generation: told.generation, state: String(told.state), level: told.level,
    klass: told.class || "unknown", freshness: told.freshness || "unknown", reads: list(told.reads), sources: list(told.sources), scanned: told.scans && told.scans.length ? list(told.sources) : [],
    scans: list(told.scans), rows: number(told.rows), rowsEstimated: Boolean(told.rows_estimated), rowsAt: told.rows_at || null, drift: number(told.drift) ?? 0,
    captures, verifiedAt: verification.at || null, verifiedFor: number(verification.seconds), coverage: number(verification.coverage),
    lag: { changes: number(lag.changes), upstream: number(lag.upstream_changes) || 0, seconds: number(lag.seconds), more: Boolean(lag.changes_are_more) },
    way: told.way || "", reason: told.reason || "", failure: told.failure || "", next: told.next || "", findings: list(told.findings), run, shown: told.shown !== false,
    shadow: told.shadow || null,
  };
  table.mood = moodOf(table);
  table.says = wordsOf(table);
  table.lagSays = lagOf(table);
  table.brief = briefOf(table);
  table.waiting = table.lag.changes || table.lag.upstream ? waitingOf(table.lag) : "";
  table.flows = table.mood === "behind" || Boolean(run && run.isActive && run.mood === "filling");
  table.actions = actionsOfTable(table);
  return table;
}

function moodOf(table) {
  if (table.level === "fail" || table.drift > 0) return "wrong";
  const kind = moodOfState(table.state);
  if (kind === "unknown" || !["pass", "warn"].includes(table.level)) return "unknown";
  if (kind === "filling") return table.run && table.run.mood !== "filling" ? table.run.mood : kind;
  if (kind !== "true") return kind;
  if (table.level === "warn") return "held";
  return table.lag.changes || table.lag.upstream ? "behind" : "true";
}

function wordsOf(table) {
  if (table.drift > 0) return `${plural(table.drift, "row")} wrong`;
  if (table.state === "failed") return "failed";
  if (table.mood === "wrong") return table.captures.ok ? gist(table.findings) : "may miss changes";
  if (table.mood === "held" && table.state === "live") return table.lag.changes || table.lag.upstream ? "behind for long" : "held back";
  if (table.run && table.state !== "live") return table.run.says;
  return { true: "true", behind: "behind", unknown: "unknown" }[table.mood] || named(table.state);
}

// The beginning of what was found: "has 3 units quarantined, because …" is "3 units quarantined".
function gist(findings) {
  const worst = findings.find((one) => one.level === "fail");
  const said = worst ? named(String(worst.says).split(/[,:;]\s/)[0].replace(/^(has|is) /, "")) : "";
  return said && said.length <= 32 ? said : "needs attention";
}

// The same where there is little room: beside the sign of its mood.
function briefOf(table) {
  if (table.drift > 0) return `${short(table.drift)} wrong`;
  if (table.mood === "behind" || (table.mood === "held" && table.state === "live" && table.lagSays)) return table.lagSays;
  if (table.mood === "wrong" && table.state === "live" && !table.captures.ok) return "gap";
  if (table.run && table.state !== "live" && isNumber(table.run.progress)) return share(table.run.progress);
  return table.mood === "true" ? "" : table.says;
}

function lagOf(table) {
  if (table.state !== "live") return "";
  // Where a change may have been missed nobody can say how old the rows are.
  if (!table.captures.ok) return "not known";
  if (table.lag.changes || table.lag.upstream) return isNumber(table.lag.seconds) ? span(table.lag.seconds) : "not known";
  if (table.freshness === "commit") return "at commit";
  return table.lag.seconds === 0 ? "0 s" : "not known";
}

function waitingOf(lag) {
  const own = lag.changes ? `${lag.more ? "more than " : ""}${count(lag.more ? lag.changes - 1 : lag.changes)}` : "";
  return [own, lag.upstream ? `${count(lag.upstream)} upstream` : ""].filter(Boolean).join(" + ");
}

// A run that is at work, or a backfill wherever it stands.
export function readRun(told) {
  const throttle = told.throttle || {}, eta = told.eta || {};
  const run = {
    id: told.id ?? null, key: `${told.kind} ${told.name} ${told.id}`, name: String(told.name), kind: told.kind || "unknown", state: String(told.state), isActive: Boolean(told.running),
    attempt: told.attempt || 1, done: number(told.done), total: number(told.total), totalIsEstimate: Boolean(told.total_is_estimate), written: number(told.written),
    quarantined: number(told.quarantined) || 0, progress: number(told.ratio), rate: number(told.rate), rateState: told.rate_state || "unknown",
    eta: { state: eta.state || "unknown", seconds: number(eta.seconds), low: number(eta.low), high: number(eta.high) },
    reasons: list(throttle.reasons).map((one) => named(one.says || one.reason)), wish: told.wish || "", nice: number(told.nice), failure: told.failure || "",
    holder: told.holder || "", started: told.started || null, ended: told.ended || null, elapsed: number(told.elapsed_seconds), updatedFor: number(told.updated_seconds),
    chunk: told.chunk || null,
  };
  const isStalled = run.isActive && run.rateState === "stalled" && WORKING.has(run.state);
  run.mood = isStalled ? "held" : moodOfState(run.state);
  run.says = saysOf(run, isStalled);
  run.line = [run.rate ? `${short(run.rate)}/s` : "", etaLine(run), run.reasons[0] || ""].filter(Boolean).join(" · ");
  run.actions = actionsOfRun(run);
  return run;
}

const VERBS = { running: "at work", backfilling: "filling", verifying: "verifying", installing: "installing", finished: "done" };

function saysOf(run, isStalled) {
  const word = isStalled ? "no sign of life" : run.kind === "backfill" && run.state === "backfilling" ? "running" : VERBS[run.state] || named(run.state);
  const wish = run.wish === "pause" && run.state !== "paused" ? ", pausing" : run.wish === "cancel" ? ", cancelling" : "";
  const much = isNumber(run.progress) && run.progress < 1 && ["backfilling", "throttled", "paused", "interrupted"].includes(run.state) ? ` ${share(run.progress)}` : "";
  return `${word}${much}${wish}`;
}

function etaLine(run) {
  if (run.mood !== "filling") return "";
  if (isNumber(run.eta.low) && isNumber(run.eta.high)) return `${range(run.eta.low, run.eta.high)} left`;
  return isNumber(run.eta.seconds) ? `about ${span(run.eta.seconds)} left` : "";
}

// What can be done: a command always, and what the server would be asked where it can do it.
const act = (verb, title, line, names = null, more = {}) =>
  ({ verb, title, command: line, body: names ? { action: verb, names, ...more.body } : null, ask: more.ask, grave: more.grave });

function actionsOfTable(table) {
  const { name } = table, found = [act("verify", "Verify now", command("verify", name), [name])];
  if (table.drift) found.push(act("repair", "Repair", command("repair", name), [name], { ask: `Make ${plural(table.drift, "row")} of ${named(name)} true again?` }));
  if (table.lag.changes) found.push(act("tick", "Tick", command("tick", name)));
  found.push(act("explain", "Explain", command("explain", name)));
  return found;
}

function actionsOfRun(run) {
  if (!["backfill", "fill"].includes(run.kind)) return [];
  const { name } = run, isFill = run.kind === "fill", to = (verb) => command(`backfill ${verb}`, name);
  const after = isFill ? "Nobody has seen it yet; tidemark apply begins it anew." : "What was committed stands.";
  const cancel = act("cancel", "Cancel", to("cancel"), [name], { grave: true, ask: `Give up ${named(name)}? ${after}` });
  if (run.state === "paused" || run.wish === "pause") return [act("resume", "Resume", to("resume"), [name]), cancel];
  if (["failed", "quarantined", "cancelled"].includes(run.state)) return [isFill ? act("run", "Fill it", "tidemark apply") : act("retry", "Try again", to("retry"), [name])];
  if (run.state === "interrupted") return [act("run", "Go on", isFill ? "tidemark apply" : to("run")), cancel];
  if (!run.isActive) return [];
  const found = [act("pause", "Pause", to("pause"), [name])];
  if (run.state !== "verifying" && run.wish !== "cancel") found.push(cancel);
  return found;
}

// How much it rests, for the page of a run.
export function paces(run) {
  if (!run.isActive || !["backfill", "fill"].includes(run.kind)) return [];
  const now = run.nice ?? 1, to = (nice) => `${command("backfill resume", run.name)} --nice ${nice}`;
  const pace = (title, nice) => act("nice", title, to(nice), [run.name], { body: { nice } });
  return [pace("Rest more", now ? now * 2 : 1), ...(now ? [pace("Rest less", now / 2)] : [])];
}

// How a stream is doing.
export function readStream(told) {
  const open = [told.gaps ? `${count(told.gaps)} passed over` : "", told.quarantined ? `${count(told.quarantined)} quarantined` : ""].filter(Boolean).join(", ");
  return { name: String(told.name), state: named(told.state), mood: moodOfState(told.state), position: number(told.position), blocks: number(told.blocks),
    events: number(told.events), cause: told.cause || "", open };
}

// A row of the history.
export function readPast(told) {
  return {
    id: told.id, key: String(told.id), name: String(told.name), kind: told.kind || "unknown", state: named(told.state), mood: moodOfState(told.state), generation: told.generation,
    holder: told.holder || "", started: told.started || null, startedFor: number(told.started_seconds), ended: told.ended || null, seconds: number(told.seconds),
    done: number(told.done), total: number(told.total), written: number(told.written), longest: number(told.longest_ms), message: told.message || "", cause: told.cause || "",
  };
}
