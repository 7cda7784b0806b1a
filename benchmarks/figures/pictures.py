"""Pictures: line charts of the figures as SVG, over a logarithmic axis, since loads grow by factors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.report import Result

_WIDTH: Final = 720
_HEIGHT: Final = 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 36, 64, 56
_COLOURS: Final = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
)  # distinct for colour-blind readers
_CHARACTER: Final = 6.2  # mean width in px
_STEPS_AT_MOST: Final = 6  # on the vertical axis
_ROUND: Final = (1, 2, 5, 10)

Line = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """A picture. `rows` matches the names of its rows: the first group is the load, an optional second one the line's name."""

    file: str
    title: str
    across: str
    up: str
    rows: str
    figures: Mapping[str, str]  # figure -> the line's name, if `rows` has no second group

    def lines(self, results: Sequence[Result]) -> dict[str, Line]:
        """Return the points of each line by name."""
        found: dict[str, list[tuple[float, float]]] = {}
        for result in results:
            match = re.fullmatch(self.rows, result.name)
            for figure, name in self.figures.items():
                if match and figure in result.figures():
                    line = match[2] if match.re.groups > 1 else name
                    found.setdefault(line, []).append((float(match[1].replace(",", "")), result.median(figure)))
        return {name: sorted(points) for name, points in found.items()}


CHARTS: Final = (
    Chart(
        "performance-jobs",
        "Throughput",
        "jobs applied at once",
        "jobs/s",
        r"([\d,]+) jobs, (?!throttled)(.+)",
        {"jobs/s": ""},
    ),
    Chart(
        "performance-objects",
        "Throughput beside finished jobs",
        "objects that exist",
        "jobs/s",
        r"([\d,]+) objects, growth",
        {"jobs/s": "500 new jobs"},
    ),
    Chart(
        "performance-load",
        "Latency",
        "jobs that run and report each second",
        "seconds",
        r"([\d,]+) running jobs",
        {
            "report -> watcher p50, s": "report to watcher, median",
            "report -> watcher p99, s": "report to watcher, 99 of 100",
            "phase changes p99, s": "change of phase, 99 of 100",
        },
    ),
)


def svg(chart: Chart, lines: Mapping[str, Line]) -> str:
    """Return the chart. Each line needs a point."""
    points = [point for line in lines.values() for point in line]
    loads = sorted({load for load, _ in points})
    each = _step(max(value for _, value in points))
    steps = math.ceil(max(value for _, value in points) / each) or 1
    most = steps * each
    low, high = math.log10(loads[0]), math.log10(loads[-1])

    def x(load: float) -> float:
        share = (math.log10(load) - low) / (high - low) if high > low else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / most * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 20, f"{chart.title}: {chart.up} against {chart.across}", "start", weight="bold"),
    ]
    for step in range(steps + 1):
        value = each * step
        parts += [
            f'<path d="M{_LEFT} {y(value):.1f}H{_WIDTH - _RIGHT}" stroke="#dddddd"/>',
            _text(_LEFT - 6, y(value) + 4, f"{value:.3g}", "end"),
        ]
    parts += [_text(x(load), _HEIGHT - _BOTTOM + 18, f"{load:,.0f}", "middle") for load in loads]
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, chart.across, "middle"))
    places = legend(list(lines))
    for number, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = "L".join(f"{x(load):.1f} {y(value):.1f}" for load, value in line)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(load):.1f}" cy="{y(value):.1f}" r="3.5" fill="{colour}"/>' for load, value in line]
        across, down = places[number]
        parts += [
            f'<rect x="{across:.1f}" y="{down - 9:.1f}" width="10" height="10" fill="{colour}"/>',
            _text(across + 15, down, name, "start"),
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def legend(names: Sequence[str]) -> list[tuple[float, float]]:
    """Return where each line's name begins, in as many rows as needed."""
    places: list[tuple[float, float]] = []
    across, down = float(_LEFT), 40.0
    for name in names:
        width = 15 + _CHARACTER * len(name)
        if across + width > _WIDTH and across > _LEFT:
            across, down = float(_LEFT), down + 16
        places.append((across, down))
        across += width + 20
    return places


def _step(largest: float) -> float:
    """Return the smallest round step with which `_STEPS_AT_MOST` steps reach the largest value."""
    least = (largest or 1.0) / _STEPS_AT_MOST
    unit: float = 10.0 ** math.floor(math.log10(least))
    return next(factor * unit for factor in _ROUND if factor * unit >= least * (1 - 1e-9))


def _text(x: float, y: float, text: str, anchor: str, *, weight: str = "normal") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f"<text {place}>{escape(text)}</text>"
