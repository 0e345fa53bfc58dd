"""Log files: one for each image that a build worked on."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.atomic import write_text
from orchestrator.paths import Paths
from orchestrator.ports import Outcome
from orchestrator.report.text import format_log


def write_logs(paths: Paths, outcomes: Mapping[str, Outcome]) -> None:
    """Write a log file for each image that was worked on; an earlier one of it is replaced.

    What a Dockerfile's build wrote is there already: the account of it goes below.

    Raises:
        OrchError: A file cannot be written.
    """
    for name, outcome in outcomes.items():
        file = paths.logs / f"{name}.log"
        if not outcome.attempts:
            continue
        if outcome.step.image.build is None:
            write_text(file, format_log(outcome))
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"\n{format_log(outcome)}")
