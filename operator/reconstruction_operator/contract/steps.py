"""Steps: the six of every job. Their names and percentages are part of the contract."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepInfo:
    """One step. `percent` is the job's percentage when the step is done."""

    index: int  # from 1
    name: str
    percent: int


STEPS: tuple[StepInfo, ...] = (
    StepInfo(1, "Loading input files", 10),
    StepInfo(2, "Preprocessing images", 20),
    StepInfo(3, "Running reconstruction", 60),
    StepInfo(4, "Post-processing mesh", 80),
    StepInfo(5, "Generating previews", 90),
    StepInfo(6, "Finalizing output", 100),
)
STEP_COUNT = len(STEPS)


def percent_at(index: int, fraction: float) -> float:
    """Return the percentage of the job, in tenths, when `fraction` (0.0 to 1.0) of step `index` (from 1) is done."""
    before = STEPS[index - 2].percent if index > 1 else 0
    done = (STEPS[index - 1].percent - before) * min(1.0, max(0.0, fraction))
    return before + math.floor(10 * done) / 10
