"""The ratios as a picture: a bar a row, on a logarithmic axis, written as SVG."""

from __future__ import annotations

import math
from html import escape

from tables import Rows, ratio_of, reference_of

_LEFT, _WIDTH, _ROW, _TOP = 330, 520, 22, 50
_FONT = 'font-family="sans-serif" font-size="13"'
_COLOURS = ("#2f6f4f", "#b0532d")


def draw(rows: Rows) -> str:
    """Return an SVG of orch's seconds as a share of the others': left of 1 orch is faster."""
    bars = []
    for (case, measure), sides in rows.items():
        against = reference_of(sides)
        ratio = ratio_of(sides, "orch", against)
        if measure == "seconds" and ratio:
            bars.append((f"{case}, beside {against}", ratio))
    low = math.floor(math.log10(min([ratio for _, ratio in bars] + [0.1])))
    high = math.ceil(math.log10(max([ratio for _, ratio in bars] + [1.0])))
    height = _TOP + _ROW * len(bars) + 30

    def x(value: float) -> float:
        return _LEFT + _WIDTH * (math.log10(value) - low) / max(1, high - low)

    size = f"0 0 {_LEFT + _WIDTH + 90} {height}"
    title = "Seconds of orch as a share of what stands beside it: shorter is faster"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" {_FONT}>',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="22" font-size="15">{title}</text>',
    ]
    for power in range(low, high + 1):
        at, grey = x(10.0**power), "#444" if power == 0 else "#ddd"
        parts += [
            f'<path d="M{at:.1f} {_TOP - 8}V{height - 24}" stroke="{grey}"/>',
            f'<text x="{at:.1f}" y="{height - 8}" text-anchor="middle">{10.0**power:g}</text>',
        ]
    for number, (label, ratio) in enumerate(bars):
        y, end, colour = _TOP + number * _ROW, x(ratio), _COLOURS[ratio > 1]
        box = f'x="{_LEFT}" y="{y}" width="{max(1.0, end - _LEFT):.1f}" height="{_ROW - 6}"'
        parts += [
            f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(label)}</text>',
            f'<rect {box} fill="{colour}"/>',
            f'<text x="{end + 5:.1f}" y="{y + 12}">{ratio:.3g}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
