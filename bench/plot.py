"""The ratios as a picture: a bar a row, on a logarithmic axis, written as SVG."""

from __future__ import annotations

import math
from html import escape

from tables import Rows, ratio_of, reference_of

_LEFT, _WIDTH, _ROW, _TOP = 330, 520, 22, 50
_TITLE = "Seconds of orch as a share of what stands beside it: shorter is faster"
_STYLE = """\
<style>
svg { font: 13px sans-serif; color: #1f2328; background: #fff }
text { fill: currentColor } .title { font-size: 15px }
.grid { stroke: #d8dee4 } .one { stroke: currentColor }
.faster { fill: #2f6f4f } .slower { fill: #b0532d }
@media (prefers-color-scheme: dark) {
  svg { color: #e6edf3; background: #0d1117 }
  .grid { stroke: #30363d } .faster { fill: #57ab7d } .slower { fill: #e0824f }
}
</style>"""


def bars_of(rows: Rows) -> list[tuple[str, float]]:
    """Return the bars: what is measured in seconds beside something else, and the ratio."""
    bars = []
    for (case, measure), sides in rows.items():
        against = reference_of(sides)
        ratio = ratio_of(sides, "orch", against)
        if measure == "seconds" and ratio:
            bars.append((f"{case}, beside {against}", ratio))
    return bars


def draw(rows: Rows) -> str:
    """Return an SVG of orch's seconds as a share of the others': left of 1 orch is faster.

    It follows the reader's choice of light or dark, and says in words what it shows.
    """
    bars = bars_of(rows)
    low = math.floor(math.log10(min([ratio for _, ratio in bars] + [0.1])))
    high = math.ceil(math.log10(max([ratio for _, ratio in bars] + [1.0])))
    height = _TOP + _ROW * len(bars) + 30

    def x(value: float) -> float:
        return _LEFT + _WIDTH * (math.log10(value) - low) / max(1, high - low)

    size = f"0 0 {_LEFT + _WIDTH + 90} {height}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" role="img">',
        f"<title>{_TITLE}</title>",
        f"<desc>{escape(in_words(rows))}</desc>",
        _STYLE,
        f'<text x="10" y="22" class="title">{_TITLE}</text>',
    ]
    for power in range(low, high + 1):
        at, kind = x(10.0**power), "one" if power == 0 else "grid"
        parts += [
            f'<path d="M{at:.1f} {_TOP - 8}V{height - 24}" class="{kind}"/>',
            f'<text x="{at:.1f}" y="{height - 8}" text-anchor="middle">{10.0**power:g}</text>',
        ]
    for number, (label, ratio) in enumerate(bars):
        parts += _bar(_TOP + number * _ROW, x(ratio), label, ratio)
    return "\n".join([*parts, "</svg>", ""])


def in_words(rows: Rows) -> str:
    """Return what the picture shows, for who does not see it."""
    return "; ".join(f"{label}: {ratio:.3g}" for label, ratio in bars_of(rows))


def _bar(y: int, end: float, label: str, ratio: float) -> list[str]:
    box = f'x="{_LEFT}" y="{y}" width="{max(1.0, end - _LEFT):.1f}" height="{_ROW - 6}"'
    return [
        f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(label)}</text>',
        f'<rect {box} class="{"slower" if ratio > 1 else "faster"}"/>',
        f'<text x="{end + 5:.1f}" y="{y + 12}">{ratio:.3g}</text>',
    ]
