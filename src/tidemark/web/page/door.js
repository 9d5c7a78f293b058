// Two questions to whoever sits here: who asks, where the server wants a token, and whether something is really to be done.
//
// Owns: the token, and both dialogs. Promises: the token is kept for this tab only, goes to this server only, and is never shown;
// whoever closes a dialog said no.

const TOKEN = "tidemark-token", WHO = "tidemark-who";
const at = (id) => document.getElementById(id);
const kept = { token: recall(TOKEN), who: recall(WHO) };
const waiting = new Map();

function recall(key) {
  try {
    return sessionStorage.getItem(key) || "";
  } catch {
    return "";
  }
}

function keep(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // Without storage it is known until the page is closed.
    return;
  }
}

// What a request says about who asks.
export function credentials() {
  const found = {};
  if (kept.token) found.authorization = `Bearer ${kept.token}`;
  // A header has no letters beyond Latin.
  if (kept.who) found["x-tidemark-who"] = kept.who.replace(/[^\x20-\x7e]/g, "?");
  return found;
}

// Ask for a token; true when there is one to try.
export function askForToken() {
  at("token").value = "";
  at("who").value = kept.who;
  return open("door");
}

// Ask whether something is really to be done.
export function askIfSure(question, title, command) {
  at("sure-title").textContent = question;
  at("sure-yes").textContent = title;
  at("sure-command").textContent = command;
  return open("sure");
}

function open(id) {
  leave(id, false);
  at(id).showModal();
  return new Promise((resolve) => waiting.set(id, resolve));
}

function leave(id, answer) {
  const resolve = waiting.get(id);
  waiting.delete(id);
  if (at(id).open) at(id).close();
  if (resolve) resolve(answer);
}

for (const id of ["door", "sure"]) {
  // What is told of an earlier closing comes late, and is nothing to one that was opened since.
  at(id).addEventListener("close", () => {
    if (!at(id).open) leave(id, false);
  });
  at(`${id}-form`).addEventListener("submit", (event) => {
    event.preventDefault();
    if (id === "door") take();
    leave(id, true);
  });
}

function take() {
  kept.token = at("token").value.trim();
  kept.who = at("who").value.trim();
  keep(TOKEN, kept.token);
  keep(WHO, kept.who);
  at("token").value = "";
}
