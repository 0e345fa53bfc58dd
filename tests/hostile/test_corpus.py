"""What fuzzing began with and once found is read or refused, and raises nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

import fuzz
from fuzz.targets import TARGETS, run

CORPUS = Path(fuzz.__file__).parent / "corpus"


def inputs() -> list[Path]:
    return sorted(path for path in CORPUS.glob("*/*") if path.is_file())


def test_every_target_has_something_to_begin_with() -> None:
    assert {path.parent.name for path in inputs()} == TARGETS.keys()


@pytest.mark.parametrize("path", inputs(), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_an_input_is_read_or_refused_with_a_reason(path: Path) -> None:
    run(path.parent.name, path.read_bytes())  # which raises whatever is no reason
