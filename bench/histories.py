"""`orch history` over thousands of recorded builds: the last ones, and those of one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lab import BenchError, Lab
from processes import run_measured
from sides import ORCH, Side

from orchestrator.database import Database
from orchestrator.history import History, Kind, PastImage, PastRun, Result
from orchestrator.model import HistorySettings
from orchestrator.paths import Paths

IMAGES = 22
_COPIES = 1000
_MULTIPLY = (
    "WITH RECURSIVE copies(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM copies LIMIT ?) "
    "INSERT INTO runs (started, kind, result, names, facts, images) "
    "SELECT started, kind, result, names, facts, images FROM runs, copies"
)
QUESTIONS = {
    "last 20 runs": (),
    "of one image": ("image-7",),
    "of an image of no run": ("nobody",),
}


@dataclass(frozen=True, slots=True)
class Histories:
    """A history of so many builds with nothing to do; most that people have are such."""

    runs: int

    def __call__(self, lab: Lab, case: str, _sides: Sequence[Side]) -> None:
        root = lab.work / case
        root.mkdir()
        (root / "orch.toml").write_text("", "utf-8")
        file = Paths.of(root).database
        for number in range(self.runs // _COPIES):
            History(file).add(_past(number), HistorySettings(runs=0, days=0))
        Database(file).write((_MULTIPLY, (_COPIES - 1,)))  # each by itself would take minutes
        for run in range(lab.runs):
            for side, words in QUESTIONS.items():
                command = lab.profiled([ORCH, "history", *words])
                done = run_measured(command, root, lab.environment, timeout_s=lab.limit_s)
                if done.code:
                    raise BenchError(f"{case} ended with {done.code}:\n{done.stderr[-3000:]}")
                lab.put(case, "seconds", side, run, done.seconds, "s")


def _past(number: int) -> PastRun:
    started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    images = tuple(
        PastImage(
            f"image-{each}", "linux/amd64", "reused", "", f"{each:064}", f"sha256:{number:064}"
        )
        for each in range(IMAGES)
    )
    return PastRun(f"run-{number}", Kind.BUILD, started, 0.1, Result.UNCHANGED, images=images)
