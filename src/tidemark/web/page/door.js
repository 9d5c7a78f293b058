// Who asks: a token that the server may want before it lets anybody act or read.
//
// Owns: the token, and the dialog that asks for one. Promises: it is kept for this tab only, goes to this server only, and is never
// shown; a token that the server does not take is forgotten.

const TOKEN = "tidemark-token", WHO = "tidemark-who";
const at = (id) => document.getElementById(id);
const kept = { token: recall(TOKEN), who: recall(WHO) };
let waiting = null;

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

// Ask whoever sits here; true when there is a token to try.
export function askForToken() {
  if (waiting) return waiting.promise;
  waiting = {};
  waiting.promise = new Promise((resolve) => { waiting.resolve = resolve; });
  at("token").value = "";
  at("who").value = kept.who;
  at("door").showModal();
  return waiting.promise;
}

function leave(isGiven) {
  if (!waiting) return;
  const { resolve } = waiting;
  waiting = null;
  resolve(isGiven);
}

at("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  kept.token = at("token").value.trim();
  kept.who = at("who").value.trim();
  keep(TOKEN, kept.token);
  keep(WHO, kept.who);
  at("token").value = "";
  const isGiven = kept.token !== "";
  leave(isGiven);
  at("door").close();
});
at("door").addEventListener("close", () => leave(false));
