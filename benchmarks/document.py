"""Document: the page of all figures, which `make docs` writes from `benchmarks/figures.json`."""

from __future__ import annotations

import json

from benchmarks import report
from devcluster.files import CHECKOUT

_HEAD = """# Figures

Every row of `make bench` with its date and commit, made by `make docs` from `figures.json`.
[README.md](README.md) explains the rows, and [docs/performance.md](../docs/performance.md) has what matters to users.
"""


def files() -> dict[str, str]:
    """Return the files that are made from the figures: path -> content."""
    figures = json.loads((CHECKOUT / "benchmarks" / "figures.json").read_text())
    machine = figures["machine"]
    text = f"{machine['cpus']} cores, {machine['memoryGiB']} GiB, Python {machine['python']}, {machine['system']}"
    results = [report.Result(**row) for row in figures["rows"]]
    return {"benchmarks/FIGURES.md": f"{_HEAD}\nMachine: {text}.\n\n{report.table(results)}\n"}
