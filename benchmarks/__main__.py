"""Command line of the benchmarks: `python -m benchmarks`, which `make bench` calls."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.report import Row
from benchmarks.rows import ROWS


def main() -> int:
    """Run the chosen rows and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the operator on a real control plane."
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="only rows with this text in their name")
    parser.add_argument("--repeat", type=int, default=3, help="how often each row runs (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure to this file")
    parser.add_argument("--list", action="store_true", help="print the names of all rows and exit")
    options = parser.parse_args()
    chosen = {name: run for name, run in ROWS.items() if options.only in name}
    if options.list or not chosen:
        print("\n".join(ROWS))
        return 0 if options.list else 2
    rows = []
    for name, run in chosen.items():
        repetitions = []
        for number in range(options.repeat):
            print(f"{name}: {number + 1} of {options.repeat}", file=sys.stderr, flush=True)
            repetitions.append(run())
        rows.append(Row(name, repetitions))
    print(report.table(rows))
    if options.json:
        options.json.write_text(report.as_json(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
