// The dashboard: which page is shown, when it is read again, and what happens when somebody presses something.
//
// Owns: routes, reading the status again and again, and the one listener for clicks. Promises: what cannot be read greys what is
// shown and says since when; nothing is read while nobody looks; a page that is opened anew begins at its heading.

import { showDetail } from "./detail.js";
import { h, renew } from "./dom.js";
import { askForToken } from "./door.js";
import { readFacts } from "./facts.js";
import { follow } from "./graph.js";
import { choosePlace, followLevels } from "./levels.js";
import { choose, showOverview, showVerdict } from "./overview.js";
import { act, copyText, lookAt, seen } from "./press.js";
import { pick } from "./table.js";
import { Watch } from "./watch.js";
import { clock, named, span } from "./words.js";

const at = (id) => document.getElementById(id);
const shown = { facts: null, route: null, drawn: null };

function routeNow() {
  const [kind, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const about = rest.join("/");
  if (["table", "run", "history", "stream", "outbox"].includes(kind)) {
    try {
      return { kind, about: decodeURIComponent(about) };
    } catch {
      return { kind: "overview", about: "" };
    }
  }
  return { kind: "overview", about: "" };
}

const watch = new Watch({
  read: (told) => {
    shown.facts = readFacts(told);
    return shown.facts.tables.some((one) => one.lag.seconds > 0);
  },
  tell: () => show(false),
});

// Unless somebody did something, facts that are drawn already are not drawn again: hundreds of rows would be looked through.
function show(isAsked = true) {
  const { facts } = shown, { route } = shown;
  const reach = watch.reach;
  document.body.dataset.reach = reach.state;
  showReach(reach);
  const isOverview = route.kind === "overview";
  at("verdict").hidden = !isOverview;
  at("overview").hidden = !isOverview || !facts;
  at("detail").hidden = isOverview;
  showVerdict(at("verdict"), facts, reach);
  document.title = titleOf(facts, route, reach);
  // What cannot be shown any more stays as it was, and is grey.
  if (reach.state === "lost") return;
  if (facts) renew(at("where"), [[named(facts.database), facts.engine].filter(Boolean).join(" · ")]);
  if (isOverview && facts && (isAsked || shown.drawn !== facts)) showOverview(facts, seen);
  shown.drawn = isOverview ? facts : null;
  if (!isOverview) showDetail(at("detail"), route, facts, watch);
}

function titleOf(facts, route, reach) {
  const state = ["lost", "late"].includes(reach.state) ? "? " : facts && facts.verdict.mood === "wrong" ? "! " : "";
  const about = { table: named(route.about), run: `Run ${named(route.about)}`, history: "History", stream: named(route.about), outbox: "Events" }[route.kind];
  return `${state}${about ? `${about} · ` : ""}Tidemark`;
}

function showReach(reach) {
  const pulse = { opening: "opening", live: `as of ${clock(reach.heard)}`, late: `as of ${clock(reach.heard)}`, lost: "no answer" }[reach.state];
  at("pulse").textContent = pulse;
  const lost = reach.state === "lost";
  at("lost").hidden = !lost;
  if (!lost) {
    renew(at("lost"), []);
    return;
  }
  const past = span(Math.floor((Date.now() - (reach.heard || reach.since)) / 1000));
  const what = reach.answered ? "The server cannot say how it is" : "The server does not answer";
  renew(at("lost"), [
    h("b", {}, `${what}${reach.heard ? `, since ${clock(reach.heard)} (${past})` : ""}:`),
    ` ${named(reach.why)}. ${reach.heard ? "What is grey is what it said then, and may be wrong now. " : ""}It is asked again every few seconds. `,
    reach.isLocked ? h("button", { type: "button", "data-do": "token" }, "Say who asks") : null,
  ]);
}

function openRoute(isFirst) {
  const route = routeNow();
  const changed = !shown.route || shown.route.kind !== route.kind || shown.route.about !== route.about;
  shown.route = route;
  for (const link of document.querySelectorAll("[data-page]")) {
    if (link.dataset.page === route.kind) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (changed) {
    renew(at("detail"), []);
    lookAt(route, shown.facts);
  }
  show();
  if (changed && !isFirst) {
    scrollTo(0, 0);
    at("main").focus({ preventScroll: true });
  }
}

document.addEventListener("click", (event) => {
  const pressed = event.target.closest?.("[data-do]");
  if (!pressed) return;
  const { do: what } = pressed.dataset;
  if (what === "skip") {
    event.preventDefault();
    at("main").focus();
  } else if (what === "copy") {
    copyText(pressed, at("said"));
  } else if (what === "seen") {
    seen.add(pressed.dataset.about);
    show();
  } else if (what === "place") {
    choosePlace(pressed.dataset.place);
    show();
  } else if (what === "filter") {
    choose({ mood: pressed.getAttribute("aria-pressed") === "true" ? "" : pressed.dataset.mood });
    show();
  } else if (what === "act") {
    act(pressed, at("said")).then(() => watch.lookNow());
  } else if (what === "token") {
    askForToken().then(() => watch.lookNow());
  } else if (what === "leave") {
    pressed.closest("dialog").close();
  } else if (what === "more") {
    showDetail(at("detail"), { ...shown.route, more: true }, shown.facts, watch);
  }
});

document.addEventListener("change", (event) => {
  if (!event.target.dataset?.pick) return;
  pick(event.target);
  show();
});

at("find").addEventListener("input", (event) => {
  choose({ text: event.target.value });
  show();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.nodeName)) return;
  if (at("find").offsetParent === null) return;
  event.preventDefault();
  at("find").focus();
});

window.addEventListener("hashchange", () => openRoute(false));
let width = 0;
new ResizeObserver(() => {
  if (at("graph").clientWidth !== width) {
    width = at("graph").clientWidth;
    if (shown.route) show();
  }
}).observe(at("main"));
follow(at("graph"));
followLevels(at("graph"));
openRoute(true);
watch.start();
