"""Documentation of the figures: `python -m benchmarks.figures.document FILE…` merges results into `benchmarks/figures.json`.

A row of a later file replaces the row of that name; other rows are unchanged. `make docs` writes the table from them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import report
from benchmarks.report import Result
from benchmarks.rows import ROWS
from devcluster.files import CHECKOUT

FIGURES: Final = "benchmarks/figures.json"
PAGE: Final = "benchmarks/FIGURES.md"
_HEAD: Final = """# Figures

Every row of `make bench` with its date and commit, made by `make docs` from `figures.json`. [README.md](README.md) explains the rows, and
[docs/performance.md](../docs/performance.md) has what matters to users.
"""


def merged(known: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of both, in the order in which rows run, without rows that no longer exist."""
    rows = {row["name"]: row for row in (*known.get("rows", ()), *new["rows"])}
    return {"machine": new["machine"], "rows": [rows[row.name] for row in ROWS if row.name in rows]}


def page(figures: Mapping[str, Any]) -> str:
    """Return the page of these figures."""
    machine = figures["machine"]
    text = f"{machine['cpus']} cores, {machine['memoryGiB']} GiB, Python {machine['python']}, {machine['system']}"
    results = [Result.read(row) for row in figures["rows"]]
    return f"{_HEAD}\nMachine: {text}.\n\n{report.table(results)}\n"


def files(checkout: Path = CHECKOUT) -> dict[str, str]:
    """Return the files that are made from the figures: path -> content."""
    return {PAGE: page(json.loads((checkout / FIGURES).read_text()))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Merge the results of the files into those of the checkout, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures.document", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file that `make bench` wrote")
    target = CHECKOUT / FIGURES
    figures: dict[str, Any] = json.loads(target.read_text())
    for file in parser.parse_args(arguments).files:
        figures = merged(figures, json.loads(file.read_text()))
    target.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    for name, content in files().items():
        (CHECKOUT / name).write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
