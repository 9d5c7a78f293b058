// Reading the status again and again, and knowing whether what is shown is still so.
//
// Owns: `Watch` and `ask`. Promises: never two questions at once; a server that does not answer within its time, answers with an
// error or with something else is `lost`, with the moment of its last good answer; before that, what is older than a few
// seconds is `late`, whatever the reason: a slow server, a page that was hidden, a computer that slept; an answer that the page
// cannot show counts as none; nothing is asked while the page is hidden.

import { credentials } from "./door.js";

const EVERY_MS = 2000, LOST_MS = 5000, PATIENCE_MS = 8000, LATE_MS = 6000, BEAT_MS = 1000;

export class Watch {
  // `read` takes an answer in and raises an error for what is none; `tell` shows it, and is called whenever the reach changed.
  constructor({ read, tell }) {
    this.read = read;
    this.tell = tell;
    this.reach = { state: "opening", heard: null, since: Date.now(), why: "" };
    this.timer = 0;
    this.asking = false;
  }

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.timer) : this.lookNow()));
    window.addEventListener("online", () => this.lookNow());
    setInterval(() => this.beat(), BEAT_MS);
    this.lookNow();
  }

  lookNow() {
    clearTimeout(this.timer);
    this.beat();
    if (document.hidden || this.asking) return;
    this.look();
  }

  beat() {
    if (this.reach.state !== "live" || Date.now() - this.reach.heard < LATE_MS) return;
    this.reach = { ...this.reach, state: "late" };
    this.show();
  }

  async look() {
    this.asking = true;
    try {
      this.read(await ask("status"));
      this.reach = { state: "live", heard: Date.now(), since: this.reach.since, why: "" };
    } catch (problem) {
      this.lose(problem.message, Boolean(problem.answered), problem.status === 401);
    } finally {
      this.asking = false;
    }
    this.show();
    clearTimeout(this.timer);
    if (!document.hidden) this.timer = setTimeout(() => this.lookNow(), this.reach.state === "lost" ? LOST_MS : EVERY_MS);
  }

  lose(why, answered, isLocked) {
    this.reach = { state: "lost", heard: this.reach.heard, since: this.reach.since, why, answered, isLocked };
  }

  show() {
    try {
      this.tell();
    } catch (problem) {
      console.error(problem);
      this.lose(`this page cannot show what it was told (${problem.message})`, true, false);
      this.tell();
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
