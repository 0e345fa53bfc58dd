"""Measures orch beside what people use today, in one run, on equal work.

    bench/run.py                       every case but the longest
    bench/run.py --full                every case
    bench/run.py --only noop-16        one case; --list names them
    bench/run.py --resume              what an interrupted run did not come to
    bench/run.py --report              the tables of what was measured; nothing is run

Raw figures are written to OUT/raw.jsonl as they come; tables, JSON and plot after every case.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from catalogue import CASES, LONG
from lab import REPOSITORY, Lab, lab
from machine import describe
from plot import draw, in_words
from results import Results, summarise
from sides import Side
from tables import FAILED, format_tables, update_page

PAGE = REPOSITORY / "docs/performance.md"
SHARE_S = 60.0
"""What a side's repeated builds may take in a case, so that everything takes half an hour."""
PLOT = REPOSITORY / "docs/performance.svg"


def main() -> int:
    given = _parse()
    if given.list:
        print("\n".join(CASES))
        return 0
    results = Results(given.out)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        failed = 0 if given.report else _measure(given, results)
    except KeyboardInterrupt:
        print("interrupted; --resume measures the rest", file=sys.stderr)
        failed = 130
    text = write_report(results)
    print(text)
    if given.update_page:
        words = in_words(summarise(results.figures()))
        picture = f"![orch's share of the others' seconds. {words}]({PLOT.name})"
        update_page(PAGE, f"{picture}\n\n{text}")
        PLOT.write_text((results.folder / "plot.svg").read_text())
    return failed


def _interrupt(_number: int, _frame: object) -> None:
    """Interrupt once: what ends engine and mirror is not to be interrupted itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=CASES, metavar="CASE")
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"measure {', '.join(LONG)} too, and no side fewer times",
    )
    parser.add_argument("--list", action="store_true", help="name the cases")
    parser.add_argument("--resume", action="store_true", help="skip what was measured already")
    parser.add_argument("--report", action="store_true", help="only write the tables again")
    parser.add_argument("--update-page", action="store_true", help=f"put them into {PAGE.name}")
    parser.add_argument("--sides", type=_sides, default=tuple(Side), help="orch,bake,...")
    parser.add_argument("--runs", type=int, default=3, help="of each side in each case")
    parser.add_argument(
        "--limit", type=float, default=300, metavar="SECONDS", help="of a side's build"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / ".orch/bench")
    return parser.parse_args()


def _sides(text: str) -> Sequence[Side]:
    return [Side[name.upper().replace("-", "_")] for name in text.split(",")]


def _measure(given: argparse.Namespace, results: Results) -> int:
    """Measure the cases asked for; return 1 if one failed."""
    wanted = given.only or [name for name in CASES if given.full or name not in LONG]
    if given.resume:
        wanted = [name for name in wanted if name not in results.done()]
    share_s = given.limit if given.full else min(given.limit, SHARE_S)
    failed = 0
    with lab(given.out.absolute(), given.runs, given.limit, share_s) as made:
        results.write_machine(describe(made))
        for number, name in enumerate(wanted, 1):
            made.say(f"case {number} of {len(wanted)}: {name}")
            failed |= _one(made, results, name, given.sides)
            write_report(results)
    return failed


def _one(made: Lab, results: Results, name: str, sides: Sequence[Side]) -> int:
    results.begin(name)
    try:
        CASES[name](made, name, sides)
    except Exception as error:  # noqa: BLE001 - the other cases are to be measured all the same
        made.say(f"  {name} failed: {error}")
        traceback.print_exc(file=sys.stderr)
        made.put(name, FAILED, "orch", 0, None, "", f"failed: {str(error).splitlines()[0]}")
        return 1
    results.end(name)
    return int(name in made.failed)


def write_report(results: Results) -> str:
    """Write tables, JSON and plot of all figures there are, and return the tables."""
    figures = results.figures()
    rows, machine = summarise(figures), results.machine()
    text = format_tables(rows, machine)
    whole = {
        "schema": "orch.bench/2",
        "machine": machine,
        "figures": [asdict(figure) for figure in figures],
    }
    results.folder.mkdir(parents=True, exist_ok=True)
    (results.folder / "figures.json").write_text(json.dumps(whole, indent=1))
    (results.folder / "tables.md").write_text(text)
    (results.folder / "plot.svg").write_text(draw(rows))
    return text


if __name__ == "__main__":
    sys.exit(main())
