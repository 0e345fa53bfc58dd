"""Figures as a table, with the ratios and the targets; and the page that shows it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import Summary

BEGIN, END = "<!-- figures: bench/run.py --update-page -->", "<!-- end of figures -->"
BOUND = "bound"
BUILDERS = ("orch", "orch, Dockerfiles", "bake", "compose", "make")
EQUAL, FAILED, NOTE = "equal", "failed", "note"
"""Measures that have no value: what was compared, why there are no figures, what else is to be
known of a side."""
_TOLD = {EQUAL, FAILED, NOTE}

Rows = Mapping[tuple[str, str], Mapping[str, Summary]]


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio that a row is to keep: of orch to what stands beside it."""

    what: str
    case: str
    measure: str
    side: str
    against: str
    limit: float
    at_least: bool = False

    def ratio(self, rows: Rows) -> float | None:
        sides = rows.get((self.case, self.measure), {})
        return ratio_of(sides, self.side, self.against)

    def holds(self, ratio: float) -> bool:
        return ratio >= self.limit if self.at_least else ratio <= self.limit


TARGETS = (
    Target("no-op, 16 images", "noop-16", "seconds", "orch", "bake", 0.25),
    Target("no-op, 300 images", "noop-300", "seconds", "orch", "bake", 0.02),
    Target("root base gains a package, 16 images", "root-package", "seconds", "orch", "bake", 0.06),
    Target("one file of a service edited", "edit-file", "seconds", "orch", "bake", 0.4),
    Target("cold, warm downloads, with bytecode", "cold-bytecode", "seconds", "orch", "bake", 0.5),
    Target("cold, warm downloads, without bytecode", "cold", "seconds", "orch", "bake", 0.25),
    Target("bytes pushed after a base bump", "push", "uploaded", "orch", "docker push", 0.1),
    Target("plan, 10,000 images, 200,000 files", "plan-10000", "seconds", "orch", "git status", 3),
    Target("wheel to layer", "wheel-layer", "rate", "orch", BOUND, 0.6, at_least=True),
)


def ratio_of(sides: Mapping[str, Summary], side: str, against: str) -> float | None:
    """Return how much of another side's median a side's is."""
    one, other = (sides[name].median if name in sides else None for name in (side, against))
    return one / other if one is not None and other else None


def reference_of(sides: Mapping[str, Summary]) -> str:
    """Return what orch is compared with: bake, or the one that is there."""
    others = [side for side in sides if not side.startswith("orch")]
    return "bake" if "bake" in others else next(iter(others), "")


def format_tables(rows: Rows, machine: Mapping[str, Any]) -> str:
    """Return everything as Markdown."""
    parts = [_targets(rows), _losses(rows), *_measures(rows), *_notes(rows), _machine(machine)]
    return "\n\n".join(parts) + "\n"


def _targets(rows: Rows) -> str:
    lines = ["| case | beside | ratio | should be | |", "|---|---|---|---|---|"]
    for target in TARGETS:
        ratio = target.ratio(rows)
        sign = "at least" if target.at_least else "at most"
        verdict = (
            "not measured" if ratio is None else "met" if target.holds(ratio) else "**missed**"
        )
        shown = "" if ratio is None else f"{ratio:.3f}"
        lines.append(
            f"| {target.what} | {target.against} | {shown} | {sign} {target.limit} | {verdict} |"
        )
    return "\n".join(lines)


def _losses(rows: Rows) -> str:
    """Return in which cases another side took fewer seconds or bytes than one of orch's.

    A bound is no side: nothing is better than it.
    """
    lines = []
    for (case, measure), sides in rows.items():
        ours = [side for side in sides if side.startswith("orch")]
        others = [side for side in sides if side not in {*ours, BOUND}]
        for side, other in itertools.product(ours, others):
            ratio = ratio_of(sides, side, other)
            if ratio is not None and ratio > 1:
                lines.append(f"- `{case}`, {measure}: {side} {ratio:.2f} times {other}")
    return "\n".join(["Where `orch` loses:", "", *(lines or ["- in no case that was measured"])])


def _measures(rows: Rows) -> list[str]:
    """Return a table for each set of sides; what orch alone has comes last."""
    tables: dict[tuple[str, ...], list[str]] = {}
    alone = []
    for (case, measure), sides in rows.items():
        if measure in _TOLD:
            continue
        if set(sides) == {"orch"}:
            alone.append(f"| {case} | {measure} | {_cell(sides['orch'])} |")
            continue
        names = BUILDERS if set(sides) <= set(BUILDERS) else tuple(sides)
        cells = [_cell(sides.get(name)) for name in names]
        ratio = ratio_of(sides, "orch", reference_of(sides))
        shown = "" if ratio is None else f"{ratio:.3f}"
        what = [case, *([] if names == BUILDERS else [measure])]
        tables.setdefault(names, []).append(f"| {' | '.join([*what, *cells, shown])} |")
    found = [
        _table(["case", *([] if names == BUILDERS else ["measure"]), *names, "ratio"], lines)
        for names, lines in tables.items()
    ]
    return [*found, _table(["case", "measure", "orch alone"], alone)] if alone else found


def _notes(rows: Rows) -> list[str]:
    """Return what was compared, and the cases that have no figures."""
    lines = [
        f"- `{case}`, {side}: {summary.note}"
        for (case, measure), sides in rows.items()
        if measure in _TOLD
        for side, summary in sides.items()
    ]
    return ["\n".join(lines)] if lines else []


def _table(heads: list[str], lines: list[str]) -> str:
    return "\n".join([f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *lines])


def _cell(summary: Summary | None) -> str:
    if summary is None:
        return ""
    if summary.median is None:
        return summary.note.replace("|", "/")
    text = f"{_number(summary.median)} {summary.unit}"
    if len(summary.values) > 1:
        text += f" ({_number(min(summary.values))}-{_number(max(summary.values))})"
    return f"{text} {summary.note}".strip()


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _machine(machine: Mapping[str, Any]) -> str:
    lines = [f"| {name} | {value} |" for name, value in machine.items()]
    return "\n".join(["| measured with | |", "|---|---|", *lines])


def update_page(page: Path, tables: str) -> None:
    """Put the tables between the page's markers."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{after}", "utf-8")
