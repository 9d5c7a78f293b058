// Figures and names as people read them.
//
// Owns: numbers, spans, moments, names and commands as text. Promises: what is not known is a dash and never a zero; a name is
// shown so that nothing in it can hide or turn around what stands beside it.

export const NONE = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = (value) => (isNumber(value) ? whole.format(value) : NONE);
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

export function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

// A count that fits anywhere: 1,204 or 3.4 M.
export function short(value) {
  if (!isNumber(value)) return NONE;
  for (const [size, name] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    const unit = name === "k" ? 1e3 : size;
    if (Math.abs(value) >= size) return `${(value / unit).toFixed(Math.abs(value) >= 100 * unit ? 0 : 1)} ${name}`;
  }
  return value !== 0 && Math.abs(value) < 10 && !Number.isInteger(value) ? value.toFixed(1) : whole.format(value);
}

export function span(seconds) {
  if (!isNumber(seconds)) return NONE;
  const most = Math.max(0, seconds);
  if (most < 0.0005) return "0 s";
  if (most < 1) return `${Math.max(1, Math.round(most * 1000))} ms`;
  if (most < 10) return `${most.toFixed(1)} s`;
  if (most < 90) return `${Math.round(most)} s`;
  if (most < 5400) return `${Math.round(most / 60)} min`;
  if (most < 36 * 3600) return `${(most / 3600).toFixed(1)} h`;
  return `${Math.round(most / 86400)} days`;
}

export const ago = (seconds) => (!isNumber(seconds) ? "never" : seconds < 2 ? "just now" : `${span(seconds)} ago`);

export const milliseconds = (value) => (isNumber(value) ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : NONE);

// A share in per cent; what is not whole never reads as whole.
export function share(value) {
  if (!isNumber(value)) return NONE;
  if (value >= 1) return "100 %";
  return value > 0 && value < 0.1 ? `${(Math.floor(value * 1000) / 10).toFixed(1)} %` : `${Math.floor(value * 100)} %`;
}

export function range(low, high) {
  if (!isNumber(low) || !isNumber(high)) return NONE;
  const [from, to] = [span(low), span(high)];
  if (from === to) return from;
  const [least, unit] = from.split(" ");
  return unit === to.split(" ")[1] ? `${least}–${to}` : `${from} – ${to}`;
}

export function bytes(value) {
  if (!isNumber(value)) return NONE;
  for (const [size, name] of [[2 ** 30, "GB"], [2 ** 20, "MB"], [2 ** 10, "kB"]]) {
    if (value >= size) return `${(value / size).toFixed(value >= 100 * size ? 0 : 1)} ${name}`;
  }
  return `${value} B`;
}

export function secondsSince(text, now) {
  const at = Date.parse(text || "");
  return Number.isNaN(at) ? null : Math.max(0, (now - at) / 1000);
}

export function clock(value) {
  const at = new Date(value);
  return Number.isNaN(at.getTime()) ? NONE : at.toLocaleTimeString("en-GB");
}

export function moment(text) {
  const at = new Date(text || "");
  if (Number.isNaN(at.getTime())) return NONE;
  const day = at.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return `${day} ${at.toLocaleTimeString("en-GB")}`;
}

// A name with what cannot be seen made visible: controls, and marks that turn the direction of text around.
export function named(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (one) => {
    const code = one.codePointAt(0);
    return one === "\n" ? "↵" : one === "\t" ? "⇥" : `⟨${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

// A word of a shell command, quoted where it has to be.
export function quoted(text) {
  const word = String(text);
  return /^[A-Za-z0-9_][\w.@%+=:,/-]*$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

// A command of ours about something of that name; what begins with a dash is no option.
export const command = (verb, ...names) =>
  ["tidemark", verb, ...(names.some((one) => String(one).startsWith("-")) ? ["--"] : []), ...names.map(quoted)].join(" ");

// A text as it would stand at the margin: without the blank lines around it and the spaces before all of it.
export function dedent(text) {
  const lines = String(text).replace(/^\s*\n|\s+$/g, "").split("\n");
  const least = Math.min(...lines.filter((one) => one.trim()).map((one) => one.search(/\S/)));
  return lines.map((one) => one.slice(Number.isFinite(least) ? least : 0)).join("\n");
}
