"""Fuzzes the parsers, guided by coverage: `python fuzz/run.py --seconds 60 [TARGET...]`.

Each target runs in a process of its own, one after the other, from the corpus beside this file.
What is new goes to a folder of its own, what is a fault to `fuzz/faults`. Needs `atheris`.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

HANG_S = 5
GROWTH_MB = 500
LONGEST_BYTES = 8192


def main() -> int:
    """Run the targets and print what each cost; return 1 when one has a fault."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("targets", nargs="*")
    asked.add_argument("--seconds", type=int, default=60, help="of each target")
    asked.add_argument("--found", type=Path, help="a folder to keep new inputs in")
    asked.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.child:
        return _fuzz(given.targets[0], given.targets[1:])
    from fuzz.targets import TARGETS

    bad = [name for name in given.targets or TARGETS if not _run(name, given.seconds, given.found)]
    print(f"faults: {', '.join(bad) or 'none'}")
    return 1 if bad else 0


def _run(name: str, seconds: int, found: Path | None) -> bool:
    """Run one target; tell whether it had no fault."""
    faults = HERE / "faults"
    faults.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as scratch:
        new = found / name if found else Path(scratch, "corpus")
        new.mkdir(parents=True, exist_ok=True)
        options = [
            f"-max_total_time={seconds}",
            f"-timeout={HANG_S}",
            f"-rss_limit_mb={_started_mb() + GROWTH_MB}",
            f"-max_len={LONGEST_BYTES}",
            f"-artifact_prefix={faults}/{name}-",
            "-print_final_stats=1",
            "-verbosity=0",
        ]
        command = [sys.executable, __file__, "--child", "--", name, *options, str(new)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [*command, str(HERE / "corpus" / name)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
        _print(name, done, before)
    return done.returncode == 0


def _print(
    name: str, done: subprocess.CompletedProcess[str], before: resource.struct_rusage
) -> None:
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    stats = dict(
        line.removeprefix("stat::").split(":", 1)
        for line in done.stderr.splitlines()
        if line.startswith("stat::")
    )
    runs, peak = (
        stats.get(key, "?").strip() for key in ("number_of_executed_units", "peak_rss_mb")
    )
    print(f"{name:14} {cpu_s:7.1f} CPU s  {runs:>9} inputs  {peak:>5} MB at most", flush=True)
    if done.returncode:
        print(done.stderr[-4000:], flush=True)


def _started_mb() -> int:
    """Return about what a process holds before its first input."""
    return 200


def _fuzz(name: str, options: list[str]) -> int:
    import atheris

    os.environ["ORCH_CACHE"] = os.devnull
    with atheris.instrument_imports(
        include=["orchestrator", "tarfile", "zipfile", "installer", "tomllib"]
    ):
        from fuzz import targets

        targets.run(name, b"")  # which imports the parser
    atheris.Setup([sys.argv[0], *options], lambda data: targets.run(name, data))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
