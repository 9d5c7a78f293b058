// What is being filled or failed. Not to know is not to be done.
(() => {
  const me = document.currentScript, url = new URL("banner.json", me.src), gone = new Set();
  const host = document.createElement("div"), root = host.attachShadow({ mode: "open" }), sheet = new CSSStyleSheet();
  sheet.replaceSync(`:host(:not([hidden])){display:block;font:14px/1.5 system-ui}
p{display:flex;flex-flow:wrap;gap:2px 14px;align-items:center;margin:0 0 1px;padding:9px 18px;background:light-dark(#eef,#123);color:light-dark(#139,#bcf);overflow-wrap:anywhere}
.bad{background:light-dark(#fee,#311);color:light-dark(#a11,#fba)}
.old{opacity:.5}
span{max-height:9em;overflow:auto}
progress,button{margin-left:auto;color:inherit;accent-color:currentColor}
button{border:1px solid;border-radius:6px;background:none;font:inherit}`);
  root.adoptedStyleSheets = [sheet];
  host.role = "status";
  host.hidden = true;
  document.querySelector(me.dataset.at || "body").prepend(host);
  let timer, last, since, asking;
  const make = (tag, textContent, className = "") => Object.assign(document.createElement(tag), { textContent, className });
  const span = (s) => (s < 90 ? `${Math.ceil(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`);
  const id = (one) => one.label + one.state + one.message;

  function line(one) {
    const { ratio, total, eta_seconds: eta } = one, share = Math.min(99, Math.floor(ratio * 100));
    const told = [one.state, total && `${one.done.toLocaleString("en")} of ${total.toLocaleString("en")}`, ratio !== null && `${share} %`, eta && `${span(eta)} left`, one.message];
    const made = make("p", "", one.failed ? "bad" : ""), name = one.label || "Tidemark";
    made.append(make("b", name), make("span", told.filter(Boolean).join(" · ")));
    if (one.failed) {
      const onclick = () => show(gone.add(id(one)));
      made.append(Object.assign(make("button", "Dismiss"), { onclick, ariaLabel: `Dismiss ${name}` }));
    } else if (ratio !== null) made.append(Object.assign(make("progress"), { max: 100, value: share, ariaLabel: name }));
    return made;
  }

  function show() {
    const lines = last.items.filter((one) => !gone.has(id(one))).map(line);
    if (since && last.items[0]) {
      for (const one of lines) one.className += " old";
      lines.unshift(make("p", `Not known: no answer since ${since}`, "bad"));
    }
    root.replaceChildren(...lines);
    host.hidden = !lines.length;
  }

  async function look() {
    clearTimeout(timer);
    if (asking || document.hidden) return;
    asking = true;
    try {
      const told = await (await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(9e3) })).json();
      told.items.length;
      last = told;
      since = "";
    } catch {
      since ||= new Date().toLocaleTimeString();
    }
    asking = false;
    if (last) show();
    timer = setTimeout(look, last?.items.some((one) => one.running || one.state == "planned") ? 5e3 : 3e4);
  }

  document.addEventListener("visibilitychange", look);
  look();
})();
