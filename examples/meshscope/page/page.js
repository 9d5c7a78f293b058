// Totals, hash sizes, answer times and packets. Everything is read from addresses relative to the page.
"use strict";

(() => {
  const EVERY_MS = 15000;
  const KINDS = { 0: "request", 1: "response", 2: "text", 3: "ack", 4: "advert", 5: "group text", 6: "group data",
    7: "anonymous", 8: "path", 9: "trace", 10: "multipart", 11: "control" };
  const ROUTES = { 0: "flood, scoped", 1: "flood", 2: "direct", 3: "direct, scoped" };
  const at = (id) => document.getElementById(id);
  const number = (value) => Number(value).toLocaleString("en");
  const moment = (seconds) => new Date(seconds * 1000).toLocaleString("en-GB",
    { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  let sort = "newest", next = null, shown = 0;

  function element(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  async function read(path) {
    const answer = await fetch(path, { cache: "no-store" });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return answer.json();
  }

  // Health that is not well is an answer, too; not to know is not to be well.
  async function state() {
    const pill = at("state");
    try {
      const health = await (await fetch("api/healthz", { cache: "no-store" })).json();
      const columns = health.async_migrations, failed = health.async_migrations_error || columns.some((one) => one.status === "failed");
      // What comes is not ready, and nothing is wrong with it.
      const coming = !failed && (health.async_migrations_running || !columns.length), bad = !coming && (failed || !health.ready);
      pill.dataset.state = bad ? "bad" : coming ? "filling" : "true";
      pill.textContent = bad ? "needs attention" : !coming ? "every column true" : columns.length ? "filling columns" : "no columns yet";
      pill.title = health.reason || "";
    } catch {
      pill.dataset.state = "bad";
      pill.textContent = "health is not known";
    }
  }

  async function totals() {
    const stats = await read("api/stats");
    for (const name of ["transmissions", "observations", "observers"]) at(name).textContent = number(stats[name]);
    at("newest").textContent = stats.newestAt === null ? "–" : moment(stats.newestAt);
  }

  async function sizes() {
    const found = await read("api/analytics/hash-sizes");
    const names = Object.keys(found.distribution);
    at("share").replaceChildren(...names.map((name) => {
      const part = element("i", `s${name}`);
      part.style.flexGrow = found.distribution[name];
      return part;
    }));
    at("legend").replaceChildren(...names.map((name) => {
      const item = element("li"), count = found.distribution[name];
      const share = found.total ? (100 * count) / found.total : 0;
      item.append(element("i", `s${name}`), element("b", "", `${name} byte${name === "1" ? "" : "s"}`),
        ` ${number(count)} · ${share.toFixed(1)} %`);
      return item;
    }));
    const most = Math.max(1, ...found.hourly.map((one) => Object.values(one.sizes).reduce((a, b) => a + b, 0)));
    at("hours").replaceChildren(...found.hourly.map((one) => {
      const column = element("div");
      column.title = `${moment(one.hour)}: ${Object.values(one.sizes).map(number).join(" / ")}`;
      for (const name of Object.keys(one.sizes)) {
        const part = element("i", `s${name}`);
        part.style.height = `${(100 * one.sizes[name]) / most}%`;
        column.append(part);
      }
      return column;
    }));
    const { hourly } = found;
    at("hours-from").textContent = hourly.length ? moment(hourly[0].hour) : "";
    at("hours-to").textContent = hourly.length ? moment(hourly[hourly.length - 1].hour) : "";
  }

  async function times() {
    const perf = await read("api/perf");
    at("times").replaceChildren(...Object.entries(perf.requests).filter(([name]) => name !== "page").map(([name, one]) => {
      const row = element("tr");
      row.append(element("td", "", name.replace("/api/", "")), ...["p50", "p99", "max"].map((key) => element("td", "", one[key].toFixed(1))));
      return row;
    }));
    at("wal").textContent = `${(perf.walBytes / 1e6).toFixed(1)} MB`;
  }

  function signal(snr) {
    const cell = element("td");
    if (snr === null) { cell.append(element("span", "silent", "–")); return cell; }
    const bars = element("span", "snr"), full = snr > 5 ? 4 : snr > 0 ? 3 : snr > -7 ? 2 : 1;
    for (let bar = 1; bar <= 4; bar += 1) bars.append(element("i", bar <= full ? "on" : ""));
    cell.append(bars, `${snr.toFixed(2)} dB`);
    return cell;
  }

  function row(packet) {
    const made = element("tr"), heard = packet.observationCount;
    const kind = element("td"), seen = packet.lastSeen ? moment(packet.lastSeen) : "never";
    kind.append(element("span", "kind", KINDS[packet.payloadType] || `kind ${packet.payloadType}`));
    made.append(element("td", "hash", packet.hash), kind, element("td", "", ROUTES[packet.routeType] || "–"),
      element("td", heard ? "number" : "number silent", number(heard)), element("td", heard ? "" : "silent", seen),
      signal(packet.bestSnr), element("td", "number", packet.lastObserver === null ? "–" : packet.lastObserver));
    return made;
  }

  async function packets(more) {
    const page = await read(`api/packets?sort=${sort}&limit=25${more && next !== null ? `&before=${next}` : ""}`);
    const rows = page.packets.map(row);
    if (more) at("packets").append(...rows); else at("packets").replaceChildren(...rows);
    shown = more ? shown + rows.length : rows.length;
    next = page.next;
    at("more").hidden = next === null;
    at("how").textContent = page.derived === "stored"
      ? "Counts, last seen and signal are stored columns."
      : "Columns are being filled; these rows were computed from their observations.";
    const [newest, heard] = document.querySelectorAll("[data-sort]");
    heard.disabled = page.derived !== "stored";
    newest.setAttribute("aria-pressed", String(page.sort === "newest"));
    heard.setAttribute("aria-pressed", String(page.sort === "heard"));
  }

  async function all() {
    if (document.hidden) return;
    const first = shown <= 25 ? [packets(false)] : [];
    const ended = await Promise.allSettled([state(), totals(), sizes(), ...first]);
    ended.push(...(await Promise.allSettled([times()])));
    for (const one of ended) if (one.status === "rejected") console.warn(one.reason);
  }

  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => { sort = button.dataset.sort; packets(false).catch(console.warn); });
  }
  at("more").addEventListener("click", () => packets(true).catch(console.warn));
  setInterval(all, EVERY_MS);
  all();
})();
