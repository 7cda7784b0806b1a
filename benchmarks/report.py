"""Report: figures as a table, and as JSON. The figures of several repetitions are given as median and spread."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WHOLE = 100  # from here on without decimals

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Row:
    """The figures of one measurement, repeated."""

    name: str
    repetitions: Sequence[Figures]

    def median(self, figure: str) -> float:
        """The median of a figure."""
        return statistics.median(one[figure] for one in self.repetitions)

    def text(self, figure: str) -> str:
        """Median and, of several repetitions, the smallest and the largest."""
        values = sorted(one[figure] for one in self.repetitions)
        middle = _short(self.median(figure))
        return middle if len(values) == 1 else f"{middle} ({_short(values[0])} to {_short(values[-1])})"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {
        "cpus": os.cpu_count(),
        "memoryGiB": memory,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def table(rows: Sequence[Row]) -> str:
    """A Markdown table, one line for each figure."""
    lines = ["| row | figure | median (smallest to largest) |", "|---|---|---|"]
    lines += [f"| {row.name} | {figure} | {row.text(figure)} |" for row in rows for figure in row.repetitions[0]]
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> str:
    """The machine and every repetition."""
    found = {"machine": machine(), "rows": {row.name: [dict(one) for one in row.repetitions] for row in rows}}
    return json.dumps(found, indent=2)


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"
