"""What the page draws, as numbers: boxes and lines, bars, tiles. All shares are in percent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.evidence.facts import Evidence, ImageFacts
from orchestrator.evidence.plots import plot_points
from orchestrator.evidence.tiers import HEIGHT, WIDTH, Place, draw_tiers
from orchestrator.evidence.treemap import squarify
from orchestrator.report.evidence_text import size_text
from orchestrator.report.text import format_bytes

_TICKS = 5
_TILES = 90
_SIDES = (1000.0, 416.0)


@dataclass(frozen=True, slots=True)
class Box:
    """An image of the graph."""

    image: ImageFacts
    place: Place
    below: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line from an image to one that stands on it."""

    parent: str
    child: str
    path: str


@dataclass(frozen=True, slots=True)
class Graph:
    """The tiers, in pixels."""

    width: int
    height: int
    boxes: Sequence[Box]
    lines: Sequence[Line]
    tiers: Sequence[tuple[int, int]]
    box_width: int = WIDTH
    box_height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Bar:
    """An image's time; `wait_left` and `wait_width` are how long it could have begun."""

    image: ImageFacts
    left: float
    width: float
    wait_left: float
    wait_width: float
    label: str
    is_critical: bool


@dataclass(frozen=True, slots=True)
class Bars:
    """The build's times; ticks are shares and their labels."""

    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Area:
    """A tile of a treemap: what it stands for, how big that is, and the first image that has it."""

    left: float
    top: float
    width: float
    height: float
    kind: str
    label: str
    below: str
    image: str
    title: str


@dataclass(frozen=True, slots=True)
class Plots:
    """How an image's size and duration went on; a size that was once not known has no plot."""

    image: ImageFacts
    sizes: Sequence[tuple[float, float]]
    durations: Sequence[tuple[float, float]]


def draw_graph(images: Sequence[ImageFacts]) -> Graph:
    """Return boxes for images and lines between them."""
    parents = {image.name: image.parents for image in images}
    drawing = draw_tiers({image.name: image.tier for image in images}, parents)
    boxes = [
        Box(
            image,
            drawing.places[image.name],
            f"{image.status}, {size_text(image.size_bytes)}" if image.digest else image.status,
        )
        for image in images
    ]
    lines = [
        Line(parent, child, _curve(drawing.places[parent], drawing.places[child]))
        for child, above in parents.items()
        for parent in above
        if parent in drawing.places
    ]
    tiers = sorted((tier, left) for tier, left in drawing.tiers.items())
    return Graph(drawing.width, drawing.height, boxes, lines, tiers)


def _curve(parent: Place, child: Place) -> str:
    x1, y1 = parent.x + WIDTH, parent.y + HEIGHT // 2
    x2, y2 = child.x, child.y + HEIGHT // 2
    bend = max(24, (x2 - x1) // 2)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def draw_bars(images: Iterable[ImageFacts]) -> Bars:
    """Return a bar for each image that was tried, the first to begin on top."""
    timed = [(image, image.timing) for image in images if image.timing]
    timed.sort(key=lambda item: (item[1].started_s, item[1].ended_s))
    whole_s = max((timing.ended_s for _, timing in timed), default=0.0) or 1.0
    bars = []
    for image, timing in timed:
        after = f", after {timing.waited_for}" if timing.waited_for else ""
        waited = f", waited {timing.waited_s:.3f} s more" if timing.waited_s else ""
        bars.append(
            Bar(
                image,
                100 * timing.started_s / whole_s,
                100 * timing.duration_s / whole_s,
                100 * (timing.started_s - timing.waited_s) / whole_s,
                100 * timing.waited_s / whole_s,
                f"{image.name}: {timing.duration_s:.3f} s{after}{waited}",
                timing.is_critical,
            )
        )
    ticks = [(100 * at / _TICKS, f"{whole_s * at / _TICKS:.3g} s") for at in range(_TICKS)]
    return Bars(bars, ticks)


def draw_layers(evidence: Evidence) -> list[Area]:
    """Return a tile for each layer, each once, by its packed size."""
    rows = [
        (layer.size_bytes, "new" if not layer.is_reused else "old", layer.what, image.name)
        for image, layer in evidence.layers()
    ]
    return _areas(rows)


def draw_components(images: Iterable[ImageFacts]) -> list[Area]:
    """Return a tile for each package and fetched file, each once, by its unpacked size."""
    found = {
        (item.unpacked_bytes, item.kind, item.name): image.name
        for image in reversed(list(images))
        for item in image.components
    }
    return _areas([(*key, image) for key, image in found.items()])


def draw_plots(images: Iterable[ImageFacts]) -> list[Plots]:
    """Return plots of the images that were built at least twice."""
    plots = []
    for image in images:
        if len(image.history) < 2:
            continue
        sizes = [past.size_bytes for past in image.history]
        durations = [past.duration_s for past in image.history]
        plots.append(Plots(image, plot_points(sizes) if all(sizes) else (), plot_points(durations)))
    return plots


def _areas(rows: Iterable[tuple[int, str, str, str]]) -> list[Area]:
    """Return tiles for rows of size, kind, label and image; the smallest share one."""
    rows = sorted((row for row in rows if row[0] > 0), key=lambda row: (-row[0], row))
    if rest := rows[_TILES:]:
        shown = (sum(row[0] for row in rest), "rest", f"{len(rest)} smaller ones", "")
        rows = sorted([*rows[:_TILES], shown], key=lambda row: -row[0])
    width, height = _SIDES
    tiles = squarify([row[0] for row in rows], width, height)
    return [
        Area(
            100 * tile.x / width,
            100 * tile.y / height,
            100 * tile.width / width,
            100 * tile.height / height,
            kind,
            label,
            format_bytes(size_bytes),
            image,
            f"{label}{f' of {image}' if image else ''}: {format_bytes(size_bytes)}",
        )
        for (size_bytes, kind, label, image), tile in zip(rows, tiles, strict=True)
    ]
