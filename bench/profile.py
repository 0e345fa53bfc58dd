"""Says where orch's time goes in a case: its functions, those that took the most time first.

    bench/profile.py noop-16
    bench/profile.py wheel-layer --sort cumulative --lines 40
    bench/profile.py plan-1000 --keep plan.prof

The last `orch` that the case measures is run under cProfile, in one process, so its seconds are
not those of the tables.
"""

from __future__ import annotations

import argparse
import pstats
import sys
import tempfile
from pathlib import Path

HERE = sys.path.pop(0)
import cProfile  # noqa: E402 - it imports the standard library's profile, not this file

sys.path.insert(0, HERE)
from catalogue import CASES, IN_PROCESS  # noqa: E402
from lab import lab  # noqa: E402
from sides import Side  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=CASES, metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--sort", choices=["tottime", "cumulative"], default="tottime")
    parser.add_argument("--lines", type=int, default=25)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the profile")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="orch-bench-") as folder:
        file = given.keep.absolute() if given.keep else Path(folder) / "profile"
        with lab(Path(folder), 1, 600.0, 600.0, file) as made:
            made.results.begin(given.case)
            here = cProfile.Profile()
            if given.case in IN_PROCESS:
                _ = made.lock_text  # what is prepared is not to be in the profile
            here.runcall(CASES[given.case], made, given.case, [Side.ORCH])
        if not file.exists():  # the case runs no command: its work is done in this process
            here.dump_stats(file)
        pstats.Stats(str(file)).sort_stats(given.sort).print_stats(given.lines)


if __name__ == "__main__":
    main()
