// The warm-up banner: what is being filled, how far it is, and what went wrong.
//
// It looks every 30 seconds, every 5 while something runs, and not at all while nobody sees the page. It stays up as long
// as anything is unfinished or unknown. What failed stays until somebody dismisses it or ten minutes have passed since it
// ended; a reload shows it again. It never shows 100 %: what is done is gone from it.
"use strict";

const banner = (() => {
  const CALM_MS = 30000, BUSY_MS = 5000, FAILED_MS = 600000;
  const QUIET = new Set(["done", "cancelled"]);
  const box = document.getElementById("banner"), pill = document.getElementById("state");
  const dismissed = new Set();
  let timer = 0, latest = null;

  const number = (value) => Number(value).toLocaleString("en");
  const identity = (one) => `${one.name} ${one.endedAt}`;

  function span(seconds) {
    if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
    return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
  }

  function share(one) {
    return one.rowsTotal > 0 ? Math.max(0, Math.min(99, Math.floor((100 * one.rowsProcessed) / one.rowsTotal))) : 0;
  }

  function isOver(one, now) {
    if (QUIET.has(one.status)) return true;
    if (one.status !== "failed") return false;
    const ended = Date.parse(one.endedAt || "");
    return dismissed.has(identity(one)) || (!Number.isNaN(ended) && now - ended > FAILED_MS);
  }

  function told(one) {
    if (one.status === "failed") return "failed";
    if (one.rowsTotal <= 0) return one.status;
    const parts = [`${number(one.rowsProcessed)} of ${number(one.rowsTotal)} rows`, `${share(one)} %`];
    if (one.status !== "running") parts.push(one.status);
    else if (one.etaSeconds !== null) parts.push(`${span(one.etaSeconds)} left`);
    else parts.push("measuring");
    return parts.join(" · ");
  }

  function element(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function line(one) {
    const made = element("div", `line ${one.status === "failed" ? "failed" : ""}`);
    made.append(element("span", "name", one.name), element("span", "told", told(one)));
    const why = [one.errorMessage, ...(one.throttleReasons || [])].filter(Boolean).join(" · ");
    if (why) made.append(element("span", "why", why));
    if (one.status === "failed") {
      const button = element("button", "", "Dismiss");
      button.type = "button";
      button.addEventListener("click", () => { dismissed.add(identity(one)); show(latest); });
      made.append(button);
    } else if (one.rowsTotal > 0) {
      const track = element("div", "track"), full = element("i");
      full.style.width = `${share(one)}%`;
      track.append(full);
      made.append(track);
    }
    return made;
  }

  function alarm(name, state, why) {
    const made = element("div", "line failed");
    made.append(element("span", "name", name), element("span", "told", state), element("span", "why", why));
    return made;
  }

  function show(health) {
    latest = health;
    const all = health.async_migrations, now = Date.now();
    const lines = all.filter((one) => !isOver(one, now)).map(line);
    if (health.async_migrations_error) lines.unshift(alarm("Migrations", "unknown", health.async_migrations_error));
    else if (!health.ready && all.length === 0) lines.unshift(alarm("Not ready", "", health.reason));
    box.replaceChildren(...lines);
    box.hidden = lines.length === 0;
    const bad = health.async_migrations_error || !health.ready;
    pill.dataset.state = bad ? "bad" : health.async_migrations_running ? "filling" : "true";
    pill.textContent = bad ? "needs attention" : health.async_migrations_running ? "filling columns" : "every column true";
    pill.title = health.reason || "";
  }

  async function look() {
    clearTimeout(timer);
    let running = true;
    try {
      const answer = await fetch("api/healthz", { cache: "no-store" });
      const health = await answer.json();
      if (!Array.isArray(health.async_migrations)) throw new Error("health has no list of migrations");
      running = health.async_migrations_running;
      show(health);
    } catch (problem) {
      // Not to know is not to be done.
      show({ async_migrations: [], async_migrations_error: `health cannot be read: ${problem.message}`, ready: false });
    }
    if (!document.hidden) timer = setTimeout(look, running ? BUSY_MS : CALM_MS);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  look();
  return { look };
})();
