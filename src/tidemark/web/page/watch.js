// Hearing from the server what changed, and knowing whether what is shown is still so.
//
// Owns: `Watch` and `ask`. Promises: the status is read when the server says that something changed, and every few seconds where
// its events do not come through, whatever the reason, or what is shown grows older by itself; never two questions at once; a server that does not answer within its time, answers with an
// error or with something else is `lost`, with the moment of its last good answer; before that, what is older than a few
// seconds is `late`, whatever the reason: a slow server, a page that was hidden, a computer that slept; an answer that the page
// cannot show counts as none; nothing is asked while the page is hidden.

import { credentials } from "./door.js";

const EVERY_MS = 2000, CALM_MS = 30000, LOST_MS = 5000, PATIENCE_MS = 8000, LATE_MS = 6000, BEAT_MS = 1000, LISTEN_MS = 15000;

export class Watch {
  // `read` takes an answer in, raises an error for what is none, and says whether it grows older by itself; `tell` shows it, and is called whenever the reach changed.
  constructor({ read, tell }) {
    this.read = read;
    this.tell = tell;
    this.reach = { state: "opening", heard: null, since: Date.now(), why: "" };
    this.timer = 0;
    this.asking = false;
    this.again = false;
    this.ages = false;
    this.stream = null;
    this.told = false;
    this.deafUntil = 0;
  }

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.rest() : this.lookNow()));
    window.addEventListener("online", () => this.lookNow());
    setInterval(() => this.beat(), BEAT_MS);
    this.lookNow();
  }

  // Nobody looks: nothing is asked, and nothing is listened to.
  rest() {
    clearTimeout(this.timer);
    this.unlisten(0);
  }

  lookNow() {
    clearTimeout(this.timer);
    this.beat();
    this.again = this.asking;
    if (document.hidden || this.asking) return;
    this.look();
  }

  beat() {
    if (this.reach.state !== "live" || Date.now() - this.reach.heard < LATE_MS) return;
    // A stream that fell silent is none.
    if (this.isTold()) this.unlisten(LISTEN_MS);
    this.reach = { ...this.reach, state: "late" };
    this.show();
    if (!this.asking && !document.hidden) this.look();
  }

  async look() {
    this.asking = true;
    this.again = false;
    try {
      this.ages = this.read(await ask("status"));
      this.reach = { state: "live", heard: Date.now(), since: this.reach.since, why: "" };
      this.listen();
    } catch (problem) {
      this.lose(problem.message, Boolean(problem.answered), problem.status === 401);
    } finally {
      this.asking = false;
    }
    this.show();
    clearTimeout(this.timer);
    if (document.hidden) return;
    const every = this.again ? 0 : this.reach.state === "lost" ? LOST_MS : this.isTold() ? CALM_MS : EVERY_MS;
    this.timer = setTimeout(() => this.lookNow(), this.ages && this.reach.state === "live" ? Math.min(every, EVERY_MS) : every);
  }

  // Whether the server says by itself when something changes.
  isTold() {
    return this.stream !== null && this.told;
  }

  listen() {
    if (this.stream || document.hidden || typeof EventSource !== "function" || Date.now() < this.deafUntil) return;
    const stream = new EventSource("events");
    this.stream = stream;
    const hear = (event) => {
      if (this.stream !== stream) return;
      const isFirst = !this.told;
      this.told = true;
      if (event.type !== "beat" || isFirst || this.reach.state !== "live") {
        this.lookNow();
        return;
      }
      this.reach = { ...this.reach, heard: Date.now() };
      this.show();
    };
    for (const kind of ["status", "beat", "problem"]) stream.addEventListener(kind, hear);
    stream.addEventListener("error", () => {
      if (this.stream !== stream) return;
      const wasTold = this.isTold();
      this.unlisten(LISTEN_MS);
      if (wasTold) this.lookNow();
    });
  }

  // Listen no more, and not again before so many milliseconds have passed.
  unlisten(ms) {
    if (this.stream) this.stream.close();
    this.stream = null;
    this.told = false;
    this.deafUntil = Date.now() + ms;
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
