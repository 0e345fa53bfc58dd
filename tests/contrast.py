"""How much colours stand out from each other, as WCAG 2.2 computes it."""

from __future__ import annotations

Colour = tuple[float, float, float]
"""Red, green and blue, from 0 to 255."""

TEXT, SHAPES = 4.5, 3.0
"""The contrasts that level AA asks for: 1.4.3 of text, 1.4.11 of shapes."""


def luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
