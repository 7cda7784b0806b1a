"""Report: results as a table and as JSON, with median and range over repetitions.

A figure is named `what, unit`, or `what, unit: part`: the parts of one group share a line of the table.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from devcluster.files import CHECKOUT

_WHOLE = 100  # values from here on have no decimals

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """The figures of each repetition of one row, and the errors of failed ones."""

    name: str
    repetitions: Sequence[Figures] = ()
    errors: Sequence[str] = ()
    seconds: float = 0.0  # duration of all repetitions
    measured: str = ""  # date and commit

    def median(self, figure: str) -> float:
        """Return the median of a figure over the repetitions that have it."""
        return statistics.median(self._values(figure))

    def text(self, figure: str) -> str:
        """Return the median, with minimum and maximum if there are several repetitions."""
        values = self._values(figure)
        middle = _short(self.median(figure))
        return middle if len(values) == 1 else f"{middle} ({_short(values[0])} to {_short(values[-1])})"

    def figures(self) -> list[str]:
        """Return the names of all figures in the row's order."""
        return list(dict.fromkeys(name for repetition in self.repetitions for name in repetition))

    def _values(self, figure: str) -> list[float]:
        return sorted(repetition[figure] for repetition in self.repetitions if figure in repetition)


def now() -> str:
    """Return date and commit for a result."""
    commit = subprocess.run(
        ["git", "-C", CHECKOUT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return ", ".join(filter(None, (f"{datetime.now(UTC):%Y-%m-%d}", commit.stdout.strip())))


def machine() -> dict[str, Any]:
    """Return the properties of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {
        "cpus": os.cpu_count(),
        "memoryGiB": memory,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table with a line for each figure or group."""
    lines = ["| row | figure | median (smallest to largest) |", "|---|---|---|"]
    for result in results:
        shown = [*_lines(result).items(), *(("**failed**", error.replace("|", "/")) for error in result.errors)]
        heads = [f"**{result.name}**{f' ({result.measured})' if result.measured else ''}", *[""] * len(shown)]
        lines += [f"| {' | '.join((head, *line))} |" for head, line in zip(heads, shown, strict=False)]
    return "\n".join(lines)


def as_json(results: Sequence[Result]) -> str:
    """Return the machine and every repetition as JSON."""
    return json.dumps({"machine": machine(), "rows": [asdict(result) for result in results]}, indent=1) + "\n"


def _lines(result: Result) -> dict[str, str]:
    """Return the text of each figure or group."""
    lines: dict[str, str] = {}
    for figure in result.figures():
        group, _, part = figure.partition(": ")
        if part:
            text = f"{part} {_short(result.median(figure))}"
            lines[group] = f"{lines[group]}, {text}" if group in lines else text
        else:
            lines[figure] = result.text(figure)
    return lines


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    index = max(0, -(-len(ordered) * percent // 100) - 1)
    return ordered[int(index)]


def percentiles(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return the figures `NAME p50, s` and `NAME p99, s`; none without values."""
    return {f"{name} p{percent}, s": percentile(values, percent) for percent in (50, 99)} if values else {}
