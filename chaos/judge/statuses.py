"""Invariant 5: a status never moves backwards, and is not late."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from chaos.judge.case import Case, problem_if


def goes_forward(case: Case) -> Iterator[str]:
    """Attempt and percentage never fall, nor the number of the leg within an attempt."""
    for before, after in pairwise(case.history.snapshots):
        if (after.attempt, after.leg) < (before.attempt, before.leg):
            yield f"the leg of attempt {after.attempt} fell from {before.leg} to {after.leg}"
            return
        if after.position < before.position:
            yield f"(attempt, percent) fell from {before.position} to {after.position}"
            return
    yield ""


def is_not_behind(case: Case) -> Iterator[str]:
    """The status follows Redis in time while there is no fault."""
    for lag in case.evidence.lags:
        if lag.uid == case.job.uid:
            late = lag.seconds is None or lag.seconds > case.evidence.bounds.behind
            yield problem_if(late, f"the status was {lag.seconds or 'too many'} s late without a fault: {lag.wanted}")
