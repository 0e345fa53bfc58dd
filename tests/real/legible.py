"""Whether the text of a page can be read: measured in the browser that shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.contrast import TEXT, Colour, contrast
from tests.real.browser import Browser

_SMALLEST_PX = 11.0

_TEXTS = """(() => {
  const behind = (element) => {
    const box = element.closest(".box");
    if (box) return getComputedStyle(box.querySelector("rect")).fill;
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const drawing = element.closest("svg");
    const scale = drawing ? drawing.getScreenCTM().a : 1;
    const range = document.createRange();
    range.selectNodeContents(node);
    const area = range.getBoundingClientRect();
    const tile = element.closest(".tile, .box");
    found.push({
      text: node.data.trim().slice(0, 60),
      ink: element instanceof SVGElement ? style.fill : style.color,
      behind: behind(element),
      size_px: parseFloat(style.fontSize) * scale,
      group: ["#timeline", "#graph", ".treemap"].findIndex((one) => element.closest(one)),
      left: area.left,
      top: area.top,
      right: tile ? Math.min(area.right, tile.getBoundingClientRect().right) : area.right,
      bottom: area.bottom,
    });
  }
  return found;
})()"""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text as it is shown; `group` is the drawing that it is in, or -1."""

    text: str
    ink: str
    behind: str
    size_px: float
    group: int
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Text) -> bool:
        """Tell whether more than a hair of two texts lies on the same place."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > 2 and down > 2


def read_texts(browser: Browser) -> list[Text]:
    """Return all text that a page shows, wherever it is scrolled to."""
    return [Text(**found) for found in browser.value(_TEXTS)]


def faults_of(texts: list[Text]) -> list[str]:
    """Return what cannot be read: too faint, too small, or on top of each other in a drawing."""
    faint = [
        f"{one.text!r} is faint: {one.ink} on {one.behind}"
        for one in texts
        if contrast(_colour(one.ink), _colour(one.behind)) < TEXT
    ]
    small = [f"{one.text!r} has {one.size_px} px" for one in texts if one.size_px < _SMALLEST_PX]
    drawn = [one for one in texts if one.group >= 0]
    covered = [
        f"{one.text!r} lies on {other.text!r}"
        for index, one in enumerate(drawn)
        for other in drawn[index + 1 :]
        if one.group == other.group and one.overlaps(other)
    ]
    return [*faint, *small, *covered]


def _colour(text: str) -> Colour:
    red, green, blue = (float(part) for part in re.findall(r"[\d.]+", text)[:3])
    return red, green, blue
