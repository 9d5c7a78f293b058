// What buttons do: copy a command, ask the server for an action, note that somebody looked.
//
// Owns: the clipboard, actions, and `seen`. Promises: an action is asked for once, says what became of it, and never happens from a
// page of another origin; what was seen is remembered in this browser only, and a new failure is news again.

import { askForToken, askIfSure } from "./door.js";
import { ask } from "./watch.js";
import { named } from "./words.js";

const KEY = "tidemark-seen", SEEN_MAX = 500;

class Seen {
  constructor() {
    try {
      this.all = new Set(JSON.parse(localStorage.getItem(KEY) || "[]"));
    } catch {
      this.all = new Set();
    }
  }

  has(key) {
    return this.all.has(key);
  }

  add(key) {
    this.all.add(key);
    try {
      localStorage.setItem(KEY, JSON.stringify([...this.all].slice(-SEEN_MAX)));
    } catch {
      // Without storage it is forgotten with the page.
      return;
    }
  }
}

export const seen = new Seen();

// Whoever opens the page of a thing has looked at what was wrong with it.
export function lookAt(route, facts) {
  if (!facts || route.kind !== "table") return;
  for (const one of facts.findings) if (one.kind === "table" && one.name === route.about) seen.add(one.key);
}

export async function copyText(button, said) {
  const { text } = button.dataset;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers keep the clipboard for secure pages: select it, so that one key copies it.
    const range = document.createRange();
    range.selectNodeContents(button.querySelector("span"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    said.textContent = "The command is selected";
    return;
  }
  said.textContent = "Copied";
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1600);
}

export async function act(button, said) {
  const { body, ask: question, title, command } = button.dataset;
  refuse("");
  if (question && !(await askIfSure(question, title, command))) return;
  button.disabled = true;
  said.textContent = `${title}: asked`;
  try {
    await send(body);
    said.textContent = `${title}: the server does it`;
  } catch (problem) {
    refuse(`${title}: ${named(problem.message)}`);
  } finally {
    button.disabled = false;
  }
}

// What the server refused stays in sight until something else is asked.
function refuse(text) {
  const box = document.getElementById("refused");
  box.textContent = text;
  box.hidden = text === "";
}

// A page of another origin can set neither of these headers unasked.
async function send(body) {
  const options = { method: "POST", headers: { "content-type": "application/json", "x-tidemark-action": "1" }, body };
  try {
    await ask("actions", options);
  } catch (problem) {
    if (problem.status !== 401 || !(await askForToken())) throw problem;
    await ask("actions", options);
  }
}
