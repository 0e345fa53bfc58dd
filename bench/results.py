"""Raw figures: written as they come, one a line, and read back for tables and plots."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One run's figure. `note` stands in for a value where there is none."""

    case: str
    measure: str
    side: str
    run: int
    value: float | None
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the runs of a side come to."""

    values: tuple[float, ...]
    unit: str
    note: str

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None


class Results:
    """A folder of raw figures. A case that is measured again takes the place of its old figures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "raw.jsonl"

    def begin(self, case: str) -> None:
        """Forget a case's figures."""
        kept = [figure for figure in self.figures() if figure.case != case]
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".part")
        partial.write_text("".join(_line(figure) for figure in kept))
        partial.replace(self._file)
        (self.folder / "done").write_text("".join(f"{name}\n" for name in self.done() - {case}))

    def end(self, case: str) -> None:
        """Say that a case is complete, for a run that goes on after an interruption."""
        with (self.folder / "done").open("a") as file:
            file.write(f"{case}\n")

    def done(self) -> set[str]:
        """Return the cases that are complete."""
        file = self.folder / "done"
        return set(file.read_text().split()) if file.exists() else set()

    def write_machine(self, machine: Mapping[str, str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "machine.json").write_text(json.dumps(machine, indent=1))

    def machine(self) -> Mapping[str, str]:
        file = self.folder / "machine.json"
        found: Mapping[str, str] = json.loads(file.read_text()) if file.exists() else {}
        return found

    def put(self, figure: Figure) -> None:
        with self._file.open("a") as file:
            file.write(_line(figure))

    def figures(self) -> list[Figure]:
        """Return all figures; a last line that was cut short is none."""
        found = []
        for line in self._file.read_text().splitlines() if self._file.exists() else []:
            try:
                found.append(Figure(**json.loads(line)))
            except ValueError:
                continue
        return found


def summarise(figures: Iterable[Figure]) -> dict[tuple[str, str], dict[str, Summary]]:
    """Return the summary of each side, by case and measure, in the order of the figures."""
    grouped: dict[tuple[str, str], dict[str, list[Figure]]] = {}
    for figure in figures:
        sides = grouped.setdefault((figure.case, figure.measure), {})
        sides.setdefault(figure.side, []).append(figure)
    return {
        key: {side: _summary(found) for side, found in sides.items()}
        for key, sides in grouped.items()
    }


def _summary(figures: list[Figure]) -> Summary:
    values = tuple(figure.value for figure in figures if figure.value is not None)
    notes = dict.fromkeys(figure.note for figure in figures if figure.note)
    return Summary(values, figures[0].unit, "; ".join(notes))


def _line(figure: Figure) -> str:
    return json.dumps(asdict(figure)) + "\n"
