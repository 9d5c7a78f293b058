// The pages behind the overview: one derived table, one run, the history, a stream, events.
//
// Owns: what of the server each of them reads, and when again. Promises: a late answer to an earlier page is dropped; what cannot be
// read is said in its place; nothing is asked that a page does not show.

import { h, renew } from "./dom.js";
import { readPast, readRun } from "./facts.js";
import { draw, follow } from "./graph.js";
import { historyPage } from "./history.js";
import { runPage } from "./run.js";
import { outboxPage, streamPage } from "./streams.js";
import { neighbours, tablePage } from "./table.js";
import { ask } from "./watch.js";
import { clock, named } from "./words.js";

const AGAIN_MS = 8000, PAGE = 50;
const PAGES = { table: tablePage, run: runPage, history: historyPage, stream: streamPage, outbox: outboxPage };
const here = { key: "", told: {}, problems: {}, read: {}, good: {}, open: new Set(), runs: [], next: null };

const keyOf = (route) => `${route.kind} ${route.about}`;

function begin(route) {
  Object.assign(here, { key: keyOf(route), told: {}, problems: {}, read: {}, good: {}, open: new Set(), runs: [], next: null, memory: [] });
}

export function showDetail(box, route, facts, watch) {
  if (here.key !== keyOf(route)) begin(route);
  here.facts = facts;
  // A late answer is shown with the newest status, not with that of the moment in which it was asked for.
  const again = () => {
    if (here.key !== keyOf(route)) return;
    renew(box, [stale(), ...PAGES[route.kind](route.about, here.facts, here)]);
    const near = document.getElementById("near");
    if (near) drawNear(near, route.about, here.facts);
  };
  if (watch.reach.state !== "lost") {
    if (route.kind === "table") readOfTable(route, facts, again);
    else if (route.kind === "run") readOfRun(route, again);
    else if (route.kind === "stream") want("streams", "streams", AGAIN_MS, (told) => { here.told.streams = told.streams; }, again);
    else if (route.kind === "outbox") want("outbox", "outbox?state=failed&limit=200", AGAIN_MS, (told) => { here.told.outbox = told.events; }, again);
    else readOfHistory(route, again);
  }
  again();
}

// What was read before stands there as long as it cannot be read again, and this says so.
function stale() {
  const names = Object.keys(here.problems).filter((name) => here.good[name] !== undefined);
  if (!names.length) return null;
  return h("p", { class: "stale", role: "alert" }, `Not everything here can be read now: ${named(here.problems[names[0]])}. ${names.join(", ")} may be as of ${clock(Math.min(...names.map((one) => here.good[one])))}.`);
}

const followed = new WeakSet();

function drawNear(box, about, facts) {
  const { nodes, lines } = neighbours(about, facts);
  draw(box, nodes, lines);
  if (!followed.has(box)) follow(box);
  followed.add(box);
}

// Ask for something of this page unless it is fresh enough; `take` puts the answer where the page finds it.
async function want(name, path, every, take, again) {
  const key = here.key, last = here.read[name];
  if (here.open.has(name) || (last !== undefined && Date.now() - last < every)) return;
  here.open.add(name);
  try {
    const told = await ask(path);
    if (here.key !== key) return;
    take(told);
    delete here.problems[name];
    here.good[name] = Date.now();
  } catch (problem) {
    if (here.key !== key) return;
    here.problems[name] = problem.message;
  } finally {
    if (here.key === key) {
      here.open.delete(name);
      here.read[name] = Date.now();
      again();
    }
  }
}

function readOfTable(route, facts, again) {
  const name = encodeURIComponent(route.about);
  const tables = facts ? facts.tables.filter((one) => one.name === route.about) : [];
  want("explain", `explain/${name}`, 60000, (told) => { here.told.explain = told; }, again);
  want("runs", `runs?name=${name}&limit=20`, AGAIN_MS, (told) => { here.told.runs = told.runs.map(readPast); }, again);
  want("audit", `audit?name=${name}&limit=20`, AGAIN_MS, (told) => { here.told.audit = told.audit; }, again);
  if (tables.some((one) => one.drift > 0)) want("drift", `drift?name=${name}&limit=50`, AGAIN_MS, (told) => { here.told.drift = told.drift; }, again);
  else delete here.told.drift;
}

function readOfRun(route, again) {
  const about = here.told.run, isOver = about && about.past.ended;
  const take = (told) => {
    const active = told.active ? readRun(told.active) : null;
    here.told.run = { past: readPast(told.run), active, samples: told.samples || [], statements: told.statements || [], quarantine: told.quarantine || [], audit: told.audit || [] };
    if (active && active.isActive) remember(active);
  };
  want("run", `runs/${encodeURIComponent(route.about)}`, isOver ? AGAIN_MS : 1500, take, again);
}

// What this page saw of a run since it was opened, for as long as it is open.
function remember(run) {
  here.memory.push({ at: Date.now(), rate: run.rate, ...run.chunk });
  if (here.memory.length > 400) here.memory.shift();
}

function readOfHistory(route, again) {
  const name = route.about ? `&name=${encodeURIComponent(route.about)}` : "";
  if (route.more && here.next !== null) {
    const { next } = here;
    want(`before ${next}`, `runs?limit=${PAGE}&before=${next}${name}`, 0, (told) => { take(told, true); }, again);
    return;
  }
  want("runs", `runs?limit=${PAGE}${name}`, AGAIN_MS, (told) => { take(told, false); }, again);
}

// The newest page is read again and again; pages behind it are added once.
function take(told, isOlder) {
  const found = told.runs.map(readPast);
  const known = new Map([...here.runs, ...found].map((one) => [one.id, one]));
  const wasEmpty = here.runs.length === 0;
  here.runs = [...known.values()].sort((a, b) => b.id - a.id);
  here.told.runs = here.runs;
  if (isOlder || wasEmpty) here.next = told.next;
}

