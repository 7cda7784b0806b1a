"""Binding: what limits a row, according to its figures.

It reads figures with these names, which `benchmarks.usage.Meter` makes: `cores busy: PART`, and `cores busy: others`
(processes that are not part of the row).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CORES: Final = "cores busy: "
OTHERS: Final = "others"

_FULL: Final = 0.9  # share of a limit that counts as reached
_ONE_THREAD: Final = ("operator", "redis", "fleet", "client")  # parts that work in one thread
_NOISY: Final = 0.1  # share of the machine used by other processes that makes times unreliable


def binding(figures: Mapping[str, float], cpus: int) -> str:
    """Return what limits the row, with the cores of each part."""
    cores = {name.removeprefix(CORES): value for name, value in figures.items() if name.startswith(CORES)}
    if not cores:
        return "not measured"
    reasons = [f"the {part}'s one thread" for part in _ONE_THREAD if cores.get(part, 0.0) >= _FULL]
    total = sum(cores.values())
    mine = {part: value for part, value in cores.items() if part != OTHERS}
    largest = max(mine, key=lambda part: mine[part]) if mine else OTHERS
    if total >= _FULL * cpus:
        reasons.append(f"the machine's {cpus} cores, most of them for {largest}")
    if not reasons:
        reasons.append("waiting: no part or core is full")
    shares = ", ".join(f"{part} {value:.2f}" for part, value in sorted(cores.items(), key=lambda one: -one[1]))
    noisy = "; **noisy**: others took much of the machine" if cores.get(OTHERS, 0.0) >= _NOISY * cpus else ""
    return f"{' and '.join(reasons)} (cores: {shares}){noisy}"
