"""How well text stands out from what is behind it, measured in the page.

Owns: `find_faint`. Promises: goes by the formula of the Web Content Accessibility Guidelines 2.2; large text may be fainter; text
in a node of the graph is measured against the node's own card.
"""

from __future__ import annotations

from tests.kit.chromium import Tab

_MEASURE = r"""(least) => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const part = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (one) => {
    const card = one.closest('[data-node]')?.querySelector('.card');
    if (card) return rgba(getComputedStyle(card).fill);
    for (let at = one; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] > 200) return color;
    }
    return [255, 255, 255, 255];
  };
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement, text = walk.currentNode.data.trim(), style = getComputedStyle(one);
    if (!text || !one.checkVisibility() || one.matches('title, .unseen, .unseen *, :disabled')) continue;
    const front = rgba(one instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(front), light(behind(one))].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? Math.min(least, 3) : least)) found.push(`${ratio.toFixed(2)} ${text.slice(0, 60)}`);
  }
  return [...new Set(found)];
}"""


def find_faint(tab: Tab, least: float = 4.5) -> list[str]:
    """Every text that stands out less than it has to, with its ratio."""
    found: list[str] = tab.run(f"({_MEASURE})({least})")
    return found
