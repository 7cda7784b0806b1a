"""Documentation of the figures: `python -m benchmarks.figures.document FILE…` copies results into docs/, where `make docs` shows them.

A row of a later file replaces the row of that name; other rows are unchanged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import report
from benchmarks.figures import pictures
from benchmarks.figures.sizing import sizing
from benchmarks.report import Result
from benchmarks.rows import ROWS
from devcluster.files import CHECKOUT

FIGURES: Final = "docs/images/performance.json"
PAGE: Final = "docs/performance.md"
_BEGIN, _END = "<!-- figures: made by `make docs` -->\n", "<!-- end of figures -->\n"


def merged(known: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of both, in the order in which rows run, without rows that no longer exist."""
    rows = {row["name"]: row for row in (*known.get("rows", ()), *new["rows"])}
    return {"machine": new["machine"], "rows": [rows[row.name] for row in ROWS if row.name in rows]}


def page(text: str, found: Mapping[str, Any]) -> str:
    """Return the page with these figures between its markers."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    its = found["machine"]
    machine = f"{its['cpus']} cores, {its['memoryGiB']} GiB, Python {its['python']}, {its['system']}"
    results = _results(found)
    lines = [f"Machine: {machine}.", ""]
    for chart in pictures.CHARTS:
        if chart.lines(results):
            lines += [f"![{chart.title}: {chart.up} against {chart.across}](images/{chart.file}.svg)", ""]
    lines += [report.table(results, its["cpus"]) if results else "No run is recorded yet.", ""]
    if follows := sizing(results):
        lines += ["What the figures imply for other numbers of jobs, on a machine like this one:", "", *follows, ""]
    return "\n".join((f"{before}{_BEGIN}", *lines, f"{_END}{after}"))


def files(checkout: Path = CHECKOUT) -> dict[str, str]:
    """Return the files that are made from the figures: path -> content."""
    found = json.loads((checkout / FIGURES).read_text())
    made = {PAGE: page((checkout / PAGE).read_text(), found)}
    for chart in pictures.CHARTS:
        lines = chart.lines(_results(found))
        if lines:
            made[f"docs/images/{chart.file}.svg"] = pictures.svg(chart, lines)
    return made


def _results(found: Mapping[str, Any]) -> list[Result]:
    return [Result.read(row) for row in found["rows"]]


def main(arguments: Sequence[str] | None = None, checkout: Path = CHECKOUT) -> int:
    """Copy the results of the files into docs/."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures.document", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file that `make bench` wrote")
    target = checkout / FIGURES
    found: dict[str, Any] = json.loads(target.read_text()) if target.exists() else {}
    for file in parser.parse_args(arguments).files:
        found = merged(found, json.loads(file.read_text()))
    target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    for name, content in files(checkout).items():
        (checkout / name).write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
