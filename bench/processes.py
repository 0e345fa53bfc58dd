"""Runs a command and measures it: seconds, and the memory of all its processes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_S = 0.1
_KIB = 1024
_PATIENCE_S = 10


@dataclass(slots=True)
class Measured:
    """What a run took. `rss_bytes` is the peak of the sum over processes, shared pages counted
    in each; `pss_bytes` counts them once; `largest_bytes` is the peak of any one process.
    `cpu_s` is less moved by what else the machine does than `seconds` is."""

    seconds: float
    code: int
    stderr: str
    cpu_s: float = 0.0
    rss_bytes: int = 0
    pss_bytes: int = 0
    largest_bytes: int = 0
    timed_out: bool = False


def run_measured(
    command: Sequence[str | Path],
    folder: Path,
    env: Mapping[str, str],
    *,
    memory: bool = False,
    timeout_s: float = 0.0,
) -> Measured:
    """Run a command; sampling its memory costs some of its time, and is done on demand.

    After `timeout_s`, if that is not 0, it is ended with all that it started.
    """
    before = _cpu_of_children()
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    measured = Measured(0.0, 0, "")
    ended = threading.Event()
    sampler = threading.Thread(target=_sample, args=(process.pid, measured, ended))
    if memory:
        sampler.start()
    try:
        _, measured.stderr = process.communicate(timeout=timeout_s or None)
    except subprocess.TimeoutExpired:
        measured.timed_out = True
        _end(process)
    except BaseException:
        _end(process)
        raise
    measured.seconds = time.perf_counter() - started
    measured.code = process.returncode
    measured.cpu_s = _cpu_of_children() - before
    ended.set()
    if memory:
        sampler.join()
    return measured


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and its group, politely first."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_PATIENCE_S)
            return


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sample(root: int, into: Measured, ended: threading.Event) -> None:
    while not ended.wait(_SAMPLE_S):
        processes = _tree(root)
        rss = [_kib(pid, "status", "VmRSS:") for pid in processes]
        into.rss_bytes = max(into.rss_bytes, sum(rss))
        into.pss_bytes = max(
            into.pss_bytes, sum(_kib(pid, "smaps_rollup", "Pss:") for pid in processes)
        )
        peaks = (_kib(pid, "status", "VmHWM:") for pid in processes)
        into.largest_bytes = max(into.largest_bytes, *peaks, 0)


def _tree(root: int) -> list[int]:
    """Return a process and all that it, or what it started, started."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def _kib(process: int, file: str, key: str) -> int:
    """Return a field that /proc gives in KiB, in bytes; 0 where the process has ended."""
    try:
        for line in Path(f"/proc/{process}/{file}").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * _KIB
    except OSError:
        pass
    return 0
