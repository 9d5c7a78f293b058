// Elements made from data, and a page brought up to date without losing focus, selection or scroll.
//
// Owns: `h`, `s` and `renew`. Promises: data becomes text and attributes, never markup; styles are set through the object model,
// so that a policy without inline styles holds; what a reader opened stays open,
// and the inside of an element with `data-own` belongs to who drew it.

const SVG = "http://www.w3.org/2000/svg";

// An HTML element. `facts` are attributes; `share` (0 to 1) becomes the custom property that bars are drawn from.
export function h(tag, facts = {}, ...children) {
  return fill(document.createElement(tag), facts, children);
}

// An SVG element.
export function s(tag, facts = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), facts, children);
}

function fill(made, facts, children) {
  for (const [name, value] of Object.entries(facts)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "share") made.style.setProperty("--share", String(Math.max(0, Math.min(1, value))));
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false && child !== "") made.append(child);
  }
  return made;
}

const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);

// Make the children of `old` those of `fresh`, an element or a list of nodes. Children with a `data-key` keep their identity.
export function renew(old, fresh) {
  const wanted = Array.isArray(fresh) ? fresh.flat(Infinity).filter(Boolean) : [...fresh.childNodes];
  const known = new Map();
  for (const child of old.children) if (keyOf(child) !== null) known.set(keyOf(child), child);
  let at = old.firstChild;
  for (const one of wanted) {
    const child = typeof one === "string" ? document.createTextNode(one) : one;
    const key = keyOf(child);
    const same = key !== null ? known.get(key) : at && keyOf(at) === null ? at : null;
    if (same && same.nodeName === child.nodeName) {
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      settle(same, child);
    } else {
      old.insertBefore(child, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function settle(old, fresh) {
  if (old.nodeType !== 1) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    const isTheirs = name === "style" || (name === "open" && old.nodeName === "DETAILS");
    if (!isTheirs && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name === "style") {
      if (old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
    } else if (name === "open" && old.nodeName === "DETAILS") {
      continue;
    } else if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
  if (!old.hasAttribute("data-own")) renew(old, fresh);
}
