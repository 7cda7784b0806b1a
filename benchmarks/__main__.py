"""Command line of the benchmarks: `python -m benchmarks`, which `make bench` calls."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import report
from benchmarks.rows import ROWS, Row

_OUTPUT = Path("bench-output/figures.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen rows and print the table. Return 1 if a row failed, 2 if no row matches."""
    options = _parser().parse_args(arguments)
    wanted = options.only or [""]
    picked = [
        row
        for row in ROWS
        if any(text in row.name for text in wanted) and (options.only or options.long or not row.long)
    ]
    if options.list or not picked:
        print("\n".join(f"{row.name}{' (long)' if row.long else ''}" for row in ROWS))
        return 0 if options.list else 2
    options.json.parent.mkdir(parents=True, exist_ok=True)
    written = json.loads(options.json.read_text())["rows"] if options.json.exists() else ()
    earlier = {row["name"]: report.Result(**row) for row in written}
    results: list[report.Result] = []
    for row in picked:
        results.append(report.Result(row.name, measured=report.now()))
        begun = time.monotonic()
        for number in range(options.repeat):
            _progress(f"{row.name}: {number + 1} of {options.repeat}")
            results[-1] = replace(_measured(row, results[-1]), seconds=time.monotonic() - begun)
            rows = earlier | {result.name: result for result in results}
            options.json.write_text(report.as_json([rows[each.name] for each in ROWS if each.name in rows]))
    print(report.table(results))
    _progress(f"all figures are in {options.json}")
    return 1 if any(result.errors for result in results) else 0


def _measured(row: Row, before: report.Result) -> report.Result:
    """Return the result with one more repetition. A failed one loses no figures of others."""
    try:
        return replace(before, repetitions=(*before.repetitions, row.measure()))
    except Exception as error:  # noqa: BLE001 -- an error of one row must not stop the others
        _progress(traceback.format_exc())
        first_line = str(error).partition("\n")[0]
        return replace(before, errors=(*before.errors, f"{type(error).__name__}: {first_line}"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the operator on a real control plane."
    )
    parser.add_argument(
        "--only", metavar="TEXT", action="append", default=[], help="only rows with this text in their name; repeatable"
    )
    parser.add_argument("--long", action="store_true", help="run the long rows too, which take hours")
    parser.add_argument("--repeat", type=int, default=3, help="how often each row runs (default: 3)")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        default=_OUTPUT,
        help=f"write every figure to this file after each repetition, and keep its other rows (default: {_OUTPUT})",
    )
    parser.add_argument("--list", action="store_true", help="print the names of all rows and exit")
    return parser


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
