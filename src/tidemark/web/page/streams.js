// The pages of a stream and of the outbox: what was passed over, quarantined, or could not be told to its handler.
//
// Owns: both pages. Promises: what waits for somebody is shown with its evidence, as text, and with the command that tries it again.

import { h } from "./dom.js";
import { readStream } from "./facts.js";
import { moodOfState } from "./moods.js";
import { copy, fact, mood, name, panel, ways } from "./parts.js";
import { ago, command, count, moment, named, NONE } from "./words.js";

const crumbs = (what) => h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("a", { href: "#/" }, "Overview"), ` / ${what}`);

const rows = (heads, lines) =>
  h("div", { class: "scroll" }, h("table", { class: "rows" },
    h("thead", {}, h("tr", {}, heads.map((one) => h("th", { scope: "col" }, one)))), h("tbody", {}, lines)));

const evidence = (text) => h("details", {}, h("summary", {}, "Evidence"), h("pre", { tabindex: 0 }, String(text)));

export function streamPage(about, facts, here) {
  const { problems, told } = here, found = told.streams ? told.streams.find((one) => one.name === about) : null;
  if (!found) {
    const says = problems.streams || (told.streams ? "There is no stream of that name here." : "Looking…");
    return [crumbs("stream"), h("div", { class: "head" }, h("h1", {}, name(about)), h("p", {}, named(says)))];
  }
  const stream = readStream(found), run = command("stream run", about);
  return [
    crumbs("stream"),
    h("div", { class: "head" }, h("h1", {}, name(about)), mood(stream.mood, stream.state), h("p", {}, stream.open ? `${stream.open}, waiting for somebody` : "Nothing waits for somebody.")),
    stream.cause ? h("section", { class: "card", "data-mood": "wrong" }, h("h2", {}, `Why it stands still at ${count(found.failed_at)}`), h("p", { class: "why" }, named(stream.cause)), h("footer", {}, copy(run), copy(command("stream skip", about)))) : null,
    panel("Now", h("dl", { class: "facts" },
      fact("Position", count(stream.position), found.time ? `of ${moment(found.time) === NONE ? named(found.time) : moment(found.time)}` : null), fact("Heard", ago(found.updated_seconds), moment(found.updated)),
      fact("Blocks", count(stream.blocks)), fact("Events", count(stream.events)), fact("Redelivered", count(found.redelivered), "known already, nothing done"),
      fact("Skipped", count(found.skipped), "items and events, ever"), fact("Hooks that failed", count(found.hook_failures)))),
    found.gap_list.length ? panel("Blocks that were passed over", rows(["Position", "Why", "Tried", "Found"], found.gap_list.map((one) => h("tr", { "data-key": one.position },
      h("td", {}, count(one.position)), h("td", { class: "wide" }, named(one.cause)), h("td", { "data-label": "tried" }, count(one.attempts)), h("td", { "data-label": "found" }, moment(one.found)))))) : null,
    found.quarantine.length ? panel("What was quarantined", rows(["What", "Why", "Tried", "Found"], found.quarantine.map((one) => h("tr", { "data-key": one.id },
      h("td", { class: "wide" }, `${named(one.kind)}, ${named(one.level)}`, h("span", { class: "under mono" }, one.identity.join(" / ")), evidence(one.evidence)),
      h("td", { class: "wide" }, named(one.reason)), h("td", { "data-label": "tried" }, count(one.attempts)), h("td", { "data-label": "found" }, moment(one.found)))))) : null,
    panel("What to do", h("ul", { class: "commands" }, [["Go on", run], ["Try again", command("stream retry", about)]].map(([title, line]) => h("li", {}, h("span", {}, title), copy(line))))),
  ];
}

export function outboxPage(about, facts, here) {
  const { problems, told } = here, retry = { title: "Try again", command: "tidemark outbox retry", body: { action: "retry-events", names: [] } };
  const values = (key) => h("span", { class: "mono" }, named(Object.entries(key).map(([column, value]) => `${column} ${value}`).join(", ")));
  return [
    crumbs("events of crossings"),
    h("div", { class: "head" }, h("h1", {}, "Events that could not be told"), h("p", {}, "Each was tried a few times. ", ways([retry], facts && facts.actions.on))),
    panel("Failed", !told.outbox ? h("p", { class: problems.outbox ? "none alarm" : "none" }, named(problems.outbox || "Looking…"))
      : !told.outbox.length ? h("p", { class: "none" }, "There is none.")
        : rows(["Event", "Row", "Threshold", "Error", "Happened"], told.outbox.map((one) => h("tr", { "data-key": one.id },
          h("td", {}, mood(moodOfState(one.state), String(one.id))), h("td", { class: "wide" }, name(one.name), h("span", { class: "under" }, values(one.key))),
          h("td", { "data-label": "threshold" }, `${named(one.column)} ${one.threshold}`), h("td", { class: "wide" }, named(one.error || NONE)), h("td", { "data-label": "happened" }, moment(one.happened)))))),
  ];
}
