"""Types the commands of a page into a shell, one after the other, as a reader does."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.codeblocks import Step

_MARK = "@@ that was it:"
_END = re.compile(rf"\n{_MARK} (\d+) (\d+)\n")


@dataclass(frozen=True, slots=True)
class Ran:
    """A step of a page, what it ended with, what it said, and how long it took."""

    step: Step
    code: int
    said: str
    duration_s: float


def type_in(
    steps: Iterable[Step], folder: Path, env: Mapping[str, str], timeout_s: float
) -> list[Ran]:
    """Run the commands of steps in one bash, in a folder; a failure does not stop those behind it.

    Where the shell itself ends, there are fewer answers than steps.
    """
    typed = list(steps)
    now = "${EPOCHREALTIME/[.,]/}"  # microseconds
    ends = f"printf '\\n{_MARK} %s %s\\n' $? {now}\n"
    script = ends + "".join(f"{step.command}\n{ends}" for step in typed)
    with tempfile.TemporaryDirectory() as scratch:
        file, said = Path(scratch, "script"), Path(scratch, "said")
        file.write_text(script)
        with said.open("wb") as output:
            subprocess.run(
                ["bash", file],
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        _, _, begun, *parts = _END.split(said.read_text("utf-8", "replace"))
    ran, before_us = [], int(begun)
    for step, text, code, at_us in zip(typed, parts[::3], parts[1::3], parts[2::3], strict=False):
        ran.append(Ran(step, int(code), text, (int(at_us) - before_us) / 1e6))
        before_us = int(at_us)
    return ran
