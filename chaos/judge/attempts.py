"""Invariant 2 of a job's attempts: no two work at the same time, unless a fault keeps the older from knowing it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from chaos.judge.case import Case, name, problem_if
from chaos.judge.excuses import could_know_at, was_forgotten


def runs_alone(case: Case) -> Iterator[str]:
    """No two attempts work at the same time, once the older one could know that it was superseded."""
    for older, newer in combinations(case.runs, 2):
        if older.last <= newer.start:
            yield ""
            continue
        # If a fault stopped the older run or cut it off, it may not know yet that it was superseded.
        knows = could_know_at(older, newer.start, case.evidence)
        if knows is None and older.attempt == newer.attempt and was_forgotten(newer.start, case.evidence):
            knows = newer.start  # claimed twice between two heartbeats of the older run: its next heartbeat shows it
        if knows is None:
            yield f"attempts {name(older)} and {name(newer)} ran together, and no fault stopped or cut off the older"
            continue
        late = older.last - knows
        yield problem_if(
            late > case.evidence.bounds.superseded,
            f"attempt {name(older)} ran on for {late:.1f} s after it could know that {name(newer)} superseded it",
        )
