// Reading the status again and again, and knowing whether what is shown is still so.
//
// Owns: `Watch`. Promises: never two questions at once; a server that does not answer within its time, answers with an error or with
// something else is `lost`, with the moment of its last good answer; nothing is asked while the page is hidden.

import { credentials } from "./door.js";

const EVERY_MS = 2000, LOST_MS = 5000, PATIENCE_MS = 8000;

export class Watch {
  // `read` takes an answer in and raises an error for what is none; `tell` is called after every look.
  constructor({ read, tell }) {
    this.read = read;
    this.tell = tell;
    this.reach = { state: "opening", heard: null, since: Date.now(), why: "" };
    this.timer = 0;
    this.asking = false;
    this.etag = "";
  }

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.timer) : this.lookNow()));
    window.addEventListener("online", () => this.lookNow());
    this.lookNow();
  }

  lookNow() {
    clearTimeout(this.timer);
    if (document.hidden || this.asking) return;
    this.look();
  }

  async look() {
    this.asking = true;
    try {
      const told = await ask("status");
      this.read(told);
      this.reach = { state: "live", heard: Date.now(), since: this.reach.since, why: "" };
    } catch (problem) {
      this.reach = { state: "lost", heard: this.reach.heard, since: this.reach.since, why: problem.message, answered: Boolean(problem.answered), isLocked: problem.status === 401 };
    } finally {
      this.asking = false;
    }
    try {
      this.tell();
    } finally {
      clearTimeout(this.timer);
      if (!document.hidden) this.timer = setTimeout(() => this.lookNow(), this.reach.state === "lost" ? LOST_MS : EVERY_MS);
    }
  }
}

// The JSON at a path below the page. Raises an error in words that people understand.
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS), ...options, headers: { ...credentials(), ...options.headers } });
  } catch (problem) {
    throw new Error(problem.name === "TimeoutError" ? `no answer came within ${PATIENCE_MS / 1000} seconds` : "it cannot be reached");
  }
  const told = await answer.json().catch(() => null);
  if (answer.ok && told !== null) return told;
  const why = told && typeof told.error === "string" ? told.error : answer.ok ? "what it said is no JSON" : `the status is ${answer.status}`;
  throw Object.assign(new Error(why), { answered: true, status: answer.status });
}
